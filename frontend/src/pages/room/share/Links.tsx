/** Share links: each lets in whoever has it. */
import { useRef, useState } from 'react'
import { api, type ShareLink } from '../../../api'
import { ago, fullTime } from '../../../time'
import { Button, IconButton } from '../../../ui/Button'
import { CopyField } from '../../../ui/CopyField'
import { ConfirmDialog } from '../../../ui/Dialog'
import { roleName } from '../../../ui/RolePicker'
import { Paged, Row, Rows } from '../../../ui/Rows'
import { Link as LinkIcon, Pencil, Plus, Trash } from '../../../ui/icons'
import { usePages } from '../../../ui/resources'
import { Badge, EmptyState } from '../../../ui/states'
import { LinkForm, type CreatedShareLink } from './LinkForm'

/** From this many on a link lets in nobody new, until it gets another password. */
const TOO_MANY_WRONG_PASSWORDS = 100

export function Links({ roomId }: { roomId: string }) {
  const path = `rooms/${roomId}/share-links/`
  const links = usePages<ShareLink>(path)
  const [form, setForm] = useState<'new' | ShareLink | null>(null)
  const [made, setMade] = useState<CreatedShareLink | null>(null)
  const [deleted, setDeleted] = useState<ShareLink | null>(null)
  const top = useRef<HTMLDivElement>(null)

  if (form) {
    return (
      <LinkForm
        path={path}
        link={form === 'new' ? null : form}
        onCancel={() => setForm(null)}
        onCreated={link => {
          links.update(items => [link, ...items])
          setMade(link)
          setForm(null)
        }}
        onChanged={link => {
          links.update(items => items.map(each => (each.id === link.id ? link : each)))
          setForm(null)
        }}
      />
    )
  }
  const newLink = (
    <Button icon={<Plus />} onClick={() => setForm('new')}>
      New link
    </Button>
  )
  return (
    <div className="stack focus-target" ref={top} tabIndex={-1}>
      {made && (
        <div className="made-link" role="status">
          <p>
            <strong>The link is ready. Copy it now:</strong> it is shown this once.
          </p>
          <CopyField label="The new link" value={made.url} />
        </div>
      )}
      <Paged
        pages={links}
        count={2}
        empty={
          <EmptyState icon={<LinkIcon size={22} />} title="No links" actions={newLink}>
            Whoever has a link comes in with it: for those whom you can’t name, in mails, slides or a chat.
          </EmptyState>
        }
      >
        {items => (
          <>
            <Rows label="Share links">
              {items.map(link => (
                <LinkRow key={link.id} link={link} isNew={link.id === made?.id} onEdit={() => setForm(link)} onDelete={() => setDeleted(link)} />
              ))}
            </Rows>
            <div>{newLink}</div>
          </>
        )}
      </Paged>
      {deleted && (
        <ConfirmDialog
          title="Delete this link?"
          action="Delete the link"
          danger
          onClose={() => setDeleted(null)}
          onConfirm={async () => {
            await api.delete(`${path}${deleted.id}/`)
            links.update(items => items.filter(({ id }) => id !== deleted.id))
            if (made?.id === deleted.id) setMade(null)
            top.current?.focus()
          }}
        >
          {deleted.uses === 0
            ? 'Nobody has used it yet.'
            : `It let in ${people(deleted.uses)}. Who has access by it alone loses it at once.`}
        </ConfirmDialog>
      )}
    </div>
  )
}

interface LinkRowProps {
  link: ShareLink
  isNew: boolean
  onEdit: () => void
  onDelete: () => void
}

function LinkRow({ link, isNew, onEdit, onDelete }: LinkRowProps) {
  const { role, has_password, expires_at, max_uses, uses, wrong_passwords, created_at } = link
  const isOver = expires_at !== null && Date.parse(expires_at) <= Date.now()
  const isUsedUp = max_uses !== null && uses >= max_uses
  const name = `${roleName(role)}, made ${ago(created_at)}`
  return (
    <Row
      lead={
        <span className="tile" data-tone={isOver ? undefined : 'accent'}>
          <LinkIcon />
        </span>
      }
      name={roleName(role)}
      badge={
        <>
          {isNew && <Badge tone="good">New</Badge>}
          {isOver && <Badge tone="bad">Expired</Badge>}
          {!isOver && isUsedUp && <Badge tone="warn">Used up</Badge>}
          {wrong_passwords >= TOO_MANY_WRONG_PASSWORDS && <Badge tone="bad">Locked</Badge>}
        </>
      }
      detail={
        <span className="dotted">
          <span>{max_uses === null ? `${people(uses)} let in` : `${uses} of ${people(max_uses)} let in`}</span>
          {has_password && <span>password</span>}
          {wrong_passwords > 0 && <span>{wrong_passwords} wrong {wrong_passwords === 1 ? 'password' : 'passwords'}</span>}
          {expires_at && (
            <time dateTime={expires_at} title={fullTime(expires_at)}>
              {isOver ? 'expired' : 'expires'} {ago(expires_at)}
            </time>
          )}
          <time dateTime={created_at} title={fullTime(created_at)}>
            made {ago(created_at)}
          </time>
        </span>
      }
    >
      <IconButton label={`Change the link: ${name}`} icon={<Pencil />} onClick={onEdit} />
      <IconButton label={`Delete the link: ${name}`} icon={<Trash />} onClick={onDelete} />
    </Row>
  )
}

const people = (count: number) => (count === 1 ? '1 person' : `${count} people`)
