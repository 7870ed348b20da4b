/** One's own account: the name, the password, and its end. */
import { useEffect, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { api, session, type User } from '../api'
import { useMe } from '../me'
import { Avatar } from '../ui/Avatar'
import { Button } from '../ui/Button'
import { TextField } from '../ui/Field'
import { PhraseDialog } from '../ui/PhraseDialog'
import { roleName } from '../ui/RolePicker'
import { LoadingRows, Row, Rows } from '../ui/Rows'
import { Section } from '../ui/Section'
import { useToast } from '../ui/Toast'
import { Building } from '../ui/icons'
import { ErrorState, Notice, Skeleton } from '../ui/states'
import { restOf, useAttempt } from '../ui/useAttempt'
import { Shell } from './Shell'
import '../styles/people.css'

export default function Account() {
  const { user } = useMe()
  return (
    <Shell title="Your account">
      <header className="page-head">
        <Avatar name={user?.name ?? ' '} size={48} />
        <div className="page-head-text">
          <h1>Your account</h1>
          <p className="muted break">{user ? user.email : <Skeleton width="180px" />}</p>
        </div>
      </header>
      <div className="sections">
        <Name />
        <Organizations />
        <Password />
        <Erasure />
      </div>
    </Shell>
  )
}

function Name() {
  const { user, setUser } = useMe()
  const [name, setName] = useState(user?.name ?? '')
  const { busy, error, attempt } = useAttempt()
  const toast = useToast()
  useEffect(() => setName(user?.name ?? ''), [user?.name])
  const rename = () =>
    attempt(async () => {
      setUser(await api.patch<User>('users/me/', { name }))
      toast('Others see your new name from now on.')
    })
  const rest = restOf(error, 'name')
  return (
    <Section title="Name" about="Others see it beside your cursor, in lists of members and in mails.">
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          void rename()
        }}
      >
        {rest && <Notice tone="bad">{rest}</Notice>}
        <TextField
          label="Your name"
          autoComplete="name"
          required
          maxLength={150}
          value={name}
          error={error?.field('name')}
          onChange={event => setName(event.target.value)}
        />
        <div>
          <Button look="primary" type="submit" busy={busy} disabled={!name.trim() || name.trim() === user?.name}>
            Save the name
          </Button>
        </div>
      </form>
    </Section>
  )
}

function Organizations() {
  const { organizations } = useMe()
  const { data, error, reload } = organizations
  return (
    <Section title="Organizations" about="Those you are a member of. Nobody outside of one can tell what is in it.">
      {data === null && error ? (
        <ErrorState error={error} onRetry={reload} />
      ) : data === null ? (
        <LoadingRows count={1} />
      ) : (
        <Rows label="Your organizations">
          {data.map(({ id, name, role }) => (
            <Row
              key={id}
              lead={
                <span className="tile">
                  <Building />
                </span>
              }
              name={<Link href={`/organizations/${id}`}>{name}</Link>}
              detail={`You are ${role === 'owner' || role === 'admin' ? 'an' : 'a'} ${roleName(role).toLowerCase()}`}
            />
          ))}
        </Rows>
      )}
    </Section>
  )
}

function Password() {
  const { user } = useMe()
  const [old, setOld] = useState('')
  const [fresh, setFresh] = useState('')
  const { busy, error, attempt } = useAttempt()
  const toast = useToast()
  const change = () =>
    attempt(async () => {
      await api.post('users/me/password/', { old_password: old, new_password: fresh })
      setOld('')
      setFresh('')
      toast('Your password is changed. All other devices are signed out.')
      // This one was, too.
      if (user) await session.signIn(user.email, fresh)
    })
  const rest = restOf(error, 'old_password', 'new_password')
  return (
    <Section title="Password" about="With a new password you are signed out everywhere but here, and your open rooms elsewhere close.">
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          void change()
        }}
      >
        {rest && <Notice tone="bad">{rest}</Notice>}
        <input type="email" autoComplete="username" value={user?.email ?? ''} readOnly hidden />
        <TextField
          label="Password you have now"
          type="password"
          autoComplete="current-password"
          required
          value={old}
          error={error?.field('old_password')}
          onChange={event => setOld(event.target.value)}
        />
        <TextField
          label="New password"
          type="password"
          autoComplete="new-password"
          required
          maxLength={128}
          value={fresh}
          error={error?.field('new_password')}
          onChange={event => setFresh(event.target.value)}
        />
        <div>
          <Button look="primary" type="submit" busy={busy} disabled={!old || !fresh || !user}>
            Change the password
          </Button>
        </div>
      </form>
    </Section>
  )
}

function Erasure() {
  const { user } = useMe()
  const [isAsked, setAsked] = useState(false)
  const [, navigate] = useLocation()
  const toast = useToast()
  return (
    <Section title="Delete the account" about="With everything that names you. Nobody can undo it." danger>
      <div>
        <Button disabled={!user} onClick={() => setAsked(true)}>
          Delete my account…
        </Button>
      </div>
      {isAsked && user && (
        <PhraseDialog
          title="Delete your account for good?"
          label="Your e-mail address"
          phrase={user.email}
          action="Delete my account"
          onClose={() => setAsked(false)}
          onConfirm={async () => {
            await api.delete('users/me/')
            toast('Your account is deleted.')
            navigate('/sign-in', { replace: true })
            await session.signOut()
          }}
        >
          <ul>
            <li>You lose access to all rooms, here and on your other devices.</li>
            <li>Organizations in which you are alone are deleted, with all their rooms.</li>
            <li>What you wrote in rooms of others stays there.</li>
          </ul>
        </PhraseDialog>
      )}
    </Section>
  )
}
