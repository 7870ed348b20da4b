import { useEffect, useState } from 'react'
import { Link, useLocation, useSearch } from 'wouter'
import { asApiError, session } from '../api'
import { useUserId } from '../me'
import { Button } from '../ui/Button'
import { TextField } from '../ui/Field'
import { Notice } from '../ui/states'
import { Entrance, nextPath } from './Entrance'

export default function SignIn() {
  const [, navigate] = useLocation()
  const search = useSearch()
  const userId = useUserId()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')

  useEffect(() => {
    if (userId !== null) navigate(nextPath(search), { replace: true })
  }, [userId, search, navigate])

  const signIn = async () => {
    setBusy(true)
    setError('')
    try {
      await session.signIn(email, password)
    } catch (caught) {
      const { status, message } = asApiError(caught)
      setError(status === 401 ? 'No account has this e-mail address and password.' : message)
      setBusy(false)
    }
  }

  return (
    <Entrance
      title="Sign in"
      about="to the rooms that you write in together"
      foot={
        <>
          New here? <Link href={`/register${search && `?${search}`}`}>Make an account</Link>
        </>
      }
    >
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          void signIn()
        }}
      >
        {error && <Notice tone="bad">{error}</Notice>}
        <TextField
          label="E-mail"
          type="email"
          name="email"
          autoComplete="username"
          required
          autoFocus
          value={email}
          onChange={event => setEmail(event.target.value)}
        />
        <TextField
          label="Password"
          type="password"
          name="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={event => setPassword(event.target.value)}
        />
        <Button look="primary" type="submit" wide busy={busy}>
          Sign in
        </Button>
      </form>
    </Entrance>
  )
}
