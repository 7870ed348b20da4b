import { Select } from './Field'

const NAMES: Record<string, string> = {
  owner: 'Owner',
  admin: 'Admin',
  member: 'Member',
  guest: 'Guest',
  editor: 'Can edit',
  viewer: 'Can view'
}

/** A role as the page says it. */
export const roleName = (role: string) => NAMES[role] ?? role

interface RolePickerProps<R extends string> {
  roles: readonly R[]
  value: R
  /** Whose role it is, for the screen reader. */
  label: string
  quiet?: boolean
  disabled?: boolean
  onChange: (role: R) => void
}

export function RolePicker<R extends string>({ roles, value, label, quiet, disabled, onChange }: RolePickerProps<R>) {
  return (
    <Select aria-label={label} value={value} quiet={quiet ?? false} disabled={disabled} onChange={event => onChange(event.target.value as R)}>
      {roles.map(role => (
        <option key={role} value={role}>
          {roleName(role)}
        </option>
      ))}
    </Select>
  )
}
