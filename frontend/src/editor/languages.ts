/** The languages of the code editor, each fetched when it is first used. */
import type { Extension } from '@codemirror/state'

interface Language {
  id: string
  name: string
  load: () => Promise<Extension>
}

export const LANGUAGES: Language[] = [
  { id: 'text', name: 'Plain text', load: async () => [] },
  { id: 'css', name: 'CSS', load: async () => (await import('@codemirror/lang-css')).css() },
  { id: 'html', name: 'HTML', load: async () => (await import('@codemirror/lang-html')).html() },
  { id: 'javascript', name: 'JavaScript', load: async () => (await import('@codemirror/lang-javascript')).javascript({ jsx: true }) },
  { id: 'typescript', name: 'TypeScript', load: async () => (await import('@codemirror/lang-javascript')).javascript({ jsx: true, typescript: true }) },
  { id: 'json', name: 'JSON', load: async () => (await import('@codemirror/lang-json')).json() },
  { id: 'markdown', name: 'Markdown', load: async () => (await import('@codemirror/lang-markdown')).markdown() },
  { id: 'python', name: 'Python', load: async () => (await import('@codemirror/lang-python')).python() },
  { id: 'sql', name: 'SQL', load: async () => (await import('@codemirror/lang-sql')).sql() }
]

/** Nothing where it can't be fetched: code without colours is still code. */
export const languageOf = (id: string): Promise<Extension> =>
  (LANGUAGES.find(each => each.id === id)?.load() ?? Promise.resolve([])).catch(() => [])
