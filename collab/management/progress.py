"""How far a command is: a bar on a terminal, else a line now and then."""

from __future__ import annotations

from django.core.management.base import OutputWrapper

#: Where there is no terminal, a line tells of so many.
LINE_EVERY = 1_000
_BAR_WIDTH = 40
_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """Give it stderr, so that it mixes with no result; `clear()` it before anything else is printed."""

    def __init__(self, out: OutputWrapper, total: int, noun: str) -> None:
        self._out = out
        self._total = total
        self._noun = noun
        self._done = 0

    def advance(self, count: int = 1) -> None:
        before, self._done = self._done, self._done + count
        if self._out.isatty():
            self._draw()
        elif self._done // LINE_EVERY > before // LINE_EVERY:
            self._write(f"{self._done} of {self._total} {self._noun}", "\n")

    def clear(self) -> None:
        if self._out.isatty():
            self._write(_CLEAR_LINE)

    def _draw(self) -> None:
        share = min(self._done / max(self._total, 1), 1.0)
        bar = "█" * round(share * _BAR_WIDTH)
        self._write(
            f"{_CLEAR_LINE}{bar:░<{_BAR_WIDTH}} {share:4.0%}  {self._done} of {self._total} {self._noun}"
        )

    def _write(self, text: str, ending: str = "") -> None:
        self._out.write(text, style_func=str, ending=ending)
        self._out.flush()
