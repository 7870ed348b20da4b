import { useEffect, useId, useRef, useState, type ReactNode } from 'react'
import { asApiError } from '../api'
import { Button, IconButton } from './Button'
import { Close } from './icons'
import { Notice } from './states'

interface DialogProps {
  title: string
  size?: 'large'
  onClose: () => void
  children: ReactNode
}

/** A modal dialog, open as long as it is rendered. Escape and a press beside it close it. */
export function Dialog({ title, size, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useEffect(() => {
    const dialog = ref.current
    if (!dialog || dialog.open) return
    dialog.showModal()
    // Not the button that closes it, which comes first.
    const find = (selector: string) => dialog.querySelector<HTMLElement>(`.dialog-body ${selector}`)
    const field = find(':is(input:not([type=radio]), textarea, .dialog-actions button)')
    ;(field ?? find('[role=tab][aria-selected=true]'))?.focus()
  }, [])
  return (
    <dialog
      ref={ref}
      className="dialog"
      data-size={size}
      aria-labelledby={titleId}
      onCancel={event => {
        if (event.target !== ref.current) return
        event.preventDefault()
        onClose()
      }}
      onPointerDown={event => {
        if (event.target !== ref.current) return
        const { left, right, top, bottom } = ref.current.getBoundingClientRect()
        const { clientX: x, clientY: y } = event
        if (x < left || x > right || y < top || y > bottom) onClose()
      }}
    >
      <div className="dialog-head">
        <h2 id={titleId}>{title}</h2>
        <IconButton label="Close" icon={<Close />} onClick={onClose} />
      </div>
      <div className="dialog-body">{children}</div>
    </dialog>
  )
}

interface ConfirmProps {
  title: string
  children: ReactNode
  action: string
  danger?: boolean
  onConfirm: () => Promise<void>
  onClose: () => void
}

/** Asks before something is done that is not easily undone; shows why it could not be done. */
export function ConfirmDialog({ title, children, action, danger, onConfirm, onClose }: ConfirmProps) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const confirm = async () => {
    setBusy(true)
    setError('')
    try {
      await onConfirm()
      onClose()
    } catch (caught) {
      setError(asApiError(caught).message)
      setBusy(false)
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="muted">{children}</div>
      {error && <Notice tone="bad">{error}</Notice>}
      <div className="dialog-actions">
        <Button onClick={onClose}>Cancel</Button>
        <Button look={danger ? 'danger' : 'primary'} busy={busy} onClick={() => void confirm()}>
          {action}
        </Button>
      </div>
    </Dialog>
  )
}
