"""The recorded sets: what releases left in the middle of the stories. A story is in a set when it left something of
another shape than in the set before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.upgrade.snapshot import Snapshot

FOLDER = Path(__file__).parent / "recorded"
_VARYING = (
    (re.compile(r"[0-9A-HJKMNP-TV-Z]{26}"), "ID"),
    (re.compile(r"[0-9a-f]{16,}"), "HASH"),
    (re.compile(r"\d+"), "N"),
)
# What a value of these says is part of the form.
_TELLING = ("kind", "status", "st", "mode", "join")


def folders() -> list[Path]:
    """Oldest first."""
    return sorted(FOLDER.glob("r[0-9]*"), key=lambda path: int(path.name[1:]))


def files() -> list[Path]:
    """Every story of every set."""
    return [path for folder in folders() for path in sorted(folder.glob("*.json"))]


def load(path: Path) -> Snapshot:
    found: Snapshot = json.loads(path.read_text(encoding="utf-8"))
    return found


def save(path: Path, found: Snapshot) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def files_of(name: str, before: Path | None = None) -> list[Path]:
    """What was recorded of a story, oldest first (before a set)."""
    earlier = [folder for folder in folders() if before is None or _number(folder) < _number(before)]
    paths = [folder / f"{name}.json" for folder in earlier]
    return [path for path in paths if path.exists()]


def newest(name: str, before: Path | None = None) -> Snapshot | None:
    """The last of these, if there is one."""
    found = files_of(name, before)
    return load(found[-1]) if found else None


def _number(folder: Path) -> int:
    return int(folder.name[1:])


def shape(found: Snapshot) -> set[str]:
    """The form of what is stored, without its values: names and types of all attributes, keys without their ids, and
    of what a value means the word."""
    lines: set[str] = set()
    for table, rows in found["items"].items():
        for row in rows:
            name = f"{table} {_form(row['pk']['S'])} {_form(row['sk']['S'])}"
            for attribute, typed in row.items():
                if attribute not in ("pk", "sk"):
                    ((kind, value),) = typed.items()
                    lines |= {f"{name} {line}" for line in _paths(attribute, kind, value)}
    for queue, messages in found["messages"].items():
        for message in messages:
            lines |= {f"{queue}: {line}" for line in _paths("body", "S", message["body"])}
    return lines


def _form(text: str) -> str:
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text


def _paths(name: str, kind: str, value: Any) -> Iterator[str]:
    inner = _parsed(value) if kind == "S" else None
    if inner is not None:
        yield from _within(name, inner)
    elif name in _TELLING:
        yield f"{name}={value}"
    else:
        yield f"{name}:{kind}"


def _parsed(text: str) -> Any:
    """JSON that is kept as a text."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def _within(where: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            if name in _TELLING and isinstance(one, str):
                yield f"{where}.{name}={one}"
            else:
                yield from _within(f"{where}.{_form(name)}", one)
    elif isinstance(value, list):
        for one in value:
            yield from _within(f"{where}[]", one)
    else:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        yield f"{where}:{'number' if is_number else type(value).__name__}"
