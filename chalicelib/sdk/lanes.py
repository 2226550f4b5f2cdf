"""Parallel callables and the step ids used in them.

A repeated id is told apart by counting, and the count must come out the same in every entry. Within one
callable, and for the first steps of callables, the order is fixed; for later steps of different callables it
depends on which finished first. Such a repetition is refused before it can give a step another one's result.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(eq=False)
class Lane:
    """One callable of a group, within the callable that the group was called in, if any."""

    group: Group
    steps: int = 0


@dataclass(eq=False)
class Group:
    """One call of `group.parallel`; `claims` is shared by the groups nested in the outermost one."""

    parent: Lane | None
    claims: dict[str, list[tuple[_Place, ...]]] = field(default_factory=dict)

    @classmethod
    def under(cls, lane: Lane | None) -> Group:
        """A group called in this lane, or outside of any."""
        return cls(lane) if lane is None else cls(lane, lane.group.claims)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where an id was used: a lane, and whether it was the lane's first step."""

    lane: Lane
    first: bool


def claim(lane: Lane, step_id: str) -> bool:
    """Note the use of an id; False when its repeat number would depend on which step finished first."""
    places = []
    current: Lane | None = lane
    while current is not None:
        places.append(_Place(current, current.steps == 0))
        current.steps += 1
        current = current.group.parent
    here = tuple(reversed(places))
    earlier = lane.group.claims.setdefault(step_id, [])
    fixed = all(_order_is_fixed(there, here) for there in earlier)
    earlier.append(here)
    return fixed


def _order_is_fixed(there: tuple[_Place, ...], here: tuple[_Place, ...]) -> bool:
    for one, other in zip(there, here, strict=False):
        if one.lane is not other.lane:
            # Lanes of one group race; groups that follow each other in one lane do not.
            return one.lane.group is not other.lane.group or (one.first and other.first)
    return True
