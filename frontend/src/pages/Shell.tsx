/** What is around every page: the header with the organization and the account, and the main part. */
import { useEffect, useState, type ReactNode } from 'react'
import { Link, useLocation } from 'wouter'
import { api, asApiError, session, type Organization } from '../api'
import { useMe } from '../me'
import { chooseOrganization, useChosenOrganization } from '../organizations'
import { setTheme, useTheme, type Theme } from '../theme'
import { Avatar } from '../ui/Avatar'
import { Button } from '../ui/Button'
import { Dialog } from '../ui/Dialog'
import { TextField } from '../ui/Field'
import { Menu, MenuChoice, MenuHeading, MenuItem, MenuLink, MenuSeparator } from '../ui/Menu'
import { Building, ChevronDown, Leave, Moon, Person, Plus, Screen, Sun } from '../ui/icons'

interface ShellProps {
  /** Of the tab of the browser. */
  title: string
  /** In the header, in place of the organization. */
  context?: ReactNode
  /** In the header, before the account. */
  actions?: ReactNode
  /** No margins and no greatest width: an editor. */
  full?: boolean
  children: ReactNode
}

export function Shell({ title, context, actions, full, children }: ShellProps) {
  useEffect(() => {
    document.title = title === 'Gatehouse' ? title : `${title} · Gatehouse`
  }, [title])
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <header className="header">
        <Link href="/" className="header-logo" aria-label="Gatehouse: your rooms">
          <img src="/assets/gatehouse.svg" width="28" height="28" alt="" />
        </Link>
        <div className="header-context">{context ?? <OrganizationMenu />}</div>
        <div className="header-actions">{actions}</div>
        <AccountMenu />
      </header>
      <main id="main" tabIndex={-1} className={full ? 'main main-full' : 'main'}>
        {children}
      </main>
    </div>
  )
}

function OrganizationMenu() {
  const { organizations } = useMe()
  const chosen = useChosenOrganization()
  const [path, navigate] = useLocation()
  const [isNew, setNew] = useState(false)
  const all = organizations.data ?? []
  const current = all.find(({ id }) => id === chosen)
  const choose = (id: string | null) => {
    chooseOrganization(id)
    if (path !== '/') navigate('/')
  }
  return (
    <>
      <Menu
        label="Organization"
        align="start"
        trigger={props => (
          <Button {...props} look="quiet">
            <span className="truncate">{current?.name ?? 'All rooms'}</span>
            <ChevronDown />
          </Button>
        )}
      >
        <MenuHeading>Show rooms of</MenuHeading>
        <MenuChoice checked={!current} onSelect={() => choose(null)}>
          All organizations
        </MenuChoice>
        {all.map(({ id, name }) => (
          <MenuChoice key={id} checked={id === chosen} onSelect={() => choose(id)}>
            <span className="truncate">{name}</span>
          </MenuChoice>
        ))}
        <MenuSeparator />
        {current && (
          <MenuLink icon={<Building />} href={`/organizations/${current.id}`}>
            Members and settings
          </MenuLink>
        )}
        <MenuItem icon={<Plus />} onSelect={() => setNew(true)}>
          New organization
        </MenuItem>
      </Menu>
      {isNew && (
        <NewOrganization
          onClose={() => setNew(false)}
          onCreated={made => {
            organizations.set([...all, made])
            choose(made.id)
          }}
        />
      )}
    </>
  )
}

function NewOrganization({ onClose, onCreated }: { onClose: () => void; onCreated: (made: Organization) => void }) {
  const [name, setName] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const create = async () => {
    setBusy(true)
    try {
      onCreated(await api.post<Organization>('organizations/', { name }))
      onClose()
    } catch (caught) {
      const failure = asApiError(caught)
      setError(failure.field('name') ?? failure.message)
      setBusy(false)
    }
  }
  return (
    <Dialog title="New organization" onClose={onClose}>
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          void create()
        }}
      >
        <TextField
          label="Name"
          hint="A space of its own: nobody outside can tell what is in it."
          value={name}
          error={error}
          maxLength={200}
          required
          onChange={event => setName(event.target.value)}
        />
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" busy={busy} disabled={!name.trim()}>
            Create
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

const THEMES: [Theme, string, ReactNode][] = [
  ['system', 'Like the system', <Screen />],
  ['light', 'Light', <Sun />],
  ['dark', 'Dark', <Moon />]
]

function AccountMenu() {
  const { user } = useMe()
  const [, navigate] = useLocation()
  const theme = useTheme()
  return (
    <Menu
      label="Account"
      trigger={props => (
        <button {...props} type="button" className="header-account" title={user?.name} aria-label="Account">
          <Avatar name={user?.name ?? ' '} size={30} />
        </button>
      )}
    >
      <div className="menu-account" role="presentation">
        <strong className="truncate">{user?.name}</strong>
        <span className="truncate muted">{user?.email}</span>
      </div>
      <MenuSeparator />
      <MenuHeading>Theme</MenuHeading>
      {THEMES.map(([value, name, icon]) => (
        <MenuChoice key={value} icon={icon} checked={theme === value} onSelect={() => setTheme(value)}>
          {name}
        </MenuChoice>
      ))}
      <MenuSeparator />
      <MenuLink icon={<Person />} href="/account">
        Your account
      </MenuLink>
      <MenuItem
        icon={<Leave />}
        onSelect={() => {
          navigate('/sign-in')
          void session.signOut()
        }}
      >
        Sign out
      </MenuItem>
    </Menu>
  )
}
