"""The picture: a panel for each comparison, a bar for each server, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

from benchmarks.report import values_of
from benchmarks.run import Measurement
from benchmarks.scenarios.base import Scenario
from benchmarks.servers.catalogue import COMPARED
from benchmarks.servers.gatehouse import Gatehouse

WIDTH, MARGIN, GAP = 920, 28, 36
PANEL_WIDTH = (WIDTH - 2 * MARGIN - GAP) // 2
LABEL_WIDTH, VALUE_WIDTH = 150, 76
BAR_WIDTH = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH
ROW, BAR, HEAD, TITLE, BELOW = 22, 13, 62, 44, 26
#: A bar that would be so many times as long as the second shortest one (or Gatehouse's) is cut.
CUT_AT = 6.0
OWN, OTHER, INK, FAINT, PAPER = "#0f766e", "#c3cad5", "#1c2430", "#687385", "#ffffff"
UNFINISHED = "†"
HEADING = "Gatehouse and its peers under the same loads"
UNEQUAL = "Gatehouse signs in, authorizes, and commits every update to a database; no peer does all of that."


@dataclass(frozen=True, slots=True)
class Panel:
    """One number of one scenario."""

    scenario: str
    key: str
    unit: str
    decimals: int = 1
    is_more_better: bool = False


PANELS = (
    Panel("fan-out-50", "cpu_us", "CPU, µs a delivery"),
    Panel("fan-out-200", "cpu_us", "CPU, µs a delivery"),
    Panel("many-rooms", "cpu_us", "CPU, µs an update", 0),
    Panel("awareness", "cpu_us", "CPU, µs a delivery"),
    Panel("saturation", "deliveries_per_s", "deliveries/s, more is better", 0, is_more_better=True),
    Panel("join-storm", "level_s", "s until all are level", 2),
    Panel("opening", "cpu_us", "CPU, µs a connection", 0),
    Panel("memory", "connection_kib", "KiB an idle connection"),
)


def draw(scenarios: Iterable[Scenario], measurements: Sequence[Measurement]) -> str:
    """The SVG; panels for which nothing was measured are left out."""
    titles = {scenario.name: scenario.title for scenario in scenarios}
    panels = [panel for panel in PANELS if any(_bars(panel, measurements))]
    parts = [
        _text(MARGIN, MARGIN + 14, HEADING, size=18, weight=600),
        _text(MARGIN, MARGIN + 34, UNEQUAL, size=12, fill=FAINT),
    ]
    tops = [MARGIN + HEAD, MARGIN + HEAD]
    for number, panel in enumerate(panels):
        side = number % 2
        left = MARGIN + side * (PANEL_WIDTH + GAP)
        bars = list(_bars(panel, measurements))
        parts += _panel(panel, titles[panel.scenario], bars, left, tops[side])
        tops[side] += TITLE + ROW * len(bars) + BELOW
    height = max(tops) + MARGIN
    note = f"{UNFINISHED} did not do all of the work: see the table. Bars with an open end are cut."
    parts.append(_text(MARGIN, height - MARGIN + 4, note, size=11, fill=FAINT))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="system-ui, -apple-system, Segoe UI, sans-serif">'
        f"<title>{HEADING}</title>"
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="{PAPER}"/>' + "".join(parts) + "</svg>\n"
    )


@dataclass(frozen=True, slots=True)
class _Bar:
    server: str
    label: str
    value: float | None
    is_unfinished: bool


def _bars(panel: Panel, measurements: Iterable[Measurement]) -> Iterator[_Bar]:
    own = [each for each in measurements if each.scenario == panel.scenario]
    for server in COMPARED:
        runs = [each for each in own if each.server == server.name]
        if runs:
            values = values_of(runs, server.name, panel.key)
            problems = [problem for run in runs for problem in run.outcome.problems]
            unfinished = any("the load" not in problem for problem in problems)
            label = server.title.replace(" on Channels", "")
            yield _Bar(server.name, label, median(values) if values else None, unfinished)


def _panel(panel: Panel, title: str, bars: Sequence[_Bar], left: int, top: int) -> Iterator[str]:
    yield _text(left, top + 12, title, size=13, weight=600)
    yield _text(left, top + 29, panel.unit, size=11, fill=FAINT)
    longest = _scale([bar.value for bar in bars if bar.value is not None], is_cut=not panel.is_more_better)
    for number, bar in enumerate(bars):
        y = top + TITLE + ROW * number
        is_own = bar.server == Gatehouse.name
        weight, color = (600, OWN) if is_own else (400, OTHER)
        yield _text(left + LABEL_WIDTH - 8, y + 10, bar.label, size=11, weight=weight, anchor="end")
        mark = UNFINISHED if bar.is_unfinished else ""
        start = left + LABEL_WIDTH
        if bar.value is None:
            yield _text(start, y + 10, f"– {mark}", size=11, fill=FAINT)
            continue
        length = max(1.5, BAR_WIDTH * min(1.0, bar.value / longest))
        yield f'<rect x="{start}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{color}"/>'
        if bar.value > longest:
            yield _open_end(start + length, y)
        shown = f"{bar.value:,.{panel.decimals}f} {mark}"
        yield _text(start + length + 6, y + 10.5, shown, size=11, weight=weight)


def _scale(values: Sequence[float], *, is_cut: bool) -> float:
    """The value of a bar of full length."""
    ordered = sorted(values)
    if not ordered:
        return 1.0
    if not is_cut:
        return ordered[-1]
    return max(min(ordered[-1], CUT_AT * ordered[min(1, len(ordered) - 1)]), 1e-9)


def _open_end(x: float, y: float) -> str:
    points = f"{x - 9:.1f},{y + BAR} {x - 5:.1f},{y} {x - 2:.1f},{y} {x - 6:.1f},{y + BAR}"
    return f'<polygon points="{points}" fill="{PAPER}"/>'


def _text(
    x: float, y: float, text: str, *, size: int, weight: int = 400, fill: str = INK, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{escape(text.strip())}</text>'
    )
