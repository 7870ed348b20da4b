import { useCallback, useRef, useState } from 'react'
import { asApiError, type ApiError } from '../api'

export interface Attempt {
  busy: boolean
  /** Why the last one failed. */
  error: ApiError | null
  /** Do it, one at a time; true if it was done. */
  attempt: (action: () => Promise<unknown>) => Promise<boolean>
  forget: () => void
}

/** What a button or a form does: whether it is at work, and why it failed. */
export function useAttempt(): Attempt {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)
  const isBusy = useRef(false)
  const attempt = useCallback(async (action: () => Promise<unknown>) => {
    if (isBusy.current) return false
    isBusy.current = true
    setBusy(true)
    setError(null)
    try {
      await action()
      return true
    } catch (caught) {
      setError(asApiError(caught))
      return false
    } finally {
      isBusy.current = false
      setBusy(false)
    }
  }, [])
  const forget = useCallback(() => setError(null), [])
  return { busy, error, attempt, forget }
}

/** What is wrong with no field of `names`: for above a form. */
export function restOf(error: ApiError | null, ...names: string[]): string | undefined {
  return error && !names.some(name => error.field(name)) ? error.message : undefined
}
