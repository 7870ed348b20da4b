"""The gate: no byte of a client goes further before it has been walked here from end to end.

One walk checks a Yjs update (v1) and yields all that a room needs of it. An update is

    varUint number of clients, for each
        varUint number of structs, varUint client, varUint clock of the first, structs
    delete set: varUint number of clients, for each
        varUint client, varUint number of ranges, for each  varUint clock, varUint length

and a state vector is varUint number of clients, for each varUint client, varUint clock. What passes
here was never seen to crash the libraries that parse such bytes; see `structs` for the rules.
Sources: yjs `encoding.js`, `DeleteSet.js`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from collab.engine.encoding import read_var_uint
from collab.engine.errors import LimitError, MalformedError, UpdateRefusedError
from collab.engine.leaves import as_leaf
from collab.engine.slices import NO_METER, Meter, finish_in_slices
from collab.engine.structs import MAX_CLIENT_BITS, MAX_CLOCK, SKIP, SLICE, Places, finish, read_struct

#: Structs and bytes in one run at most, except that one long struct is a run of its own: so a place in
#: a long run is found without reading all of it.
MAX_RUN = 512
MAX_RUN_BYTES = 16 * 1024
#: Structs that a client of an update counts for in its limit: so much more does it cost to hold.
CLIENT_STRUCTS = 10
#: Updates up to this size are walked at once, longer ones in slices.
SHORT_BYTES = 4096


@dataclass(slots=True)
class Run:
    """`count` structs of one client that lie end to end and take the clocks from `start` to `end`.

    Of a run of one long struct, `places` are where it can be cut without reading all of it: clocks,
    and how many bytes before the end they begin.
    """

    start: int
    end: int
    count: int
    data: bytes
    places: Sequence[tuple[int, int]] = ()


@dataclass(slots=True)
class ParsedUpdate:
    """What the walk over an update found. Ranges of clocks are half-open.

    `parts` counts the structs and deleted ranges, and clients that bring none: what it costs to hold.
    """

    data: bytes
    runs: dict[int, list[Run]] = field(default_factory=dict)
    deletes: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    parts: int = 0
    is_reencodable: bool = True

    def count(self, parts: int, max_parts: int | None) -> None:
        """Count what is about to be read; refuse the update at the limit, before it costs anything."""
        self.parts += parts or 1
        if max_parts is not None and self.parts > max_parts:
            raise UpdateRefusedError(f"The update has more than {max_parts} structs.")

    def let_go(self) -> Generator[None, None, None]:
        """Free all but what `first_clocks` needs, when it is taken in; at once would take long."""
        for runs in self.runs.values():
            while len(runs) > 1:
                del runs[max(1, len(runs) - SLICE) :]
                yield
        for ranges in self.deletes.values():
            while ranges:
                del ranges[-SLICE:]
                yield

    @property
    def client_count(self) -> int:
        return len(self.runs)

    @property
    def first_clocks(self) -> dict[int, int]:
        """For each client the lowest clock it brings."""
        return {client: runs[0].start for client, runs in self.runs.items() if runs}


def parse_update(data: bytes, max_structs: int | None = None) -> ParsedUpdate:
    """Check an update and take it apart, without a pause.

    Raises:
        MalformedError: a conforming client does not send this.
        UpdateRefusedError: it has more than `max_structs` structs.
    """
    return finish(_walk_update(data, max_structs))


async def parse_update_in_slices(
    data: bytes, max_structs: int | None = None, meter: Meter = NO_METER
) -> ParsedUpdate:
    """As `parse_update`, letting the event loop go on now and then. Cancelling leaves nothing behind.

    Args:
        meter: is entered for each slice.
    """
    return await finish_in_slices(_walk_update(data, max_structs), meter)


def parse_state_vector(data: bytes, max_clients: int | None = None) -> dict[int, int]:
    """Check a state vector: client → the clock up to which its structs are known.

    Raises:
        MalformedError: a conforming client does not send this.
        LimitError: it has more than `max_clients` clients.
    """
    return finish(_walk_state_vector(data, max_clients))


async def parse_state_vector_in_slices(
    data: bytes, max_clients: int | None = None, meter: Meter = NO_METER
) -> dict[int, int]:
    """As `parse_state_vector`, letting the event loop go on now and then."""
    return await finish_in_slices(_walk_state_vector(data, max_clients), meter)


def _walk_state_vector(data: bytes, max_clients: int | None) -> Generator[None, None, dict[int, int]]:
    count, pos = read_var_uint(data, 0)
    if count * 2 > len(data) - pos:
        raise MalformedError(f"A state vector of {count} clients is longer than its message.")
    if max_clients is not None and count > max_clients:
        raise LimitError(f"A state vector may have at most {max_clients} clients.")
    clocks = {}
    for index in range(count):
        client, pos = read_var_uint(data, pos)
        clock, pos = read_var_uint(data, pos)
        if client >> MAX_CLIENT_BITS or clock > MAX_CLOCK:
            raise MalformedError("An entry of the state vector is out of range.")
        clocks[client] = clock
        if index % SLICE == SLICE - 1:
            yield
    _check_end(data, pos)
    return clocks


def _walk_update(data: bytes, max_structs: int | None) -> Generator[None, None, ParsedUpdate]:
    parsed = ParsedUpdate(data)
    count, pos = read_var_uint(data, 0)
    if count * 4 > len(data) - pos:
        raise MalformedError(f"An update of {count} clients is longer than its message.")
    _check_clients(count, max_structs)
    pause = pos + SLICE  # by bytes: one struct may hold thousands of values
    for _ in range(count):
        pos = yield from _walk_client(data, pos, parsed, max_structs)
        if pos >= pause:
            pause = pos + SLICE
            yield
    pos = yield from _walk_deletes(data, pos, parsed, max_structs)
    _check_end(data, pos)
    return parsed


def _walk_client(
    data: bytes, pos: int, parsed: ParsedUpdate, max_structs: int | None
) -> Generator[None, None, int]:
    structs, pos = read_var_uint(data, pos)
    client, pos = read_var_uint(data, pos)
    clock, pos = read_var_uint(data, pos)
    size = len(data)
    if structs > size - pos or client >> MAX_CLIENT_BITS or client in parsed.runs:
        raise MalformedError("A client of the update is out of range or stands there twice.")
    parsed.count(structs, max_structs)
    runs = parsed.runs[client] = []
    run_pos, run_clock, run_count = pos, clock, 0
    places: Places = []
    run_places: Sequence[tuple[int, int]] = ()
    pause = pos + SLICE
    kept = 0
    for _ in range(structs):
        if pos >= size:
            raise MalformedError("The update ends where a struct was announced.")
        if run_count == MAX_RUN or pos - run_pos >= MAX_RUN_BYTES or data[pos] & 31 == SKIP:
            if run_count:
                runs.append(Run(run_clock, clock, run_count, data[run_pos:pos], run_places))
                run_places = ()
            if data[pos] & 31 == SKIP:
                clock, pos = _read_skip(data, pos, clock)
                run_pos, run_clock, run_count = pos, clock, 0
                continue
            run_pos, run_clock, run_count = pos, clock, 0
        clocks, end, is_reencodable = yield from read_struct(data, pos, places)
        if end - pos >= MAX_RUN_BYTES:
            if run_count:
                runs.append(Run(run_clock, clock, run_count, data[run_pos:pos]))
                run_pos, run_clock, run_count = pos, clock, 0
            run_places = [(clock + before, end - place) for before, place in places]
        if places:
            places = []
        pos = end
        clock += clocks
        run_count += 1
        if not is_reencodable:
            parsed.is_reencodable = False
        if clock > MAX_CLOCK:
            raise MalformedError("A clock is out of range.")
        if pos >= pause:
            pause = pos + SLICE
            kept = _keep_from_collector(runs, kept)
            yield
    if run_count:
        runs.append(Run(run_clock, clock, run_count, data[run_pos:pos], run_places))
    if size > SHORT_BYTES:
        _keep_from_collector(runs, kept)
    return pos


def _keep_from_collector(runs: list[Run], kept: int) -> int:
    """Of a long update; those before the one at `kept` were. Gives how many are now."""
    if not kept:
        as_leaf(runs)
    for index in range(kept, len(runs)):
        as_leaf(runs[index])
    return len(runs)


def _read_skip(data: bytes, pos: int, clock: int) -> tuple[int, int]:
    """Read a gap: its info byte, then how many clocks are not in this update."""
    clocks, end = read_var_uint(data, pos + 1)
    if data[pos] != SKIP or clocks < 1 or clock + clocks > MAX_CLOCK:
        raise MalformedError("A gap in the update is not well-formed.")
    return clock + clocks, end


def _walk_deletes(
    data: bytes, pos: int, parsed: ParsedUpdate, max_structs: int | None
) -> Generator[None, None, int]:
    count, pos = read_var_uint(data, pos)
    if count * 2 > len(data) - pos:
        raise MalformedError(f"A delete set of {count} clients is longer than its message.")
    _check_clients(count, max_structs)
    pause = pos + SLICE
    for _ in range(count):
        client, pos = read_var_uint(data, pos)
        ranges, pos = read_var_uint(data, pos)
        if client >> MAX_CLIENT_BITS or ranges * 2 > len(data) - pos or client in parsed.deletes:
            raise MalformedError("A client of the delete set is out of range or stands there twice.")
        parsed.count(ranges, max_structs)
        deleted = parsed.deletes[client] = []
        for _ in range(ranges):
            clock, pos = read_var_uint(data, pos)
            length, pos = read_var_uint(data, pos)
            if length < 1 or clock + length > MAX_CLOCK:
                raise MalformedError("A range of the delete set is out of range.")
            deleted.append((clock, clock + length))
            if pos >= pause:
                pause = pos + SLICE
                yield
        if pos >= pause:
            pause = pos + SLICE
            yield
    return pos


def _check_clients(count: int, max_structs: int | None) -> None:
    if max_structs is not None and count * CLIENT_STRUCTS > max(max_structs, CLIENT_STRUCTS):
        raise UpdateRefusedError(f"The update has more than {max_structs // CLIENT_STRUCTS} clients.")


def _check_end(data: bytes, pos: int) -> None:
    if pos != len(data):
        raise MalformedError(f"{len(data) - pos} bytes follow the end of the update or state vector.")
