/** Lists of people and things: something to see in front, a name, what there is to know, and what to do. */
import { useEffect, useRef, type ReactNode } from 'react'
import { Button } from './Button'
import { ErrorState, Notice, Skeleton } from './states'
import type { Pages } from './resources'

interface RowsProps {
  label: string
  busy?: boolean
  children: ReactNode
}

export const Rows = ({ label, busy, children }: RowsProps) => (
  <ul className="rows" aria-label={label} aria-busy={busy || undefined}>
    {children}
  </ul>
)

interface RowProps {
  lead: ReactNode
  name: ReactNode
  detail?: ReactNode
  /** Beside the name. */
  badge?: ReactNode
  /** At the end: what it is, and what to do with it. */
  children?: ReactNode
  /** Why what was tried with it failed. */
  error?: string | undefined
  busy?: boolean
  /** Below all of it. */
  more?: ReactNode
}

export function Row({ lead, name, detail, badge, children, error, busy, more }: RowProps) {
  const notice = useRef<HTMLDivElement>(null)
  useEffect(() => void notice.current?.scrollIntoView({ block: 'nearest' }), [error])
  return (
    <li className="row" aria-busy={busy || undefined}>
      <span className="row-lead">{lead}</span>
      <div className="row-about">
        <p className="row-name">
          <span className="truncate" title={typeof name === 'string' ? name : undefined}>
            {name}
          </span>
          {badge}
        </p>
        {detail && <div className="row-detail">{detail}</div>}
      </div>
      {children && <div className="row-actions">{children}</div>}
      {more && <div className="row-more">{more}</div>}
      {error && (
        <div className="row-more" ref={notice}>
          <Notice tone="bad">{error}</Notice>
        </div>
      )}
    </li>
  )
}

/** Rows that are on their way. */
export function LoadingRows({ count = 4 }: { count?: number }) {
  return (
    <ul className="rows" aria-busy="true" aria-label="Loading">
      {Array.from({ length: count }, (_, place) => (
        <li className="row" key={place}>
          <span className="row-lead">
            <Skeleton width="32px" height="32px" />
          </span>
          <div className="row-about">
            <p className="row-name">
              <Skeleton width={`${34 - 5 * (place % 3)}%`} height="12px" />
            </p>
            <div className="row-detail">
              <Skeleton width={`${48 - 7 * (place % 3)}%`} height="11px" />
            </div>
          </div>
        </li>
      ))}
    </ul>
  )
}

interface PagedProps<T> {
  pages: Pages<T>
  empty: ReactNode
  /** How many rows to reserve room for. */
  count?: number
  children: (items: T[]) => ReactNode
}

/** A list of the API in each of its states; more of it at the press of a button. */
export function Paged<T>({ pages, empty, count, children }: PagedProps<T>) {
  const { items, error, hasMore, isLoadingMore, loadMore, reload } = pages
  if (items === null) return error ? <ErrorState error={error} onRetry={reload} /> : <LoadingRows {...(count && { count })} />
  return (
    <>
      {items.length === 0 && !hasMore ? empty : children(items)}
      {error && <ErrorState error={error} onRetry={hasMore ? loadMore : reload} />}
      {hasMore && !error && (
        <div className="rows-more">
          <Button busy={isLoadingMore} onClick={loadMore}>
            Load more
          </Button>
        </div>
      )}
    </>
  )
}
