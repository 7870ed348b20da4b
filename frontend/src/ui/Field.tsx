import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes } from 'react'
import { ChevronDown } from './icons'

interface FieldProps {
  label: string
  hint?: ReactNode
  error?: string | undefined
}

function useField({ hint, error }: FieldProps) {
  const id = useId()
  const describedBy = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(' ')
  return { id, control: { id, 'aria-describedby': describedBy || undefined, 'aria-invalid': error ? true : undefined } }
}

function Labelled({ id, label, hint, error, children }: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {error && (
        <p className="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
      {hint && (
        <p className="field-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  )
}

export function TextField({ label, hint, error, ...rest }: FieldProps & InputHTMLAttributes<HTMLInputElement>) {
  const { id, control } = useField({ label, hint, error })
  return (
    <Labelled {...{ id, label, hint, error }}>
      <input className="input" {...control} {...rest} />
    </Labelled>
  )
}

export function TextArea({ label, hint, error, ...rest }: FieldProps & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const { id, control } = useField({ label, hint, error })
  return (
    <Labelled {...{ id, label, hint, error }}>
      <textarea className="input" {...control} {...rest} />
    </Labelled>
  )
}

export function SelectField({ label, hint, error, ...rest }: FieldProps & SelectHTMLAttributes<HTMLSelectElement>) {
  const { id, control } = useField({ label, hint, error })
  return (
    <Labelled {...{ id, label, hint, error }}>
      <Select {...control} {...rest} />
    </Labelled>
  )
}

/** A select without a label of its own: give it `aria-label`. */
export function Select({ quiet, ...rest }: SelectHTMLAttributes<HTMLSelectElement> & { quiet?: boolean }) {
  return (
    <span className="select" data-quiet={quiet || undefined}>
      <select className="input" {...rest} />
      <ChevronDown />
    </span>
  )
}
