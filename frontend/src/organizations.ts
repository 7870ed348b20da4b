/** Which organization's rooms are shown: kept for the next visit, the same in all parts of the page. */
import { useSyncExternalStore } from 'react'

const KEY = 'gatehouse.organization'
const listeners = new Set<() => void>()

/** An organization's id; null for all rooms. */
export const useChosenOrganization = () =>
  useSyncExternalStore(
    listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => localStorage.getItem(KEY)
  )

export function chooseOrganization(id: string | null): void {
  if (id === null) localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, id)
  for (const listener of listeners) listener()
}
