/** Icons of 16 by 16, drawn with the colour of the text. They say nothing to a screen reader: label what holds them. */
import type { ReactNode } from 'react'

function icon(content: ReactNode) {
  return function Icon({ size = 16 }: { size?: number }) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
      >
        {content}
      </svg>
    )
  }
}

const paths = (...d: string[]) => icon(d.map(each => <path key={each} d={each} />))

export const Plus = paths('M8 3v10M3 8h10')
export const Check = paths('m3 8.5 3.2 3L13 4.5')
export const Close = paths('m4 4 8 8M12 4l-8 8')
export const ChevronDown = paths('m4.5 6.5 3.5 3 3.5-3')
export const ArrowLeft = paths('M13 8H3M7 4 3 8l4 4')
export const Search = icon(
  <>
    <circle cx="7" cy="7" r="4.25" />
    <path d="m10.3 10.3 3.2 3.2" />
  </>
)
export const More = icon(
  <g fill="currentColor" stroke="none">
    <circle cx="3.5" cy="8" r="1.25" />
    <circle cx="8" cy="8" r="1.25" />
    <circle cx="12.5" cy="8" r="1.25" />
  </g>
)
export const Text = paths('M4 2.5h5.5L12.5 5.5v7a1 1 0 0 1-1 1h-7a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1z', 'M6 7h4M6 9.5h4')
export const Code = paths('m5.5 5-3 3 3 3M10.5 5l3 3-3 3')
export const Box = paths('M2.5 5.2 8 2.2l5.5 3v5.6l-5.5 3-5.5-3z', 'M2.5 5.2 8 8.2l5.5-3M8 8.2v5.6')
export const Trash = paths('M2.8 4.2h10.4M6 4.2V2.8h4v1.4M4.2 4.2l.6 9h6.4l.6-9')
export const Restore = paths('M3 3v3.5h3.5', 'M3.3 6.5a5.2 5.2 0 1 1-.4 3')
export const Leave = paths('M9.5 11v1.5a1 1 0 0 1-1 1h-5a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1h5a1 1 0 0 1 1 1V5', 'M6.5 8h7M11.5 6l2 2-2 2')
export const Pencil = paths('M10.8 2.8a1.4 1.4 0 0 1 2 0l.4.4a1.4 1.4 0 0 1 0 2L5.5 12.9l-3 .6.6-3z')
export const People = icon(
  <>
    <circle cx="6" cy="5.5" r="2.5" />
    <path d="M1.5 13c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M10.5 3.3a2.5 2.5 0 0 1 0 4.4M12 9.4c1.5.5 2.5 1.8 2.5 3.6" />
  </>
)
export const Person = icon(
  <>
    <circle cx="8" cy="5.25" r="2.75" />
    <path d="M2.75 13.5c0-2.7 2.3-4.25 5.25-4.25s5.25 1.55 5.25 4.25" />
  </>
)
export const Building = paths('M3.5 13.5v-10a1 1 0 0 1 1-1h4a1 1 0 0 1 1 1v10M9.5 6.5h2a1 1 0 0 1 1 1v6M2 13.5h12M5.8 5.5h1.4M5.8 8h1.4M5.8 10.5h1.4')
export const Sun = icon(
  <>
    <circle cx="8" cy="8" r="2.75" />
    <path d="M8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.85.85M11.75 11.75l.85.85M12.6 3.4l-.85.85M4.25 11.75l-.85.85" />
  </>
)
export const Moon = paths('M13.5 9.3A5.8 5.8 0 0 1 6.7 2.5a5.8 5.8 0 1 0 6.8 6.8z')
export const Screen = paths('M2 3.5a1 1 0 0 1 1-1h10a1 1 0 0 1 1 1V10a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1zM5.5 13.5h5')
export const Lock = paths('M4 7.2h8a.8.8 0 0 1 .8.8v4.7a.8.8 0 0 1-.8.8H4a.8.8 0 0 1-.8-.8V8a.8.8 0 0 1 .8-.8z', 'M5.3 7.2V5.1a2.7 2.7 0 0 1 5.4 0v2.1')
export const Eye = icon(
  <>
    <path d="M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8z" />
    <circle cx="8" cy="8" r="2" />
  </>
)
export const Warning = paths('M8 2.2 14.3 13H1.7zM8 6.5v3M8 11.3v.1')
export const Cloud = paths('M4.5 12.5a3 3 0 0 1-.3-6 4 4 0 0 1 7.7.9 2.6 2.6 0 0 1-.4 5.1z')
export const CloudOff = paths('M4.5 12.5a3 3 0 0 1-.3-6M7 4a4 4 0 0 1 4.9 3.4 2.6 2.6 0 0 1 1.4 4.1M4.5 12.5h6.5M2 2l12 12')
export const Share = paths('M8 9.5v-7M5.2 5 8 2.2 10.8 5M4 8H3.2v5.5h9.6V8H12')
export const Plug = paths('M6 2.5v3M10 2.5v3M4 5.5h8v2a4 4 0 0 1-8 0zM8 11.5v2')
export const Bold = paths('M4.5 3h4a2.5 2.5 0 0 1 0 5h-4zM4.5 8h4.7a2.5 2.5 0 0 1 0 5H4.5z')
export const Italic = paths('M6.5 3h5M4.5 13h5M9 3 7 13')
export const Strike = paths('M2.5 8h11M11 5C10.7 3.7 9.6 3 8 3 6.3 3 5.1 3.9 5.1 5.2c0 .5.2 1 .5 1.4M5 11c.3 1.3 1.4 2 3 2 1.7 0 2.9-.9 2.9-2.3 0-.3 0-.5-.1-.7')
export const BulletList = paths('M6 4h7.5M6 8h7.5M6 12h7.5M2.8 4h.01M2.8 8h.01M2.8 12h.01')
export const OrderedList = paths('M6.5 4h7M6.5 8h7M6.5 12h7M2.2 3l1-.6V6M2.2 10.3c.8-.9 2.1-.3 1.6.6L2.2 13h1.9')
export const TaskList = paths('m2 4 1.2 1.2L5.5 3M2 11.2l1.2 1.2 2.3-2.2M8 4.2h5.5M8 11.4h5.5')
export const Quote = paths('M3 3.5v9M6 5h7.5M6 8h7.5M6 11h5')
export const CodeBlock = paths('M2.5 3.5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1z', 'm6.5 6-2 2 2 2M9.5 6l2 2-2 2')
export const Table = paths('M2.5 3.5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1zM2.5 6.3h11M2.5 9.8h11M8 6.3v7.2')
export const Link = paths('M6.8 9.2a2.7 2.7 0 0 0 3.9.1l2-2a2.7 2.7 0 0 0-3.9-3.9l-.8.8', 'M9.2 6.8a2.7 2.7 0 0 0-3.9-.1l-2 2a2.7 2.7 0 0 0 3.9 3.9l.8-.8')
export const Undo = paths('M3 6.5h6.5a3.5 3.5 0 0 1 0 7H7M5.5 4 3 6.5 5.5 9')
export const Redo = paths('M13 6.5H6.5a3.5 3.5 0 0 0 0 7H9M10.5 4 13 6.5 10.5 9')
export const Copy = paths('M6.2 5.2h6.3a1 1 0 0 1 1 1v6.3a1 1 0 0 1-1 1H6.2a1 1 0 0 1-1-1V6.2a1 1 0 0 1 1-1z', 'M2.8 10.6a.9.9 0 0 1-.3-.7V3.5a1 1 0 0 1 1-1h6.4c.3 0 .5.1.7.3')
export const Clock = icon(
  <>
    <circle cx="8" cy="8" r="5.75" />
    <path d="M8 4.8V8l2.2 1.6" />
  </>
)
export const Mail = paths('M2.5 4.5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1z', 'm2.8 4.8 5.2 4 5.2-4')
export const History = paths('M2.5 2.8v3h3', 'M2.8 5.8A5.6 5.6 0 1 1 2.4 9', 'M8 5v3.2l2 1.3')
export const Download = paths('M8 2.5v7M5.2 7 8 9.8 10.8 7M3 12.5v1h10v-1')
export const Settings = paths('M2.5 4.5h5M11 4.5h2.5M2.5 11.5h2.5M8.5 11.5h5', 'M9.2 2.9a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z', 'M6.8 9.9a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z')
export const Key = paths('M9.7 9.3a3.6 3.6 0 1 0-3-3L2.5 10.5v3h3v-1.8h1.8V9.9z', 'M11 5h.01')
export const Globe = icon(
  <>
    <circle cx="8" cy="8" r="5.75" />
    <path d="M2.3 8h11.4M8 2.2c1.7 1.6 2.5 3.6 2.5 5.8S9.7 12.2 8 13.8C6.3 12.2 5.5 10.2 5.5 8S6.3 3.8 8 2.2z" />
  </>
)
