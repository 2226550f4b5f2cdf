"""Counts what a platform asks of AWS: every request, its write units, and what it was for.

It listens on the botocore session that the platform's clients are made with, so nothing is missed and nothing of the
platform is changed. Write units are those that ministack reports, which are right. Those of reads are not (any query
counts as one), and it reports none of a write whose condition fails: both are reckoned by AWS's rules (units.py).
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import botocore.session

from infra.local.settings import REGION
from tests.bench.units import read_units, refused_units

_READS = ("GetItem", "Query", "BatchGetItem", "Scan")
_REFUSALS = ("ConditionalCheckFailedException", "TransactionCanceledException")


class EmulatorSession(botocore.session.Session):
    """Makes clients for an emulator, whatever the environment says."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._endpoint = endpoint

    def create_client(self, service_name: str, **options: Any) -> Any:  # type: ignore[override]
        return super().create_client(
            service_name,
            endpoint_url=self._endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            **options,
        )


@dataclass
class Line:
    """What was asked for one purpose: read and write units, and those of writes that were `refused`; `answered_at` is
    when it was last answered (perf_counter)."""

    requests: int = 0
    writes: float = 0.0
    reads: float = 0.0
    refused: float = 0.0
    answered_at: float = 0.0


@dataclass
class Meter:
    """The sums by purpose; `log` has each request in order, `waited_s` is the time until they were answered. `units`:
    whether write units are asked for, which AWS in memory does not tell."""

    units: bool = True

    lines: dict[str, Line] = field(default_factory=lambda: defaultdict(Line))
    log: list[str] = field(default_factory=list)
    waited_s: float = 0.0
    counting: bool = True

    def install(self, session: botocore.session.Session) -> None:
        """Listen on the clients that the session makes from now on."""
        session.register("provide-client-params.dynamodb.*", self._ask)
        session.register("after-call.dynamodb.*", self._note_dynamodb)
        session.register("provide-client-params.sqs.*", self._ask)
        session.register("after-call.sqs.*", self._note_other)
        session.register("after-call.s3.*", self._note_other)

    def reset(self) -> None:
        """Forget what was counted."""
        self.lines.clear()
        self.log.clear()
        self.waited_s = 0.0

    def total_writes(self, *purposes: str) -> float:
        """Write units, of these purposes or of all."""
        return sum(line.writes for name, line in self.lines.items() if not purposes or name in purposes)

    def requests(self, prefix: str) -> int:
        """Requests whose purpose begins so."""
        return sum(line.requests for name, line in self.lines.items() if name.startswith(prefix))

    def _ask(self, **call: Any) -> None:
        params, model, context = call["params"], call["model"], call["context"]
        context["stepwell_bench"] = dict(params)
        context["stepwell_asked_at"] = time.perf_counter()
        if self.units and model.service_model.service_name == "dynamodb" and model.name not in _READS:
            params["ReturnConsumedCapacity"] = "INDEXES"

    def _note_dynamodb(self, **call: Any) -> None:
        if not self.counting:
            return
        parsed, model, context = call["parsed"], call["model"], call["context"]
        request = context["stepwell_bench"]
        purpose = purpose_of(model.name, request)
        self.log.append(f"{model.name}: {purpose}")
        self.lines[purpose].requests += 1
        self.lines[purpose].answered_at = time.perf_counter()
        self._note_time(context)
        if model.name in _READS:
            self.lines[purpose].reads += read_units(model.name, request, parsed)
            return
        if parsed.get("Error", {}).get("Code") in _REFUSALS:
            self.lines[purpose].refused += refused_units(request, parsed)
        consumed = parsed.get("ConsumedCapacity", [])
        for part in consumed if isinstance(consumed, list) else [consumed]:
            indexes = {
                name: float(one["CapacityUnits"]) for name, one in part.get("GlobalSecondaryIndexes", {}).items()
            }
            self.lines[purpose].writes += float(part["CapacityUnits"]) - sum(indexes.values())
            for name, units in indexes.items():
                self.lines[f"index {name}, {purpose}"].writes += units

    def _note_other(self, **call: Any) -> None:
        if not self.counting:
            return
        model, context = call["model"], call["context"]
        service = model.service_model.service_name
        target = str(context.get("stepwell_bench", {}).get("QueueUrl", "")).rsplit("-", 1)[-1]
        purpose = " ".join(part for part in (service, model.name, target) if part)
        self.log.append(purpose)
        self.lines[purpose].requests += 1
        self._note_time(context)

    def _note_time(self, context: dict[str, Any]) -> None:
        # S3 is not listened to before the call.
        if "stepwell_asked_at" in context:
            self.waited_s += time.perf_counter() - context["stepwell_asked_at"]


def purpose_of(operation: str, request: dict[str, Any]) -> str:
    """What a request to DynamoDB is for, in words."""
    if operation == "TransactWriteItems":
        kinds = [next(iter(op.values())) for op in request["TransactItems"]]
        return "transaction: " + ", ".join(purpose_of("", one) for one in kinds)
    if operation == "Query":
        table = str(request["TableName"]).rsplit("-", 1)[-1]
        index = request.get("IndexName")
        return f"read: query {table}" if index is None else f"read: query index {index}"
    if operation not in ("PutItem", "UpdateItem", "GetItem", ""):
        return f"{operation} {request.get('TableName', '')}".strip()
    key = request.get("Key") or request["Item"]
    pk, sk = key["pk"]["S"], key["sk"]["S"]
    table = str(request["TableName"]).rsplit("-", 1)[-1]
    if table == "functions":
        return f"{'read: ' if operation == 'GetItem' else ''}registry version" if pk == "registry" else "app"
    what = _event_item(pk, request) if table == "events" else _run_item(sk, request) if table == "runs" else table
    return f"read: {what}" if operation == "GetItem" else what


def _event_item(pk: str, request: dict[str, Any]) -> str:
    if pk == "names":
        return "event name (once a day and process)"
    if pk.startswith("id#"):
        return "user's event id"
    item = request.get("Item", {})
    if "joined" in item:
        return "joined"
    if "effect" in item:
        return "effect (marker and audit)"
    if "ref" in item:
        return "event pointer"
    return "lifecycle event record" if '"from_run"' in str(item.get("record")) else "event record"


def _run_item(sk: str, request: dict[str, Any]) -> str:
    if sk == "1":
        return "run's copy of its event"
    if sk.startswith("s#"):
        return "step"
    update = str(request.get("UpdateExpression", ""))
    starts = {
        "SET lo": "lease",
        "SET ver": "news",
        "SET st =": "end",
        "SET settled": "settled",
        "SET starts": "release",
        "SET mark": "progress",
        "SET expires_at": "expiry",
    }
    return next((name for start, name in starts.items() if update.startswith(start)), "head")
