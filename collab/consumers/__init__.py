"""The WebSocket consumers: scope → access → join; bytes in, bytes out.

YjsConsumer         the contract of ypy-websocket's consumer: any room name, no database, no permission
RoomConsumer        the product's: a stored room, and access decided before anything else
HocuspocusConsumer  the same rooms and access, many on one socket
"""

from collab.consumers.hocuspocus import HocuspocusConsumer
from collab.consumers.room import RoomConsumer
from collab.consumers.yjs import WrappedMessage, YjsConsumer, send_doc_update
from collab.relay import send_stateless

__all__ = [
    "HocuspocusConsumer",
    "RoomConsumer",
    "WrappedMessage",
    "YjsConsumer",
    "send_doc_update",
    "send_stateless",
]
