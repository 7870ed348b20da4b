/** Loading what a page shows, and keeping what it shows while more comes. */
import { useCallback, useEffect, useRef, useState } from 'react'
import { api, asApiError, type ApiError, type Page } from '../api'

export interface Resource<T> {
  data: T | null
  error: ApiError | null
  /** True from the start, and while it is loaded anew. */
  isLoading: boolean
  reload: () => void
  /** Show something else without asking: what a change was answered with. */
  set: (data: T) => void
  /** The same, made of what is shown by then; nothing happens before there is something. */
  update: (change: (data: T) => T) => void
}

/** Load once, and again when `key` changes; what came for an older key is dropped. */
export function useResource<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const [state, setState] = useState<{ key: string; data: T | null; error: ApiError | null; isLoading: boolean }>({
    key,
    data: null,
    error: null,
    isLoading: true
  })
  const [attempt, setAttempt] = useState(0)
  const latest = useRef(load)
  latest.current = load

  useEffect(() => {
    const control = new AbortController()
    setState(old => ({ key, data: old.key === key ? old.data : null, error: null, isLoading: true }))
    latest.current(control.signal).then(
      data => {
        if (!control.signal.aborted) setState({ key, data, error: null, isLoading: false })
      },
      (error: unknown) => {
        if (!control.signal.aborted) setState(old => ({ ...old, error: asApiError(error), isLoading: false }))
      }
    )
    return () => control.abort()
  }, [key, attempt])

  const reload = useCallback(() => setAttempt(count => count + 1), [])
  const set = useCallback((data: T) => setState(old => ({ ...old, data, error: null })), [])
  const update = useCallback(
    (change: (data: T) => T) => setState(old => (old.data === null ? old : { ...old, data: change(old.data) })),
    []
  )
  const shown = state.key === key ? state : { data: null, error: null, isLoading: true }
  return { data: shown.data, error: shown.error, isLoading: shown.isLoading, reload, set, update }
}

export interface Pages<T> {
  items: T[] | null
  error: ApiError | null
  isLoading: boolean
  hasMore: boolean
  isLoadingMore: boolean
  loadMore: () => void
  reload: () => void
  update: (change: (items: T[]) => T[]) => void
}

/** A list of the API, page after page. `path` is its first page. */
export function usePages<T>(path: string): Pages<T> {
  const first = useResource(path, signal => api.get<Page<T>>(path, { signal }))
  const [isLoadingMore, setLoadingMore] = useState(false)
  const [moreError, setMoreError] = useState<ApiError | null>(null)
  const { data, update } = first
  const current = useRef(path)
  current.current = path

  const loadMore = useCallback(async () => {
    if (!data?.next) return
    setLoadingMore(true)
    setMoreError(null)
    try {
      const page = await api.get<Page<T>>(data.next)
      if (current.current === path) update(old => ({ ...page, results: [...old.results, ...page.results] }))
    } catch (error) {
      setMoreError(asApiError(error))
    } finally {
      setLoadingMore(false)
    }
  }, [data, path, update])

  return {
    items: data?.results ?? null,
    error: first.error ?? moreError,
    isLoading: first.isLoading,
    hasMore: Boolean(data?.next),
    isLoadingMore,
    loadMore: () => void loadMore(),
    reload: first.reload,
    update: useCallback(change => update(old => ({ ...old, results: change(old.results) })), [update])
  }
}
