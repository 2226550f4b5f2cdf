"""Counting by a sample."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Of a table's `total` items `looked_at` were looked at: all of them, or as good as drawn by lot."""

    looked_at: int
    total: int
    is_complete: bool

    def of(self, count: int) -> int:
        """How many there are in the table, when so many were among those looked at."""
        if self.is_complete or self.looked_at == 0:
            return count
        # The table's own count is some hours old: there are no fewer than were seen.
        return max(count, round(count * max(self.total, self.looked_at) / self.looked_at))
