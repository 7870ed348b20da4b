import { useEffect, useRef } from 'react'

/** Call it again and again, while somebody looks at the page, and at once when they come back. */
export function usePolling(action: () => void, everyMs: number): void {
  const latest = useRef(action)
  latest.current = action
  useEffect(() => {
    const look = () => {
      if (document.visibilityState === 'visible') latest.current()
    }
    const timer = setInterval(look, everyMs)
    document.addEventListener('visibilitychange', look)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [everyMs])
}
