/** Entries of the audit trail as sentences. */
import type { ReactNode } from 'react'
import type { AuditEntry, Group } from './api'
import { roleName } from './ui/RolePicker'

interface Told {
  entry: AuditEntry
  /** The room, as the sentence names it. */
  room: ReactNode
  /** The person, group or link that it was done to. */
  subject: ReactNode
  role: string
  /** The group that somebody was put into, or taken out of. */
  group: ReactNode
  details: AuditEntry['details']
}

const strong = (text: string) => <strong>{text}</strong>
const quoted = (name: string) => strong(`“${name}”`)
const counted = (count: unknown, one: string, many: string) => `${String(count)} ${count === 1 ? one : many}`
const role = (name: unknown) => (typeof name === 'string' ? roleName(name).toLowerCase() : 'no access')

/** What stands behind the name of who did it, for each action that the API lists. */
const SENTENCES: Record<string, { name: string; tell: (told: Told) => ReactNode }> = {
  'session.begun': { name: 'Signed in', tell: ({ details }) => (details['operator'] ? 'signed in to the admin site' : 'signed in') },
  'session.refused': { name: 'Sign-in refused', tell: ({ subject }) => <>tried to sign in as {subject} with a wrong password</> },
  'session.ended': {
    name: 'Signed out',
    tell: ({ details, subject }) => {
      if (details['reason'] === 'refresh_token_reused') return <>ended a sign-in of {subject}: its token was used twice</>
      return details['operator'] ? <>signed {subject} out</> : 'signed out'
    }
  },
  'ticket.reused': { name: 'Ticket used twice', tell: ({ subject }) => <>used a ticket of {subject} a second time</> },
  'user.password_changed': {
    name: 'Password changed',
    tell: ({ details, subject }) => (details['operator'] ? <>set the password of {subject}</> : 'changed their password')
  },
  'user.deactivated': { name: 'Account deactivated', tell: ({ subject }) => <>deactivated the account of {subject}</> },
  'user.activated': { name: 'Account activated', tell: ({ subject }) => <>activated the account of {subject} again</> },
  'user.erased': { name: 'Account erased', tell: () => 'erased their account' },
  'organization.created': { name: 'Organization made', tell: () => 'made the organization' },
  'organization.changed': { name: 'Organization renamed', tell: () => 'renamed the organization' },
  'organization.deleted': { name: 'Organization deleted', tell: () => 'deleted the organization' },
  'organization.member.added': {
    name: 'Member added',
    tell: ({ entry, subject, role }) =>
      entry.subject_id ? <>added {subject} to the organization ({role})</> : <>invited somebody to the organization ({role})</>
  },
  'organization.member.changed': {
    name: 'Member’s role changed',
    tell: ({ entry, subject, role: given, details }) => (
      <>
        changed {entry.subject_id ? subject : 'somebody who is invited'} from {role(details['previous_role'])} to {given}
      </>
    )
  },
  'organization.member.removed': {
    name: 'Member removed',
    tell: ({ entry, subject }) =>
      entry.subject_id ? <>removed {subject} from the organization</> : 'withdrew an invitation to the organization'
  },
  'invitation.taken_up': {
    name: 'Invitation taken up',
    tell: ({ entry, room, role }) => (
      <>
        took up an invitation to {entry.room ? room : 'the organization'} ({role})
      </>
    )
  },
  'group.created': { name: 'Group made', tell: ({ subject }) => <>made the group {subject}</> },
  'group.changed': { name: 'Group renamed', tell: ({ subject }) => <>renamed the group {subject}</> },
  'group.deleted': {
    name: 'Group deleted',
    tell: ({ details }) => `deleted a group of ${counted(details['members'], 'member', 'members')}`
  },
  'group.member.added': {
    name: 'Added to a group',
    tell: ({ entry, subject, group }) => (
      <>
        added {entry.subject_id ? subject : 'somebody who is invited'} to {group}
      </>
    )
  },
  'group.member.removed': {
    name: 'Taken out of a group',
    tell: ({ entry, subject, group }) => (
      <>
        took {entry.subject_id ? subject : 'somebody who is invited'} out of {group}
      </>
    )
  },
  'room.created': {
    name: 'Room made',
    tell: ({ room, subject, details }) =>
      details['imported'] ? (
        <>
          imported {room} for {subject}
        </>
      ) : (
        <>made {room}</>
      )
  },
  'room.changed': { name: 'Room changed', tell: tellRoomChange },
  'room.trashed': { name: 'Room put in the trash', tell: ({ room }) => <>put {room} in the trash</> },
  'room.restored': { name: 'Room restored', tell: ({ room }) => <>took {room} out of the trash</> },
  'room.transferred': {
    name: 'Room handed over',
    tell: ({ room, subject }) => (
      <>
        handed {room} over to {subject}
      </>
    )
  },
  'room.member.added': {
    name: 'Access given',
    tell: ({ entry, room, subject, role }) => (
      <>
        {entry.subject_id ? 'shared' : 'invited somebody to'} {room} {entry.subject_id && <>with {subject} </>}({role})
      </>
    )
  },
  'room.member.changed': {
    name: 'Access changed',
    tell: ({ entry, room, subject, role: given, details }) => (
      <>
        changed {entry.subject_id ? subject : 'an invitation'} in {room} from “{role(details['previous_role'])}” to “{given}”
      </>
    )
  },
  'room.member.removed': {
    name: 'Access taken away',
    tell: ({ entry, room, subject }) => {
      if (entry.subject_id === null) return <>withdrew an invitation to {room}</>
      if (entry.subject_id === entry.actor?.id) return <>left {room}</>
      return (
        <>
          took the access to {room} from {subject}
        </>
      )
    }
  },
  'share_link.created': {
    name: 'Link made',
    tell: ({ room, role, details }) => (
      <>
        made a link to {room} ({[role, details['has_password'] && 'with a password', details['max_uses'] && `for ${counted(details['max_uses'], 'person', 'people')}`].filter(Boolean).join(', ')})
      </>
    )
  },
  'share_link.changed': { name: 'Link changed', tell: ({ room, role }) => <>changed a link to {room} ({role})</> },
  'share_link.deleted': {
    name: 'Link deleted',
    tell: ({ room, details }) => (
      <>
        deleted a link to {room} that had let in {counted(details['uses'] ?? 0, 'person', 'people')}
      </>
    )
  },
  'share_link.redeemed': { name: 'Link used', tell: ({ room, role }) => <>came into {room} by a link ({role})</> },
  'access_request.made': { name: 'Access asked for', tell: ({ room, role }) => <>asked for access to {room} ({role})</> },
  'access_request.accepted': {
    name: 'Access granted on request',
    tell: ({ room, subject, role }) => (
      <>
        let {subject} into {room}, as asked ({role})
      </>
    )
  },
  'access_request.declined': {
    name: 'Access declined',
    tell: ({ room, subject }) => (
      <>
        declined to let {subject} into {room}
      </>
    )
  },
  'connection.kicked': {
    name: 'Disconnected',
    tell: ({ room, subject }) => (
      <>
        disconnected {subject} from {room}
      </>
    )
  },
  'write.denied': { name: 'Write denied', tell: ({ room }) => <>tried to change {room} without the right to</> }
}

function tellRoomChange({ room, details }: Told): ReactNode {
  const fields = String(details['fields'] ?? '').split(', ')
  if (fields.includes('document')) return <>imported more into {room}</>
  const parts = [
    fields.includes('name') && <>renamed {room}</>,
    fields.includes('kind') && <>changed what {room} holds</>,
    fields.includes('organization_role') && (
      <>
        set what everyone in the organization may do in {room}: {role(details['organization_role'])}
      </>
    )
  ].filter(Boolean)
  return parts.length === 0 ? <>changed {room}</> : parts.map((part, place) => <span key={place}>{place > 0 && ', and '}{part}</span>)
}

/** What can be looked for. */
export const ACTIONS = Object.entries(SENTENCES).map(([action, { name }]) => ({ action, name }))

/** Those that happen in rooms. */
export const ROOM_ACTIONS = ACTIONS.filter(({ action }) =>
  /^(room|share_link|access_request|connection|write|invitation|ticket)\./.test(action)
)

/** Who did it; the server, or nobody knows who. */
export function actorOf({ actor, action, details }: AuditEntry): string {
  if (actor) return actor.name ?? 'An erased account'
  return action === 'session.refused' || action === 'ticket.reused' ? 'Somebody' : details['operator'] ? 'An operator' : 'The server'
}

interface SentenceProps {
  entry: AuditEntry
  /** The trail is that of one room, which need not be named. */
  isOfRoom: boolean
  groups: Group[]
}

export function Sentence({ entry, isOfRoom, groups }: SentenceProps) {
  const { action, room, subject_id, subject_name, actor, details } = entry
  const group = groups.find(({ id }) => id === details['group'])
  const isSelf = subject_id !== null && subject_id === actor?.id
  const told: Told = {
    entry,
    room: isOfRoom ? 'the room' : room ? quoted(room.name) : 'a room',
    subject: strong(isSelf ? 'themselves' : (subject_name ?? 'somebody')),
    role: role(details['role']),
    group: group ? quoted(group.name) : 'a group',
    details
  }
  return (
    <>
      {strong(actorOf(entry))} {SENTENCES[action]?.tell(told) ?? action}
    </>
  )
}
