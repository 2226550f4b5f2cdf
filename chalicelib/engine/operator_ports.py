"""What operating needs of the world, besides what running functions needs (ports).

All of them raise InfrastructureError when AWS does not answer as it should.
"""

from __future__ import annotations

from typing import Protocol

from chalicelib.core.signing import KeySet


class Keys(Protocol):
    """The keys that callers must present."""

    def read(self) -> KeySet:
        """All of them, as they are now."""
        ...
