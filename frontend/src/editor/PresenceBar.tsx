import type { Awareness } from 'y-protocols/awareness'
import { useMe } from '../me'
import { Avatar } from '../ui/Avatar'
import { useOthers } from './presence'

const SHOWN = 4

/** The avatars of who else is there. */
export function PresenceBar({ awareness }: { awareness: Awareness }) {
  const { user } = useMe()
  const others = useOthers(awareness)
  if (others.length === 0) return null
  const shown = others.length > SHOWN + 1 ? others.slice(0, SHOWN) : others
  const rest = others.slice(shown.length)
  const nameOf = (id: string, name: string) => (id === user?.id ? `${name} (you, in another window)` : name)
  return (
    <ul className="avatars" aria-label="Here now">
      {shown.map(({ id, name, color }) => (
        <li key={id} title={nameOf(id, name)}>
          <Avatar name={name} color={color} />
          <span className="visually-hidden">{nameOf(id, name)}</span>
        </li>
      ))}
      {rest.length > 0 && (
        <li title={rest.map(({ name }) => name).join(', ')}>
          <span className="avatar" data-plain data-initials={`+${rest.length}`} aria-hidden="true" />
          <span className="visually-hidden">and {rest.length} more</span>
        </li>
      )}
    </ul>
  )
}
