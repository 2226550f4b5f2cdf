"""The drill's tables and its chart, as text."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from tests.drill.costs import Costs
from tests.drill.letters import Letters
from tests.drill.story import INNOCENT, MISTAKE, PHASES, POISON, Latency, Outcome
from tests.drill.transport import Depth
from tests.drill.without import Column

_BLOCKS = " ▁▂▃▄▅▆▇█"
_COLUMNS, _ROWS = 72, 6


def _row(what: str, figure: str, promised: str = "") -> str:
    return f"{what:<58}{figure:>16}  {promised}".rstrip()


def story(found: Outcome) -> Iterator[str]:
    """The incident's table."""
    size = found.size
    yield f"The incident: {size.runs:,} runs, a tenth with broken conditions; {size.waits:,} waits of others"
    yield ""
    yield _row("messages of the window, all of them acknowledged", f"{found.carried:,}")
    yield _row("messages delivered again, at once and in no order", f"{found.replayed:,}")
    yield _row("messages that came back because of a user's mistake", f"{found.nacks[MISTAKE]:,}", "promised: 0")
    yield _row("messages that came back for another reason", f"{found.nacks[INNOCENT]:,}")
    yield _row("steps executed", f"{found.executions:,}")
    yield _row("steps executed twice", f"{found.executed_twice:,}", "promised: 0")
    yield _row("runs whose end the replay changed", f"{len(found.changed):,}", "promised: 0")
    yield _row("runs", ", ".join(f"{count:,} {status}" for status, count in sorted(found.statuses.items())))
    yield _row("write units of the first pass", f"{found.write_units:,.0f}")
    yield _row("write units of the replay", f"{found.replay_units:,.0f}", "with those of the events sent meanwhile")
    yield _row("writes of the replay that were refused, as they must be", f"{found.refused:,}")
    yield _row("what AWS charges for those (by their size)", f"≈ {found.refused_units:,.0f}", "estimated")
    each = (found.replay_units + found.refused_units) / max(1, found.replayed)
    yield _row("write units per message delivered again", f"≈ {each:.1f}")
    yield _row("first pass, from the first event to the last ack", f"{found.first_s:.0f} s")
    yield _row("time to drain the replay", f"{found.drain_s:.0f} s", f"{found.replayed / found.drain_s:.0f} per second")
    yield _row("errors that the platform logged", f"{sum(found.errors.values()):,}", "promised: 0")
    yield ""
    yield f"{'From event to resumed step (ms)':<44}{'median':>10}{'slowest':>10}{'median without queues':>24}"
    for phase in PHASES:
        yield _latencies(phase, found.latencies[phase])


def _latencies(phase: str, found: Sequence[Latency]) -> str:
    whole = [one.whole for one in found]
    alone = statistics.median(one.whole - one.in_queues for one in found)
    what = f"  {phase} the replay, {len(found)} events"
    return f"{what:<44}{statistics.median(whole):>10,.0f}{max(whole):>10,.0f}{alone:>24,.0f}"


def reasons(found: Outcome) -> Iterator[str]:
    """What an operator sees of the runs that failed."""
    yield "Runs that failed, as GET /v1/runs?status=Failed shows them"
    yield ""
    for kind, (count, text) in sorted(found.reasons.items()):
        yield f"{count:>5}  {kind:<32}{text}"
    yield ""
    yield "One of them, as GET /v1/runs/ID/timeline shows it"
    yield ""
    yield from (f"  {line}" for line in found.timeline)


def chart(found: Outcome) -> Iterator[str]:
    """Messages in the queues over time."""
    if not found.depths or not found.marks:
        return
    began, ended = found.marks[0][0], found.depths[-1].at
    levels = _levels([depth for depth in found.depths if depth.at >= began], began, ended)
    most = max(max(levels), 1)
    yield f"Backlog: messages in both queues, over {ended - began:.0f} s"
    yield ""
    for row in range(_ROWS, 0, -1):
        cells = (round((level / most * _ROWS - row + 1) * 8) for level in levels)
        label = f"{most:,}" if row == _ROWS else ""
        yield f"{label:>8} |" + "".join(_BLOCKS[min(8, max(0, cell))] for cell in cells)
    yield " " * 8 + " +" + "-" * _COLUMNS
    line = [" "] * (_COLUMNS + 12)
    for at, name in found.marks:
        place = int((at - began) / (ended - began) * (_COLUMNS - 1))
        line[place : place + len(name) + 1] = f"^{name}"
    yield " " * 10 + "".join(line).rstrip()


def _levels(depths: Sequence[Depth], began: float, ended: float) -> list[int]:
    """The most messages in each column's span; where nothing was measured, as before."""
    levels: list[int] = []
    for column in range(_COLUMNS):
        start = began + (ended - began) * column / _COLUMNS
        end = began + (ended - began) * (column + 1) / _COLUMNS
        inside = [depth.total for depth in depths if start <= depth.at < end]
        levels.append(max(inside, default=levels[-1] if levels else 0))
    return levels


def costs(found: Costs) -> Iterator[str]:
    """Finding the runs that an event meets."""
    yield f"Matching one event against {found.waits:,} waits"
    yield ""
    yield f"{'':<32}{'reads':>10}{'CPU (ms)':>14}"
    yield f"{'with the index, measured':<32}{found.reads:>10,.0f}{found.cpu_ms:>14,.1f}"
    yield (
        f"{'a look at each, extrapolated':<32}{found.scan_reads:>10,.0f}{found.scan_cpu_ms:>14,.0f}"
        f"   from a sample of {found.sample:,}; reads of 1 MB each"
    )
    yield f"The look at each takes {found.cpu_ratio:,.0f} times as long, with compiled conditions cached."


def letters(found: Letters) -> Iterator[str]:
    """The way to the dead letters and back."""
    yield "Dead letters, as GET /v1/dead-letters shows them (3 deliveries here, 10 in AWS)"
    yield ""
    for row in sorted(found.rows, key=lambda row: (row["queue"], row["reason"])):
        reason = " ".join(str(row["reason"]).split())
        yield f"  {row['queue']:<8}{row['kind']:<12}{reason[:100]}{'…' if len(reason) > 100 else ''}"
    yield ""
    yield f"  the run says: stalled, {' '.join(str(found.stalled).split())[:100]}…"
    alarm = ", ".join(f"{queue} {count}" for queue, count in found.alarm.items())
    yield f"  visible messages, which the alarms watch (above 0; the alarm itself needs AWS): {alarm}"
    yield f"  after the damage was mended and the letter redriven: run {found.status}, {found.left} letters left"


_LINES: tuple[tuple[str, Callable[[Column], str]], ...] = (
    ("deliveries", lambda one: f"{one.deliveries:,}"),
    ("came back: a user's mistake", lambda one: f"{one.nacks[MISTAKE]:,}"),
    ("came back: poison", lambda one: f"{one.nacks[POISON]:,}"),
    ("came back: nothing wrong with it", lambda one: f"{one.nacks[INNOCENT]:,}"),
    ("steps executed twice", lambda one: f"{one.executed_twice:,}"),
    ("mistakes told on their runs", lambda one: f"{one.told} of {one.mistakes}"),
    ("runs that ended as they should", lambda one: f"{one.as_expected} of {one.runs}"),
    ("CPU per event (ms)", lambda one: f"{one.event_cpu_ms:.1f}"),
    ("dead letters", lambda one: f"{one.dead:,}"),
    ("still in the queues at the end", lambda one: f"{one.left:,}"),
    ("seconds, in all", lambda one: f"{one.took_s:.0f}" if one.came_to_rest else f"{one.took_s:.0f}, cut off"),
)


def comparison(shipped: Column, columns: dict[str, Column], waits: int, scan: Costs) -> Iterator[str]:
    """As shipped, and without each of the defences."""
    yield f"What each defence is for: {shipped.runs} runs, {waits:,} waits, 3 poisoned events, every message twice at"
    yield "once and all of them once more (poison is given up after 3 deliveries). Without:"
    yield ""
    names = ["(as shipped)", *columns]
    for words in zip(*(_lines_of(name) for name in names), strict=True):
        yield f"{'':<34}" + "".join(f"{word:>20}" for word in words)
    for what, text in _LINES:
        yield f"{what:<34}" + "".join(f"{text(one):>20}" for one in (shipped, *columns.values()))
    yield ""
    hours = scan.scan_cpu_ms * 10_000 / 3_600_000
    yield f"Without the index and with {scan.waits:,} waits, a backlog of 10,000 events would take {hours:,.1f} hours"
    yield "of CPU (extrapolated as above)."


def _lines_of(name: str) -> tuple[str, str]:
    """A heading in two lines."""
    words = name.split()
    half = (len(words) + 1) // 2
    return " ".join(words[:half]), " ".join(words[half:])
