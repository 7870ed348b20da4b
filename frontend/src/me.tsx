/** Who is signed in, and the organizations they are in. */
import { createContext, useContext, useMemo, useSyncExternalStore, type ReactNode } from 'react'
import { api, session, type Organization, type User } from './api'
import { useResource, type Resource } from './ui/resources'

export interface Me {
  user: User | null
  /** Show another name at once: what `PATCH users/me/` was answered with. */
  setUser: (user: User) => void
  organizations: Resource<Organization[]>
}

const MeContext = createContext<Me | null>(null)

/** The id of who is signed in, here or in another tab. */
export const useUserId = () =>
  useSyncExternalStore(
    listener => session.onChange(listener),
    () => session.userId
  )

export function MeProvider({ children }: { children: ReactNode }) {
  const user = useResource('me', signal => api.get<User>('users/me/', { signal }))
  const organizations = useResource('organizations', signal => api.all<Organization>('organizations/', { signal }))
  const me = useMemo(
    () => ({ user: user.data, setUser: user.set, organizations }),
    [user.data, user.set, organizations.data, organizations.error, organizations.isLoading]
  )
  return <MeContext.Provider value={me}>{children}</MeContext.Provider>
}

export function useMe(): Me {
  const me = useContext(MeContext)
  if (me === null) throw new Error('useMe() is for pages of those who are signed in.')
  return me
}
