import { useId, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'

export interface Suggestion {
  id: string
  /** What stands in the field once it was chosen. */
  value: string
  name: string
  detail: string
  icon: ReactNode
}

interface ComboboxProps {
  label: string
  placeholder: string
  hint?: string
  error?: string | undefined
  value: string
  suggestions: Suggestion[]
  /** `chosen`: the suggestion that it was taken from; null for what was typed. */
  onChange: (value: string, chosen: Suggestion | null) => void
  onFocus?: () => void
}

const MOST = 6

/** A text field that suggests what could stand there, and takes anything else too. */
export function Combobox({ label, placeholder, hint, error, value, suggestions, onChange, onFocus }: ComboboxProps) {
  const id = useId()
  const [isOpen, setOpen] = useState(false)
  const [place, setPlace] = useState(-1)
  const input = useRef<HTMLInputElement>(null)
  const term = value.trim().toLowerCase()
  const found = suggestions
    .filter(({ name, value: text, detail }) => `${name}\n${text}\n${detail}`.toLowerCase().includes(term))
    .slice(0, MOST)
  const isShown = isOpen && found.length > 0
  const current = isShown ? found[place] : undefined

  const choose = (suggestion: Suggestion) => {
    onChange(suggestion.value, suggestion)
    setOpen(false)
    setPlace(-1)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && isShown) {
      event.preventDefault() // or the dialog around it would close
      setOpen(false)
    } else if (event.key === 'Enter' && current) {
      event.preventDefault()
      choose(current)
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      setOpen(true)
      const step = event.key === 'ArrowDown' ? 1 : -1
      setPlace(old => (old + step + found.length + (old < 0 && step < 0 ? 1 : 0)) % Math.max(found.length, 1))
    }
  }
  return (
    <div className="field combobox">
      <label htmlFor={id}>{label}</label>
      <input
        ref={input}
        id={id}
        className="input"
        role="combobox"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        placeholder={placeholder}
        aria-autocomplete="list"
        aria-expanded={isShown}
        aria-controls={isShown ? `${id}-list` : undefined}
        aria-activedescendant={current && `${id}-${current.id}`}
        aria-invalid={error ? true : undefined}
        aria-describedby={[error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(' ') || undefined}
        value={value}
        onChange={event => {
          onChange(event.target.value, null)
          setOpen(event.target.value.trim() !== '')
          setPlace(-1)
        }}
        onFocus={onFocus}
        onClick={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {isShown && (
        <ul className="combobox-list" id={`${id}-list`} role="listbox" aria-label={label}>
          {found.map((suggestion, index) => (
            <li
              key={suggestion.id}
              id={`${id}-${suggestion.id}`}
              className="combobox-option"
              role="option"
              aria-selected={index === place}
              // Before the field loses the focus.
              onPointerDown={event => {
                event.preventDefault()
                choose(suggestion)
              }}
            >
              {suggestion.icon}
              <span className="combobox-text">
                <span className="truncate">{suggestion.name}</span>
                <span className="truncate small muted">{suggestion.detail}</span>
              </span>
            </li>
          ))}
        </ul>
      )}
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
