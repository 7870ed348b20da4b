/** Times as people say them. */
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60]
]
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const whole = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' })

/** “3 hours ago”. */
export function ago(time: string): string {
  const seconds = (Date.parse(time) - Date.now()) / 1000
  const [unit, length] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? ['minute', 0]
  return length ? relative.format(Math.round(seconds / length), unit) : 'just now'
}

export const fullTime = (time: string) => whole.format(new Date(time))
