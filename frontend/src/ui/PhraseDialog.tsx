import { useState, type ReactNode } from 'react'
import { Button } from './Button'
import { Dialog } from './Dialog'
import { TextField } from './Field'
import { Notice } from './states'
import { useAttempt } from './useAttempt'

interface PhraseDialogProps {
  title: string
  children: ReactNode
  /** What has to be typed, such as the name of what will be gone. */
  phrase: string
  label: string
  action: string
  onConfirm: () => Promise<void>
  onClose: () => void
}

/** Asks twice before something is done that nobody can undo. */
export function PhraseDialog({ title, children, phrase, label, action, onConfirm, onClose }: PhraseDialogProps) {
  const [typed, setTyped] = useState('')
  const { busy, error, attempt } = useAttempt()
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          void attempt(onConfirm)
        }}
      >
        <div className="muted prose">{children}</div>
        {error && <Notice tone="bad">{error.message}</Notice>}
        <TextField
          label={label}
          hint={`Type “${phrase}” to go on.`}
          value={typed}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={event => setTyped(event.target.value)}
        />
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="danger" type="submit" busy={busy} disabled={typed.trim() !== phrase.trim()}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
