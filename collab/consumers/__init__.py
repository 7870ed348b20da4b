"""The WebSocket consumers: scope → access → join; bytes in, bytes out.

YjsConsumer     the contract of ypy-websocket's consumer: any room name, no database, no permission
RoomConsumer    the product's: a stored room, and access decided before anything else
"""

from collab.consumers.room import RoomConsumer
from collab.consumers.yjs import WrappedMessage, YjsConsumer, send_doc_update

__all__ = ["RoomConsumer", "WrappedMessage", "YjsConsumer", "send_doc_update"]
