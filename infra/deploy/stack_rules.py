"""What to do with a CloudFormation stack in a given state, and what its answers mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

MAX_TEMPLATE_BYTES: Final = 51_200
"""What CloudFormation takes in a request, without a bucket to put the template in first."""


class Move(StrEnum):
    """The next move towards a complete stack."""

    CREATE = "create"
    UPDATE = "update"
    DELETE_FIRST = "delete first"
    WAIT = "wait"
    REFUSE = "refuse"


_UPDATABLE: Final = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)
# A creation that failed leaves a stack that can only be deleted. Tables and bucket are retained by it.
_STILLBORN: Final = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
_NAMES: Final = re.compile(r'^(\s+(?:TableName|BucketName|LogGroupName): )!Sub "?([^"\n]+?)"?[ \t]*$', re.MULTILINE)


def next_move(status: str | None) -> Move:
    """What a stack of this status needs next; None is a stack that does not exist."""
    if status in (None, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
        return Move.CREATE
    if status in _UPDATABLE:
        return Move.UPDATE
    if status in _STILLBORN:
        return Move.DELETE_FIRST
    if status is not None and status.endswith("_IN_PROGRESS"):
        return Move.WAIT
    return Move.REFUSE


def succeeded(status: str) -> bool:
    """Whether a stack that came to rest is what we wanted."""
    return status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


def is_no_change(status: str, reason: str) -> bool:
    """Whether a change set failed only because there is nothing to do."""
    return status == "FAILED" and (
        "didn't contain changes" in reason
        or "No updates are to be performed" in reason
        or "no changes" in reason.lower()
    )


def with_static_names(template: str, values: Mapping[str, str]) -> str:
    """The template with the names of what outlives a stack written out.

    CloudFormation takes an existing table or bucket back into a stack only where its name is no function.
    """

    def written_out(found: re.Match[str]) -> str:
        name = re.sub(r"\$\{([A-Za-z:]+)\}", lambda part: values.get(part[1], part[0]), found[2])
        return found[0] if "${" in name else f'{found[1]}"{name}"'

    return _NAMES.sub(written_out, template)


def described(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines that tell a person what a change set will do."""
    words = {
        "Add": "create",
        "Modify": "change",
        "Remove": "remove",
        "Import": "take back",
        "Dynamic": "perhaps change",
    }
    lines = []
    for change in changes:
        one = change.get("ResourceChange")
        if not one:
            continue
        replaced = ", by replacing it" if one.get("Replacement") in ("True", "Conditional") else ""
        kind = one["ResourceType"].removeprefix("AWS::").replace("::", " ")
        lines.append(f"{words.get(one['Action'], one['Action']):14} {one['LogicalResourceId']} ({kind}){replaced}")
    return sorted(lines)


def refusals(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """What CloudFormation found before it changed anything, told by another list of events."""
    found = (
        f"{event.get('LogicalResourceId', '?')}: {event['ValidationStatusReason']}"
        for event in events
        if event.get("ValidationStatusReason") and event.get("ValidationStatus") == "FAILED"
    )
    return list(dict.fromkeys(found))


def failures(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """What failed, and why, oldest first; what was only cancelled because of it is left out."""
    lines = []
    for event in events:
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason.lower():
            line = f"{event['LogicalResourceId']} ({event['ResourceStatus']}): {reason or 'no reason given'}"
            if line not in lines:
                lines.append(line)
    return lines
