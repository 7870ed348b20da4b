/** What each role may do in an organization: the server decides, and the page does not offer the rest. */
import type { OrganizationMember, OrganizationRole } from '../../api'

export const ROLES: readonly OrganizationRole[] = ['guest', 'member', 'admin', 'owner']

export const mayManage = (role: OrganizationRole) => role === 'owner' || role === 'admin'

/** The roles that somebody of this role can give. */
export const rolesToGive = (role: OrganizationRole) => (role === 'owner' ? ROLES : ROLES.filter(each => each !== 'owner'))

/** Owners are in the hands of owners. */
export const mayChange = (role: OrganizationRole, member: OrganizationMember) =>
  role === 'owner' || (role === 'admin' && member.role !== 'owner')
