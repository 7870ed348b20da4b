import './styles/tokens.css'
import './styles/base.css'
import './styles/ui.css'
import './styles/shell.css'
import { createRoot } from 'react-dom/client'
import { session } from './api'
import { App, preloadPage } from './app'

// Both take a while: they are asked for at once, and not when the first page is drawn.
if (session.userId !== null) {
  preloadPage(location.pathname)
  session.getToken().catch(() => {})
}
createRoot(document.getElementById('root')!).render(<App />)
