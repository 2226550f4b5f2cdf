"""What a command says while it works: plain lines, and how long things take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TextIO


@dataclass
class Terminal:
    """Lines go to ``out``; ``ask`` reads an answer (None where nobody can be asked)."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    ask: Callable[[str], str] | None = None
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str = "") -> None:
        """One or more lines."""
        self.out.write(text + "\n")
        self.out.flush()

    def step(self, title: str) -> None:
        """A new part of the work, with the time since the start."""
        self.say(f"\n[{time.monotonic() - self.began:4.0f} s] {title}")

    def detail(self, text: str) -> None:
        """A line of the part under way."""
        self.say("\n".join(f"         {line}" for line in text.splitlines()))

    def details(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.detail(line)


def interactive() -> Terminal:
    """A terminal that can ask when a person sits at it."""
    return Terminal(ask=input if sys.stdin.isatty() else None)
