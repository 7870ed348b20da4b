import { Skeleton } from '../ui/states'

/** In the size of what comes. */
export function LoadingEditor() {
  return (
    <div className="room-loading" aria-busy="true">
      <span className="visually-hidden">The room is being opened.</span>
      <div className="toolbar-place" />
      <div className="room-loading-page" aria-hidden="true">
        <Skeleton width="46%" height="32px" />
        <Skeleton width="96%" />
        <Skeleton width="88%" />
        <Skeleton width="62%" />
      </div>
    </div>
  )
}
