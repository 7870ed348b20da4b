/** What the pages have in common that a mail or a link leads to, whoever is signed in. */
import type { ReactNode } from 'react'
import { session } from '../api'
import { useMe } from '../me'
import { Button, ButtonLink } from '../ui/Button'

/** Sign in or make an account, and come back to `next`. */
export function SignInOrRegister({ next, invitation }: { next: string; invitation?: string }) {
  const query = new URLSearchParams({ next, ...(invitation && { invitation }) })
  return (
    <div className="form">
      <ButtonLink look="primary" wide href={`/sign-in?${query}`}>
        Sign in
      </ButtonLink>
      <ButtonLink wide href={`/register?${query}`}>
        Make an account
      </ButtonLink>
    </div>
  )
}

/** Who is signed in, and how to be somebody else. */
export function SignedInAs({ children }: { children?: ReactNode }) {
  const { user } = useMe()
  return (
    <>
      {user ? `You are signed in as ${user.email}.` : ' '}{' '}
      {children ?? (
        <button type="button" className="link" onClick={() => void session.signOut()}>
          Use another account
        </button>
      )}
    </>
  )
}

/** To one's rooms, when the way in led nowhere. */
export const ToRooms = () => (
  <ButtonLink wide href="/">
    To your rooms
  </ButtonLink>
)

export const Retry = ({ onRetry, busy }: { onRetry: () => void; busy: boolean }) => (
  <Button look="primary" wide busy={busy} onClick={onRetry}>
    Try again
  </Button>
)
