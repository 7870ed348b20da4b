/** The REST API, typed: what stands in `/api/schema/`, as far as the page uses it. */
import { OfflineError, RefusedError, Session } from './collab'

export type OrganizationRole = 'owner' | 'admin' | 'member' | 'guest'
export type RoomRole = 'owner' | 'editor' | 'viewer'
export type SharedRole = 'editor' | 'viewer'

export interface User {
  id: string
  email: string
  name: string
}

export interface Organization {
  id: string
  name: string
  role: OrganizationRole
  created_at: string
}

export interface Abilities {
  read: boolean
  write: boolean
  share: boolean
  manage: boolean
  delete: boolean
}

export interface RoomInfo {
  id: string
  organization: string
  name: string
  kind: string
  organization_role: SharedRole | null
  created_at: string
  trashed_at: string | null
  role: RoomRole | null
  abilities: Abilities
}

export interface Group {
  id: string
  name: string
  created_at: string
}

export interface RoomMember {
  id: string
  user: User | null
  group: Group | null
  email: string | null
  role: RoomRole
  created_at: string
}

export interface AccessRequest {
  id: string
  user: User
  role: SharedRole
  message: string
  status: 'pending' | 'accepted' | 'declined'
  created_at: string
}

/** A membership of `user`, or an invitation of `email`. */
export interface OrganizationMember {
  id: string
  user: User | null
  email: string | null
  role: OrganizationRole
  created_at: string
}

export interface GroupMember {
  id: string
  user: User | null
  email: string | null
  created_at: string
}

export interface ShareLink {
  id: string
  role: SharedRole
  has_password: boolean
  expires_at: string | null
  max_uses: number | null
  uses: number
  wrong_passwords: number
  created_by: string | null
  created_at: string
}

/** An open socket. */
export interface Connection {
  id: string
  user: User
  role: RoomRole
  since: string
  protocol: string
}

export interface AuditEntry {
  id: string
  number: number
  created_at: string
  action: string
  /** None for the server; once erased, an id and nothing else. */
  actor: { id: string; email: string | null; name: string | null } | null
  room: { id: string; name: string } | null
  subject_id: string | null
  subject_name: string | null
  details: Record<string, string | number | boolean | null>
  address: string | null
  user_agent: string
}

export interface Page<T> {
  results: T[]
  next: string | null
  previous: string | null
}

/** What the server answered that was no success; `offline` if it did not answer. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly fields: Record<string, string[]> = {}
  ) {
    super(detail)
  }

  /** What went wrong with one field of a form. */
  field(name: string): string | undefined {
    return this.fields[name]?.join(' ')
  }
}

/** Every error as one that can be shown. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof RefusedError) return new ApiError(error.status, error.code, error.message)
  if (error instanceof OfflineError) return new ApiError(0, 'offline', 'The server does not answer. Are you online?')
  if (error instanceof Error && error.name === 'AbortError') return new ApiError(0, 'aborted', 'Cancelled.')
  return new ApiError(0, 'error', error instanceof Error ? error.message : String(error))
}

export const session = new Session()

interface RequestOptions {
  body?: unknown
  signal?: AbortSignal
  /** Without a token: for registering and the like. */
  anonymous?: boolean
}

async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const answer = await answerTo(method, path, options)
  return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T)
}

async function answerTo(method: string, path: string, options: RequestOptions): Promise<Response> {
  const token = options.anonymous ? undefined : await session.getToken()
  let answer = await send(method, path, options, token)
  if (answer.status === 401 && token !== undefined) {
    answer = await send(method, path, options, await session.getToken(token))
  }
  if (answer.ok) return answer
  const content: unknown = await answer.json().catch(() => null)
  const { code, detail, fields } = (content ?? {}) as { code?: string; detail?: string; fields?: Record<string, string[]> }
  throw new ApiError(answer.status, code ?? 'error', detail ?? `The server answered ${answer.status}.`, fields)
}

async function send(method: string, path: string, options: RequestOptions, token?: string): Promise<Response> {
  const headers = new Headers()
  if (token !== undefined) headers.set('Authorization', `Bearer ${token}`)
  if (options.body !== undefined) headers.set('Content-Type', 'application/json')
  try {
    return await fetch(addressOf(path), {
      method,
      headers,
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
      ...(options.signal && { signal: options.signal })
    })
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error
    throw new OfflineError()
  }
}

/** `path` is below `/api/v1/`, or the whole address that a list gives for its next page. */
function addressOf(path: string): string {
  if (!/^https?:/.test(path)) return `/api/v1/${path}`
  const { pathname, search } = new URL(path)
  return pathname + search
}

export const api = {
  get: <T>(path: string, options?: RequestOptions) => request<T>('GET', path, options),
  post: <T = void>(path: string, body: unknown = {}, options?: RequestOptions) =>
    request<T>('POST', path, { ...options, body }),
  patch: <T = void>(path: string, body: unknown) => request<T>('PATCH', path, { body }),
  delete: (path: string) => request<void>('DELETE', path),

  /** What is no JSON, such as an audit trail as CSV. */
  file: async (path: string): Promise<Blob> => (await answerTo('GET', path, {})).blob(),

  /** All of a list that is short by nature, such as the organizations of one person. */
  async all<T>(path: string, options?: RequestOptions): Promise<T[]> {
    const found: T[] = []
    for (let next: string | null = path; next !== null; ) {
      const page: Page<T> = await request<Page<T>>('GET', next, options)
      found.push(...page.results)
      next = page.next
    }
    return found
  }
}
