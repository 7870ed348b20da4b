import { useEffect, useRef, useState } from 'react'
import { api, asApiError, type RoomInfo } from '../../api'
import { useToast } from '../../ui/Toast'

/** The name of the room; whoever manages it changes it in place. */
export function RoomTitle({ room, onRenamed }: { room: RoomInfo; onRenamed: (room: RoomInfo) => void }) {
  const [name, setName] = useState(room.name)
  const isCancelled = useRef(false)
  const toast = useToast()
  useEffect(() => setName(room.name), [room.name])

  const rename = async () => {
    const wanted = name.trim()
    if (isCancelled.current || !wanted || wanted === room.name) {
      isCancelled.current = false
      setName(room.name)
      return
    }
    try {
      onRenamed(await api.patch<RoomInfo>(`rooms/${room.id}/`, { name: wanted }))
    } catch (error) {
      setName(room.name)
      toast(asApiError(error).message)
    }
  }

  if (!room.abilities.manage) return <h1 className="room-title truncate">{room.name}</h1>
  return (
    <>
      <h1 className="visually-hidden">{room.name}</h1>
      <input
        className="room-title"
        aria-label="Name of the room"
        title="Rename"
        value={name}
        maxLength={200}
        spellCheck={false}
        onChange={event => setName(event.target.value)}
        onBlur={() => void rename()}
        onKeyDown={event => {
          if (event.key !== 'Enter' && event.key !== 'Escape') return
          isCancelled.current = event.key === 'Escape'
          event.currentTarget.blur()
        }}
      />
    </>
  )
}
