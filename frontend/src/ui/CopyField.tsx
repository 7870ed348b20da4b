import { useRef, useState } from 'react'
import { Button } from './Button'
import { Check, Copy } from './icons'

/** A text to take along, and a button that copies it. */
export function CopyField({ label, value }: { label: string; value: string }) {
  const [isCopied, setCopied] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  const copy = async () => {
    input.current?.select()
    // Without HTTPS there is no clipboard: what is selected can be copied by hand.
    await navigator.clipboard?.writeText(value)
    setCopied('clipboard' in navigator)
  }
  return (
    <div className="copy-field">
      <input ref={input} className="input" aria-label={label} value={value} readOnly onFocus={event => event.target.select()} />
      <Button icon={isCopied ? <Check /> : <Copy />} onClick={() => void copy()}>
        {isCopied ? 'Copied' : 'Copy'}
      </Button>
      <span className="visually-hidden" role="status">
        {isCopied && 'Copied'}
      </span>
    </div>
  )
}
