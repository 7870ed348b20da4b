import { useEffect, useReducer, useState, type ComponentType, type ReactNode } from 'react'

type Load<P> = () => Promise<{ default: ComponentType<P> }>

/**
 * A component of a chunk of its own, with `load` to fetch it ahead.
 *
 * `React.lazy` would show it up to 300 ms after it has come: React holds back what follows on a fallback.
 */
export function lazily<P extends object>(get: Load<P>, fallback: ReactNode = null) {
  let Loaded: ComponentType<P> | null = null
  const load = async () => {
    Loaded = (await get()).default
  }

  function Lazy(props: P) {
    const [, redraw] = useReducer((count: number) => count + 1, 0)
    const [error, setError] = useState<unknown>(null)
    const isShown = Loaded !== null
    useEffect(() => {
      if (!isShown) load().then(redraw, setError) // even if it has come since it was drawn
    }, [])
    if (error) throw error // for the guard around all pages
    return Loaded ? <Loaded {...props} /> : fallback
  }

  return Object.assign(Lazy, { load: () => void load().catch(() => {}) })
}
