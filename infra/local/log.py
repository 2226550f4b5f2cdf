"""One compact line per log record: time, what happened, then the fields that say to whom."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

DIM, RED, GREEN, YELLOW, BLUE, CYAN, BOLD, PLAIN = "2", "31", "32", "33", "34", "36", "1", ""
KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
NOISE = frozenset({"level", "location", "timestamp", "service", "cold_start", "xray_trace_id", "sampling_rate"}) | {
    *("function_memory_size", "function_arn", "function_request_id", "function_name"),
    *("exception", "exception_name", "stack_trace", "message"),
}
"""What Powertools adds to every line and nobody needs at a terminal."""
WIDTH = 18
"""Characters that what happened is padded to, so that the fields stand in a column."""

# The first of these words found in a message gives its colour.
COLOURS = (
    (("fail", "invalid", "refused", "lost", "stalled"), RED),
    (("cancel", "timed out", "timeout", "retry", "warn"), YELLOW),
    (("complete", "ended", "finished"), GREEN),
    (("wait", "sleep"), BLUE),
    (("resume", "received", "created", "started"), CYAN),
)


def colours_wanted(stream: TextIO, env: Mapping[str, str] = os.environ) -> bool:
    """Colours go to a terminal only, and not where NO_COLOR is set (https://no-color.org)."""
    return not env.get("NO_COLOR") and env.get("TERM") != "dumb" and stream.isatty()


class DevFormatter(logging.Formatter):
    """Renders the engine's records. ``inner`` formatted for the handler we replace; its JSON is read."""

    def __init__(self, *, colour: bool, inner: logging.Formatter | None = None) -> None:
        super().__init__()
        self._colour = colour
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The record in one line, a traceback below it where there is one."""
        fields = self._fields(record)
        message = str(fields.pop("message"))
        style = _colour_of(record, f"{message} {fields.get('status', '')}")
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        parts = [self._paint(f"{clock}.{int(record.msecs):03d}", DIM)]
        parts.append(self._paint(f"{message:<{WIDTH}}", style))
        parts.extend(self._render(fields))
        line = "  ".join(part for part in parts if part).rstrip()
        if record.exc_info and record.exc_info[0] is not None:
            line += "\n" + self._paint(self.formatException(record.exc_info), DIM)
        return line

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What the record carries besides logging's own attributes."""
        fields: dict[str, Any] = {"message": record.getMessage()}
        if self._inner is not None:
            fields |= _json_object(self._inner.format(record), without=NOISE)
        fields |= {name: value for name, value in vars(record).items() if name not in KNOWN}
        return {name: value for name, value in fields.items() if value is not None and value != ""}

    def _render(self, fields: dict[str, Any]) -> list[str]:
        """The fields in the order a reader asks for them."""
        run, event = fields.pop("run_id", None), fields.pop("event_id", None)
        took = fields.pop("took_ms", fields.pop("duration_ms", fields.pop("ms", None)))
        due, wait = fields.pop("in_ms", None), fields.pop("for", None)
        error = fields.pop("error", None)
        if fields.get("attempt") == 0:
            del fields["attempt"]
        parts = [
            self._paint(str(fields.pop(name)), style)
            for name, style in (("event_name", BOLD), ("step", BOLD), ("function_id", PLAIN))
            if name in fields
        ]
        parts.extend(f"{name}={_short(value)}" for name, value in fields.items())
        if took is not None:
            parts.append(_duration(took))
        if wait is not None:
            parts.append(f"for {wait}")
        if due is not None:
            parts.append(f"in {_duration(due)}")
        if run is not None:
            parts.append(self._paint(f"run {run}", DIM))
        if event is not None:
            parts.append(self._paint(f"event {event if run is None else '…' + str(event)[-6:]}", DIM))
        if error is not None:
            parts.append(self._paint(_short(error, 300), RED))
        return parts

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour and style and text else text


def _colour_of(record: logging.LogRecord, message: str) -> str:
    if record.levelno >= logging.ERROR:
        return RED
    if record.levelno >= logging.WARNING:
        return YELLOW
    lowered = message.lower()
    return next((style for words, style in COLOURS if any(word in lowered for word in words)), PLAIN)


def _json_object(text: str, without: frozenset[str]) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {k: v for k, v in found.items() if k not in without} if isinstance(found, dict) else {}


def _short(value: object, most: int = 120) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _duration(ms: object) -> str:
    if not isinstance(ms, (int, float)):
        return f"{ms} ms"
    if ms < 1000:
        return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"
    seconds = ms / 1000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2f} s"


def install(stream: TextIO | None = None) -> None:
    """Send the loggers "stepwell" and below, and the root logger, through our handler. Repeatable.

    A handler that writes JSON (Powertools) is replaced by ours, which reads its fields; keys appended to it
    stay.
    """
    stream = stream or sys.stdout
    colour = colours_wanted(stream)
    loggers = [logging.getLogger(), logging.getLogger("stepwell")]
    loggers += [
        found
        for name, found in list(logging.root.manager.loggerDict.items())
        if isinstance(found, logging.Logger) and name.startswith("stepwell.")
    ]
    for logger in loggers:
        ours = logger is loggers[0] or logger is loggers[1]
        if any(isinstance(handler.formatter, DevFormatter) for handler in logger.handlers) or (
            not ours and not logger.handlers
        ):
            continue
        inner = next((handler.formatter for handler in logger.handlers if handler.formatter), None)
        handler = logging.StreamHandler(stream)
        handler.setFormatter(DevFormatter(colour=colour, inner=inner))
        logger.handlers[:] = [handler]
        logger.propagate = False
    logging.getLogger().setLevel(logging.WARNING)
    if logging.getLogger("stepwell").level == logging.NOTSET:
        logging.getLogger("stepwell").setLevel(logging.INFO)
