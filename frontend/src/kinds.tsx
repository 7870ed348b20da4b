/** What a room may hold: `Room.kind`, and which editor opens it. */
import type { ReactNode } from 'react'
import { Box, Code, Text } from './ui/icons'

export const RICH_TEXT = 'rich-text'
export const CODE = 'code'

export interface Kind {
  id: string
  name: string
  about: string
  icon: ReactNode
}

export const KINDS: Kind[] = [
  { id: RICH_TEXT, name: 'Rich text', about: 'Headings, lists, tasks, tables', icon: <Text /> },
  { id: CODE, name: 'Code', about: 'Source text with highlighting', icon: <Code /> }
]

/** Rooms that say nothing are rich text; a word of another application is shown as it is. */
export function kindOf(kind: string): Kind {
  const known = KINDS.find(({ id }) => id === (kind || RICH_TEXT))
  return known ?? { id: kind, name: kind, about: '', icon: <Box /> }
}
