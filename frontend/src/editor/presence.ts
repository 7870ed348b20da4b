/** Who is in a room, as the server says it: it stamps `user` into every state that reaches others. */
import { useSyncExternalStore } from 'react'
import type { Awareness } from 'y-protocols/awareness'
import { classOfColor } from './styles'

export interface Person {
  id: string
  name: string
  color: string
}

interface State {
  user?: Partial<Person>
}

/** The person of a state; null for one that does not say who, such as one's own. */
export function personOf(state: unknown): Person | null {
  const { id, name, color } = (state as State | null)?.user ?? {}
  if (typeof id !== 'string' || typeof name !== 'string' || !/^#[0-9a-f]{6}$/i.test(color ?? '')) return null
  return { id, name, color: color! }
}

/** Everybody else who is there, once each, in the order of their names; oneself too, from another window. */
function othersIn(awareness: Awareness): Person[] {
  const found = new Map<string, Person>()
  for (const [clientId, state] of awareness.getStates()) {
    const person = clientId === awareness.clientID ? null : personOf(state)
    if (person) found.set(person.id, person)
  }
  return [...found.values()].sort((one, two) => one.name.localeCompare(two.name))
}

const known = new WeakMap<Awareness, { key: string; people: Person[] }>()

/** The same array as long as the same people are there: cursors move often. */
function snapshot(awareness: Awareness): Person[] {
  const people = othersIn(awareness)
  const key = JSON.stringify(people)
  const last = known.get(awareness)
  if (last?.key === key) return last.people
  known.set(awareness, { key, people })
  return people
}

export function useOthers(awareness: Awareness): Person[] {
  return useSyncExternalStore(
    listener => {
      awareness.on('change', listener)
      return () => awareness.off('change', listener)
    },
    () => snapshot(awareness)
  )
}

/** A caret with the name of whose it is; `label` shows while it is new, and under the pointer. */
export function caretOf({ name, color }: Person): HTMLElement {
  const caret = document.createElement('span')
  caret.className = `caret ${classOfColor(color)}`
  const label = document.createElement('span')
  label.className = 'caret-name'
  label.textContent = name
  // Joined to both sides, the caret is no place at which a line may break.
  caret.append('\u2060', label, '\u2060')
  return caret
}
