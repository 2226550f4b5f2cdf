"""What debounces and batches need of the tables: who joined what, and what is closed."""

from __future__ import annotations

from typing import Protocol

from chalicelib.core.joining import Closed, Joined
from chalicelib.engine.flow_ports import Cell, CellKey


class Joins(Protocol):
    """The generations of debounces and batches. The open one of each key is a cell (flow_ports.Cells).

    All of it raises InfrastructureError when AWS does not answer as it should.
    """

    def join(
        self,
        key: CellKey,
        event_id: str,
        joined: Joined,
        text: str,
        *,
        seen: Cell | None,
        closed: list[Closed],
        expires_at_s: int,
    ) -> Joined | Cell | None:
        """In one transaction: the event has joined, if it had not before; the cell's new text, if it is still the one
        seen (None: if there is none); what is closed by it. Afterwards: that the event has joined, with the very
        object handed in or the earlier one; else the cell as it is now, None when it is gone."""
        ...

    def joined(self, event_id: str, fn_id: str) -> Joined | None:
        """What the event has joined instead of starting a run of this function. Consistent."""
        ...

    def close(self, key: CellKey, text: str, closed: Closed, *, seen: Cell, expires_at_s: int) -> Closed | Cell | None:
        """In one transaction: the cell's new text, if it is still the one seen, and what is closed. The very object
        handed in if that was done; else the cell as it is now, None when it is gone."""
        ...

    def closed(self, run_id: str) -> Closed | None:
        """The closed generation of a run that may not be there yet. Consistent."""
        ...

    def remove(self, run_id: str) -> None:
        """The run of the closed generation is there."""
        ...
