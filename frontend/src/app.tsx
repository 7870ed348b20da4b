/** The routes: each page is a chunk of its own, loaded when it is first opened. */
import { Component, type ComponentType, type ReactNode } from 'react'
import { Route, Switch, useLocation, useSearch } from 'wouter'
import { MeProvider, useUserId } from './me'
import { lazily } from './ui/lazily'
import { ToastProvider } from './ui/Toast'
import { EmptyState } from './ui/states'
import { Button, ButtonLink } from './ui/Button'
import { Search, Warning } from './ui/icons'

const SignIn = lazily(() => import('./pages/SignIn'))
const Register = lazily(() => import('./pages/Register'))
const Rooms = lazily(() => import('./pages/Rooms'))
const Room = lazily(() => import('./pages/room/Room'))
const Organization = lazily(() => import('./pages/Organization'))
const Invitation = lazily(() => import('./pages/Invitation'))
const ShareLink = lazily(() => import('./pages/ShareLink'))
const Account = lazily(() => import('./pages/Account'))

/** Begin to fetch the page of an address, before anything is drawn. */
export function preloadPage(path: string): void {
  if (path.startsWith('/rooms/')) Room.load()
  else if (path === '/') Rooms.load()
  else if (path.startsWith('/organizations/')) Organization.load()
  else if (path === '/account') Account.load()
}

export function App() {
  return (
    <ToastProvider>
      <Guard>
        <Switch>
          <Route path="/sign-in" component={SignIn} />
          <Route path="/register" component={Register} />
          <Route path="/">{signedIn(Rooms)}</Route>
          <Route path="/rooms/:id">{({ id }) => signedIn(Room, { id })}</Route>
          <Route path="/organizations/:id">{({ id }) => signedIn(Organization, { id })}</Route>
          <Route path="/invitations/:token">{({ token }) => <Invitation token={token} />}</Route>
          <Route path="/links/:token">{({ token }) => <ShareLink token={token} />}</Route>
          <Route path="/account">{signedIn(Account)}</Route>
          <Route component={NotFound} />
        </Switch>
      </Guard>
    </ToastProvider>
  )
}

/** The page for whoever is signed in; everybody else signs in first and comes back. */
function signedIn<P extends object>(page: ComponentType<P>, props?: P): ReactNode {
  return <SignedIn page={page as ComponentType} {...(props ?? {})} />
}

function SignedIn({ page: Page, ...props }: { page: ComponentType }) {
  const userId = useUserId()
  const [path, navigate] = useLocation()
  const search = useSearch()
  if (userId === null) {
    const next = path + (search && `?${search}`)
    queueMicrotask(() => navigate(next === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`, { replace: true }))
    return null
  }
  // Another user in the same browser is another page: nothing of the one before stays on it.
  return (
    <MeProvider key={userId}>
      <Page {...props} />
    </MeProvider>
  )
}

function NotFound() {
  return (
    <main>
      <EmptyState icon={<Search size={22} />} title="There is nothing here" level={1} actions={<ButtonLink href="/">To your rooms</ButtonLink>}>
        The address leads to no page of Gatehouse.
      </EmptyState>
    </main>
  )
}

/** A page that could not be loaded or drawn: after an update of the server its chunks have other names. */
class Guard extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false }

  static getDerivedStateFromError() {
    return { failed: true }
  }

  override render() {
    if (!this.state.failed) return this.props.children
    return (
      <main>
        <EmptyState
          icon={<Warning size={22} />}
          tone="bad"
          title="This page did not load"
          level={1}
          actions={<Button onClick={() => location.reload()}>Load it again</Button>}
        >
          The server may have been updated meanwhile, or the connection was lost.
        </EmptyState>
      </main>
    )
  }
}
