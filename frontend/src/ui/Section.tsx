import type { ReactNode } from 'react'

interface SectionProps {
  title: string
  about: ReactNode
  danger?: boolean
  children: ReactNode
}

/** A part of a page of settings: what it is about on one side, what to do on the other. */
export function Section({ title, about, danger, children }: SectionProps) {
  return (
    <section className="section" data-danger={danger || undefined}>
      <div className="section-about">
        <h2>{title}</h2>
        <p className="muted small">{about}</p>
      </div>
      <div className="section-body">{children}</div>
    </section>
  )
}
