/** Where the mail of an invitation leads: its token proves that one reads mail to the invited address. */
import { useEffect } from 'react'
import { useLocation, useSearch } from 'wouter'
import { api } from '../api'
import { MeProvider, useUserId } from '../me'
import { chooseOrganization } from '../organizations'
import { Button } from '../ui/Button'
import { useToast } from '../ui/Toast'
import { Notice } from '../ui/states'
import { useAttempt } from '../ui/useAttempt'
import { Entrance } from './Entrance'
import { SignInOrRegister, SignedInAs, ToRooms } from './Landing'

/** `?room=<id>` or `?organization=<id>` is what it leads to; `accept`: it was said yes to, before signing in. */
export default function Invitation({ token }: { token: string }) {
  const userId = useUserId()
  const [path] = useLocation()
  const query = new URLSearchParams(useSearch())
  const what = query.has('organization') ? 'an organization' : 'a document'
  if (userId !== null) {
    return (
      <MeProvider key={userId}>
        <Accept token={token} what={what} room={query.get('room')} organization={query.get('organization')} isAgreed={query.has('accept')} />
      </MeProvider>
    )
  }
  query.set('accept', '1')
  return (
    <Entrance
      title="You are invited"
      about={`Somebody invites you to ${what}. Sign in, or make an account with the address that the mail went to.`}
      foot="The invitation is good for 14 days."
    >
      <SignInOrRegister next={`${path}?${query}`} invitation={token} />
    </Entrance>
  )
}

interface AcceptProps {
  token: string
  what: string
  room: string | null
  organization: string | null
  isAgreed: boolean
}

function Accept({ token, what, room, organization, isAgreed }: AcceptProps) {
  const { busy, error, attempt } = useAttempt()
  const [, navigate] = useLocation()
  const toast = useToast()
  const accept = () =>
    attempt(async () => {
      await api.post('invitations/accept/', { token })
      if (organization) {
        chooseOrganization(organization)
        toast('You are a member now. These are its rooms.')
      }
      navigate(room ? `/rooms/${room}` : '/', { replace: true })
    })
  useEffect(() => {
    if (isAgreed) void accept()
  }, [])
  return (
    <Entrance
      title={error ? 'This did not work' : 'You are invited'}
      about={error ? 'An invitation is for the address that its mail went to, and for 14 days.' : `Somebody invites you to ${what}.`}
      foot={<SignedInAs />}
    >
      {error && <Notice tone="bad">{error.field('token') ?? error.message}</Notice>}
      <div className="form">
        {error?.field('token') ? (
          <ToRooms />
        ) : (
          <Button look="primary" wide busy={busy} onClick={() => void accept()}>
            {error ? 'Try again' : 'Accept the invitation'}
          </Button>
        )}
      </div>
    </Entrance>
  )
}
