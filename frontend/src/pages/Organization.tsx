/** An organization: its members, groups and invitations, what was done in it, and its settings. */
import { useEffect } from 'react'
import { useSearch } from 'wouter'
import { api, type Group, type Organization as OrganizationInfo, type OrganizationMember } from '../api'
import { useMe } from '../me'
import { chooseOrganization } from '../organizations'
import { ButtonLink } from '../ui/Button'
import { roleName } from '../ui/RolePicker'
import { NavTabs, type Tab } from '../ui/Tabs'
import { Building } from '../ui/icons'
import { usePages, useResource } from '../ui/resources'
import { Badge, EmptyState, ErrorState, Skeleton } from '../ui/states'
import { AuditTrail } from './AuditTrail'
import { Shell } from './Shell'
import { Groups } from './organization/Groups'
import { Invitations } from './organization/Invitations'
import { Members } from './organization/Members'
import { Settings } from './organization/Settings'
import { mayManage } from './organization/rights'
import '../styles/people.css'

type View = 'members' | 'groups' | 'invitations' | 'audit' | 'settings'

/** Where each part is: `?view=groups`. */
const hrefOf = (id: string, view: View) => `/organizations/${id}${view === 'members' ? '' : `?view=${view}`}`

export default function Organization({ id }: { id: string }) {
  const { organizations } = useMe()
  const organization = useResource(`organization ${id}`, signal => api.get<OrganizationInfo>(`organizations/${id}/`, { signal }))
  const { data, error, reload } = organization
  useEffect(() => {
    if (data) chooseOrganization(data.id)
  }, [data?.id])

  if (error?.status === 404) {
    return (
      <Shell title="Organization">
        <EmptyState icon={<Building size={22} />} title="You are in no such organization" level={1} actions={<ButtonLink href="/">To your rooms</ButtonLink>}>
          It may not exist, or you may have been taken out of it.
        </EmptyState>
      </Shell>
    )
  }
  if (error && !data) {
    return (
      <Shell title="Organization">
        <ErrorState error={error} onRetry={reload} />
      </Shell>
    )
  }
  return (
    <Shell title={data?.name ?? 'Organization'}>
      <header className="page-head">
        <h1 className="break">{data ? data.name : <Skeleton width="220px" height="30px" />}</h1>
        {data && <Badge tone={mayManage(data.role) ? 'accent' : undefined}>{roleName(data.role)}</Badge>}
      </header>
      {data && (
        <Parts
          organization={data}
          onChanged={changed => {
            organization.set(changed)
            organizations.update(all => all.map(each => (each.id === changed.id ? changed : each)))
          }}
          onOwnChange={() => {
            reload()
            organizations.reload()
          }}
        />
      )}
    </Shell>
  )
}

interface PartsProps {
  organization: OrganizationInfo
  onChanged: (organization: OrganizationInfo) => void
  onOwnChange: () => void
}

function Parts({ organization, onChanged, onOwnChange }: PartsProps) {
  const { id, role } = organization
  const isGuest = role === 'guest'
  const members = usePages<OrganizationMember>(`organizations/${id}/members/?page_size=200`)
  const invited = members.items?.filter(({ user }) => user === null).length
  const wanted = new URLSearchParams(useSearch()).get('view')
  const tabs: Tab<View>[] = [
    { id: 'members', name: 'Members' },
    ...(isGuest ? [] : [{ id: 'groups', name: 'Groups' } as const]),
    ...(isGuest ? [] : [{ id: 'invitations', name: 'Invitations', count: invited } as const]),
    ...(mayManage(role) ? [{ id: 'audit', name: 'Audit trail' } as const, { id: 'settings', name: 'Settings' } as const] : [])
  ]
  const view = tabs.find(tab => tab.id === wanted)?.id ?? 'members'
  return (
    <>
      <NavTabs label="Organization" tabs={tabs} current={view} hrefOf={each => hrefOf(id, each)} />
      <div className="page-part">
        {view === 'members' && <Members organization={organization} members={members} onOwnChange={onOwnChange} />}
        {view === 'groups' && <Groups organization={organization} members={members.items ?? []} />}
        {view === 'invitations' && <Invitations organization={organization} members={members} />}
        {view === 'audit' && <Trail id={id} />}
        {view === 'settings' && <Settings organization={organization} onChanged={onChanged} />}
      </div>
    </>
  )
}

function Trail({ id }: { id: string }) {
  const path = `organizations/${id}`
  const groups = useResource(`${path}/groups`, signal => api.all<Group>(`${path}/groups/?page_size=200`, { signal }))
  return <AuditTrail path={`${path}/audit`} groups={groups.data ?? []} />
}
