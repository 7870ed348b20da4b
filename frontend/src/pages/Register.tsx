import { useEffect, useState } from 'react'
import { Link, useLocation, useSearch } from 'wouter'
import { api, asApiError, session, type ApiError } from '../api'
import { useUserId } from '../me'
import { Button } from '../ui/Button'
import { TextField } from '../ui/Field'
import { Notice } from '../ui/states'
import { Entrance, nextPath } from './Entrance'

/** `?invitation=<token>` of a mail proves the address; `?next=` is where to go afterwards. */
export default function Register() {
  const [, navigate] = useLocation()
  const search = useSearch()
  const userId = useUserId()
  const invitation = new URLSearchParams(search).get('invitation')
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)

  useEffect(() => {
    if (userId !== null) navigate(nextPath(search), { replace: true })
  }, [userId, search, navigate])

  const register = async () => {
    setBusy(true)
    setError(null)
    try {
      const account = { name, email, password, ...(invitation && { invitation }) }
      await api.post('auth/register/', account, { anonymous: true })
      await session.signIn(email, password)
    } catch (caught) {
      setError(asApiError(caught))
      setBusy(false)
    }
  }

  const isOfNoField = error !== null && Object.keys(error.fields).length === 0
  const other = error?.field('invitation') ?? error?.field('non_field_errors')
  return (
    <Entrance
      title="Make an account"
      about="It comes with an organization of your own."
      foot={
        <>
          You have one? <Link href={`/sign-in${search && `?${search}`}`}>Sign in</Link>
        </>
      }
    >
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          void register()
        }}
      >
        {(isOfNoField || other) && <Notice tone="bad">{other ?? error?.message}</Notice>}
        <TextField
          label="Your name"
          hint="Others see it beside your cursor."
          name="name"
          autoComplete="name"
          required
          autoFocus
          value={name}
          error={error?.field('name')}
          onChange={event => setName(event.target.value)}
        />
        <TextField
          label="E-mail"
          type="email"
          name="email"
          autoComplete="username"
          required
          value={email}
          error={error?.field('email')}
          onChange={event => setEmail(event.target.value)}
        />
        <TextField
          label="Password"
          type="password"
          name="password"
          autoComplete="new-password"
          required
          value={password}
          error={error?.field('password')}
          onChange={event => setPassword(event.target.value)}
        />
        <Button look="primary" type="submit" wide busy={busy}>
          Make the account
        </Button>
      </form>
    </Entrance>
  )
}
