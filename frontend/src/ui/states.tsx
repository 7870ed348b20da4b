/** What a place shows that has nothing else to show: loading, empty, failed. */
import type { CSSProperties, ReactNode } from 'react'
import { asApiError } from '../api'
import { Button } from './Button'
import { Restore, Warning } from './icons'

/** A grey bar in the size of what comes. */
export function Skeleton({ width, height }: { width?: string; height?: string }) {
  return <span className="skeleton" aria-hidden="true" style={{ '--width': width, '--height': height } as CSSProperties} />
}

interface PanelProps {
  icon: ReactNode
  title: string
  tone?: 'bad'
  /** The level of its heading: 1 where it is all that the page shows. */
  level?: 1 | 2
  children?: ReactNode
  actions?: ReactNode
}

/** An icon, a line, an explanation, and what to do: for empty lists and whole pages. */
export function EmptyState({ icon, title, tone, level = 2, children, actions }: PanelProps) {
  const Heading = level === 1 ? 'h1' : 'h2'
  return (
    <div className="panel">
      <span className="panel-icon" data-tone={tone}>
        {icon}
      </span>
      <Heading>{title}</Heading>
      {children && <p>{children}</p>}
      {actions && <div className="panel-actions">{actions}</div>}
    </div>
  )
}

/** Something could not be loaded: why, and a button to try again. */
export function ErrorState({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { code, message } = asApiError(error)
  return (
    <div role="alert">
      <EmptyState
        icon={<Warning size={22} />}
        tone="bad"
        title={code === 'offline' ? 'The server does not answer' : 'That did not work'}
        actions={
          <Button icon={<Restore />} onClick={onRetry}>
            Try again
          </Button>
        }
      >
        {code === 'offline' ? 'Check your connection, then try again.' : message}
      </EmptyState>
    </div>
  )
}

export function Notice({ tone, children }: { tone?: 'bad' | 'warn'; children: ReactNode }) {
  return (
    <div className="notice" data-tone={tone} role={tone === 'bad' ? 'alert' : undefined}>
      {tone && <Warning />}
      <div>{children}</div>
    </div>
  )
}

interface BadgeProps {
  tone?: 'good' | 'warn' | 'bad' | 'accent' | undefined
  title?: string
  children: ReactNode
}

export function Badge({ tone, title, children }: BadgeProps) {
  return (
    <span className="badge" data-tone={tone} title={title}>
      {children}
    </span>
  )
}
