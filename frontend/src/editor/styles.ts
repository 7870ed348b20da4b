/**
 * Styles made by scripts, as the content security policy has them: style sheets that the document adopts.
 *
 * CodeMirror's own way is a `<style>` element, which `style-src 'self'` refuses.
 */
import { StyleModule } from 'style-mod'

const sheets = new Map<StyleModule, CSSStyleSheet>()

/** Have CodeMirror's styles adopted; later ones win, as in the list that it gives. */
export function adoptStyles(): void {
  StyleModule.mount = (_root, given) => {
    const modules = Array.isArray(given) ? given : [given]
    const wanted = modules.map(module => {
      const sheet = sheets.get(module) ?? new CSSStyleSheet()
      if (!sheets.has(module)) sheet.replaceSync(module.getRules())
      sheets.set(module, sheet)
      return sheet
    })
    document.adoptedStyleSheets = [...document.adoptedStyleSheets.filter(sheet => !wanted.includes(sheet)), ...wanted]
  }
}

const colors = new Map<string, string>()
let colorSheet: CSSStyleSheet | null = null

/** A class that sets `--person` to a colour of presence, such as `#0072ef`: for what takes classes and no styles. */
export function classOfColor(color: string): string {
  const known = colors.get(color)
  if (known !== undefined) return known
  if (colorSheet === null) {
    colorSheet = new CSSStyleSheet()
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, colorSheet]
  }
  const name = `person-${color.slice(1)}`
  colorSheet.insertRule(`.${name} { --person: ${color} }`)
  colors.set(color, name)
  return name
}
