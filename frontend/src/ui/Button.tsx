import type { ButtonHTMLAttributes, ReactNode } from 'react'
import { Link } from 'wouter'

interface Look {
  look?: 'primary' | 'quiet' | 'danger'
  size?: 'small'
  wide?: boolean
}

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement>, Look {
  icon?: ReactNode
  /** Shows that it is at work, and takes no further press. */
  busy?: boolean
}

export function Button({ look, size, wide, icon, busy, disabled, children, type = 'button', ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className="button"
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      data-look={look}
      data-size={size}
      data-wide={wide || undefined}
    >
      {busy ? <span className="spinner" aria-hidden="true" /> : icon}
      {children}
    </button>
  )
}

interface IconButtonProps extends Omit<ButtonProps, 'children' | 'icon'> {
  label: string
  icon: ReactNode
}

/** A button that shows an icon only; `label` is its name, and its tooltip. */
export function IconButton({ label, icon, look = 'quiet', size, type = 'button', busy, wide: _, ...rest }: IconButtonProps) {
  return (
    <button
      title={label}
      {...rest}
      type={type}
      className="button"
      aria-label={label}
      disabled={rest.disabled || busy}
      data-look={look}
      data-size={size}
      data-icon
    >
      {busy ? <span className="spinner" aria-hidden="true" /> : icon}
    </button>
  )
}

/** A link that looks like a button. */
export function ButtonLink({ href, look, size, wide, icon, children }: Look & { href: string; icon?: ReactNode; children: ReactNode }) {
  return (
    <Link href={href} className="button" data-look={look} data-size={size} data-wide={wide || undefined}>
      {icon}
      {children}
    </Link>
  )
}
