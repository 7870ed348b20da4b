import type { CSSProperties } from 'react'

interface AvatarProps {
  name: string
  /** As the server stamps it into presence; without it the avatar is grey. */
  color?: string | undefined
  size?: number
}

/** Initials in a circle. */
export function Avatar({ name, color, size }: AvatarProps) {
  const style = { '--avatar': color, '--avatar-size': size && `${size}px` } as CSSProperties
  return (
    <span
      className="avatar"
      style={style}
      data-plain={color ? undefined : true}
      data-initials={initialsOf(name)}
      aria-hidden="true"
    />
  )
}

function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/)
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words
  return chosen.map(word => [...(word ?? '')][0] ?? '').join('').toUpperCase() || '?'
}
