"""infra/user-policy.json: what the users' own functions may do. They run in on_work, so it is merged into the policy of
on_work and of nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

PATH: Final = Path("infra") / "user-policy.json"
RESERVED_SID: Final = "Stepwell"
_VERSION: Final = "2012-10-17"
_KEYS: Final = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})

Policy = dict[str, Any]


class PolicyError(Exception):
    """A policy cannot be used; its text names the file, the statement and what is wrong."""


def load(project_dir: Path) -> Policy:
    """The project's policy; without the file, one that allows nothing. Raises PolicyError."""
    path = project_dir / PATH
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {"Version": _VERSION, "Statement": []}
    except (OSError, ValueError) as error:
        raise PolicyError(f"{PATH} cannot be read: {error}") from None
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PolicyError(f"{PATH} is not JSON: {error}") from None
    return check(document)


def check(document: object) -> Policy:
    """The document, its statements as a list. AWS has the last word on actions and resources. Raises PolicyError."""
    if (
        not isinstance(document, dict)
        or document.keys() - {"Version", "Statement", "Id"}
        or "Statement" not in document
    ):
        raise PolicyError(f'{PATH} must be an object {{"Version": "{_VERSION}", "Statement": […]}}')
    if document.get("Version") != _VERSION:
        raise PolicyError(f'{PATH}: "Version" must be "{_VERSION}", not {document.get("Version")!r}')
    found = document["Statement"]
    statements = [found] if isinstance(found, dict) else found
    if not isinstance(statements, list):
        raise PolicyError(f'{PATH}: "Statement" must be a list of statements')
    numbers: dict[str, int] = {}
    for number, statement in enumerate(statements, start=1):
        problem = _problem(statement)
        if problem is None and (sid := statement.get("Sid")) is not None:
            first = numbers.setdefault(sid, number)
            problem = None if first == number else f'the "Sid" {sid!r} is that of statement {first}, too'
        if problem is not None:
            raise PolicyError(f"{PATH}, statement {number}: {problem}")
    return {"Version": _VERSION, "Statement": statements}


def _problem(statement: object) -> str | None:
    if not isinstance(statement, dict):
        return "it must be an object"
    strange = sorted(statement.keys() - _KEYS)
    if strange:
        return f"{strange[0]!r} does not belong there" + (
            ": the policy is that of a role, which is its own principal" if "Principal" in strange[0] else ""
        )
    if statement.get("Effect") not in ("Allow", "Deny"):
        return f'"Effect" must be "Allow" or "Deny", not {statement.get("Effect")!r}'
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
        if (one in statement) == (other in statement):
            return f'it needs "{one}" or "{other}", and not both'
        if not _texts(statement.get(one, statement.get(other))):
            return f'"{one if one in statement else other}" must be a text or a list of texts'
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not (sid.isalnum() and sid.isascii() if sid else "Sid" not in statement):
        return '"Sid" must be letters and digits'
    if sid.startswith(RESERVED_SID):
        return f'the "Sid" {sid!r} is taken: names that begin with "{RESERVED_SID}" are the platform\'s'
    if not isinstance(statement.get("Condition", {}), dict):
        return '"Condition" must be an object'
    return None


def _texts(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, str) and one for one in value)
    return isinstance(value, str) and bool(value)
