import { createContext, useCallback, useContext, useMemo, useRef, useState, type ReactNode } from 'react'
import { Button, IconButton } from './Button'
import { Close } from './icons'

interface Toast {
  id: number
  text: string
  action?: { label: string; onSelect: () => void } | undefined
}

type Show = (text: string, action?: Toast['action']) => void

const Toasts = createContext<Show>(() => {})

/** Says shortly, at the edge of the page, what was done; `action` may undo it. */
export const useToast = () => useContext(Toasts)

const SHOWN_FOR_MS = 6000

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<Toast[]>([])
  const last = useRef(0)
  const remove = useCallback((id: number) => setToasts(all => all.filter(each => each.id !== id)), [])
  const show = useCallback<Show>(
    (text, action) => {
      const id = ++last.current
      setToasts(all => [...all.slice(-2), { id, text, action }])
      setTimeout(() => remove(id), SHOWN_FOR_MS)
    },
    [remove]
  )
  return (
    <Toasts.Provider value={useMemo(() => show, [show])}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map(({ id, text, action }) => (
          <div className="toast" key={id}>
            <p>{text}</p>
            {action && (
              <Button
                look="quiet"
                size="small"
                onClick={() => {
                  remove(id)
                  action.onSelect()
                }}
              >
                {action.label}
              </Button>
            )}
            <IconButton label="Dismiss" size="small" icon={<Close />} onClick={() => remove(id)} />
          </div>
        ))}
      </div>
    </Toasts.Provider>
  )
}
