"""Regular expressions, by RE2: linear in the text whatever the pattern."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

_PROGRAM_BYTES = 1 << 20


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Return a test whether the pattern is found anywhere in a text; raises ValueError with RE2's own
    reason."""
    # Late, since an expression without a pattern must not pay for it at a cold start.
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False  # RE2 would write the user's mistake to stderr.
    options.max_mem = _PROGRAM_BYTES
    options.never_capture = True
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        (reason,) = error.args
        raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else reason) from None

    def found(text: str) -> bool:
        # JSON may bring half a surrogate pair, which has no UTF-8; RE2 takes its bytes for characters that
        # match nothing.
        return compiled.search(text.encode("utf-8", "surrogatepass")) is not None

    return found
