/** Where a share link leads: into its room, after a password if it has one. */
import { useEffect, useState } from 'react'
import { useLocation } from 'wouter'
import { api, type RoomInfo } from '../api'
import { MeProvider, useUserId } from '../me'
import { Button } from '../ui/Button'
import { TextField } from '../ui/Field'
import { Notice, Skeleton } from '../ui/states'
import { useAttempt } from '../ui/useAttempt'
import { Entrance } from './Entrance'
import { Retry, SignInOrRegister, SignedInAs, ToRooms } from './Landing'

export default function ShareLink({ token }: { token: string }) {
  const userId = useUserId()
  const [path] = useLocation()
  if (userId !== null) {
    return (
      <MeProvider key={userId}>
        <Redeem token={token} />
      </MeProvider>
    )
  }
  return (
    <Entrance
      title="A document is shared with you"
      about="Sign in, or make an account: others in it see who is there."
      foot="The link stays good while you do."
    >
      <SignInOrRegister next={path} />
    </Entrance>
  )
}

const PASSWORD_CODES = ['password_required', 'wrong_password']

function Redeem({ token }: { token: string }) {
  const [, navigate] = useLocation()
  const [password, setPassword] = useState('')
  const { busy, error, attempt } = useAttempt()
  const redeem = () =>
    attempt(async () => {
      const room = await api.post<RoomInfo>('share-links/redeem/', { token, ...(password && { password }) })
      navigate(`/rooms/${room.id}`, { replace: true })
    })
  const [asksForPassword, setAsks] = useState(false)
  const code = error?.code
  useEffect(() => void redeem(), [])
  useEffect(() => {
    if (code) setAsks(PASSWORD_CODES.includes(code))
  }, [code])

  if (asksForPassword) {
    return (
      <Entrance title="This link has a password" about="Ask whoever gave you the link for it." foot={<SignedInAs />}>
        <form
          className="form"
          onSubmit={event => {
            event.preventDefault()
            void redeem()
          }}
        >
          <TextField
            label="Password of the link"
            type="password"
            autoComplete="off"
            required
            autoFocus
            maxLength={128}
            value={password}
            error={code === 'wrong_password' ? error?.message : undefined}
            onChange={event => setPassword(event.target.value)}
          />
          <Button look="primary" type="submit" wide busy={busy} disabled={!password}>
            Open the document
          </Button>
        </form>
      </Entrance>
    )
  }
  if (!error) {
    return (
      <Entrance title="Opening the document…" about="One moment." foot={<SignedInAs />}>
        <Skeleton height="36px" />
      </Entrance>
    )
  }
  const isGone = error.status === 404
  return (
    <Entrance
      title={isGone ? 'This link leads nowhere' : 'The link did not open'}
      about={isGone ? 'It may have expired, been used up or taken back. Ask for another one.' : 'Nothing was changed.'}
      foot={<SignedInAs />}
    >
      {!isGone && <Notice tone="bad">{error.message}</Notice>}
      <div className="form">
        {error.status === 403 || isGone ? <ToRooms /> : <Retry busy={busy} onRetry={() => void redeem()} />}
      </div>
    </Entrance>
  )
}
