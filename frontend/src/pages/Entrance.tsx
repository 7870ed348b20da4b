/** The frame of the pages before one is signed in, and where they lead to. */
import { useEffect, type ReactNode } from 'react'

interface EntranceProps {
  title: string
  about: ReactNode
  children: ReactNode
  foot: ReactNode
}

export function Entrance({ title, about, children, foot }: EntranceProps) {
  useEffect(() => {
    document.title = `${title} · Gatehouse`
  }, [title])
  return (
    <main className="entrance">
      <div className="entrance-card">
        <div className="entrance-head">
          <img src="/assets/gatehouse.svg" width="40" height="40" alt="Gatehouse" />
          <h1>{title}</h1>
          <p className="muted">{about}</p>
        </div>
        {children}
      </div>
      <p className="entrance-foot">{foot}</p>
    </main>
  )
}

/** Where to go after signing in: a path of this page, and nothing else. */
export function nextPath(search: string): string {
  const next = new URLSearchParams(search).get('next') ?? '/'
  try {
    const { origin, pathname, search: query } = new URL(next, location.origin)
    return origin === location.origin && next.startsWith('/') ? pathname + query : '/'
  } catch {
    return '/'
  }
}
