"""Keeps Ctrl-C to ourselves when make started us.

make, too, gets the SIGINT of a Ctrl-C and then reports an interrupted recipe. So, at a terminal and under
make, the supervisor moves into a process group of its own and makes it the terminal's foreground; make then
sees only our clean exit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def foreground(env: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Be the terminal's foreground process group for a while; does nothing elsewhere."""
    try:
        terminal = sys.stdin.fileno()
        wanted = "MAKELEVEL" in env and os.isatty(terminal) and os.tcgetpgrp(terminal) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        wanted = False
    if not wanted:
        yield
        return
    before = os.getpgrp()
    ignored = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTTOU, signal.SIGTSTP)}
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, before)
        for number, handler in ignored.items():
            signal.signal(number, handler)
