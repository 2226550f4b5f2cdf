"""What chalice cannot say of queues and their functions: partial batches, and that they may call each other for long.

Without ReportBatchItemFailures Lambda takes a returned list of failures for success, and the messages are gone. So the
parameter is in the very request that creates a mapping, mappings that exist have it before the code is updated, and
only then the code is told that it may rely on it.
"""

from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.account import Account
from infra.deploy.inventory import Inventory
from infra.deploy.policies import lambda_name
from infra.deploy.problems import DeployError, code

PARTIAL_BATCHES = {"STEPWELL_PARTIAL_BATCHES": "1"}
RESPONSE_TYPES = ["ReportBatchItemFailures"]
QUEUE_FUNCTIONS = ("on_event", "on_work")
_SETTLED_WITHIN_S = 300.0


def watch(account: Account) -> None:
    """From now on each mapping that is created or updated in this session reports failures by the message, and the
    function of a new one may send to the queue that calls it."""

    def reporting(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**params, "FunctionResponseTypes": RESPONSE_TYPES}

    def created(params: dict[str, Any], **more: Any) -> dict[str, Any]:
        allow_recursion(account, params["FunctionName"])
        return reporting(params, **more)

    register: Any = account.session.register
    register("provide-client-params.lambda.CreateEventSourceMapping", created, unique_id="stepwell-create-mapping")
    register("provide-client-params.lambda.UpdateEventSourceMapping", reporting, unique_id="stepwell-update-mapping")


def allow_recursion(account: Account, function: str) -> None:
    """A run goes from queue to function to queue as often as it must; Lambda stops such a chain after about 16 hops
    unless it is told otherwise."""
    account.client("lambda").put_function_recursion_config(FunctionName=function, RecursiveLoop="Allow")


def prepare(account: Account, stage: str, found: Inventory) -> list[str]:
    """Bring what exists to where the new code needs it, before that code is there; lines about what was changed."""
    client = account.client("lambda")
    told = []
    for name in QUEUE_FUNCTIONS:
        if name in found.functions:
            allow_recursion(account, lambda_name(stage, name))
        for mapping in found.mappings.get(name, ()):
            now = client.get_event_source_mapping(UUID=mapping.uuid)
            if now.get("FunctionResponseTypes") == RESPONSE_TYPES:
                continue
            _update(client, mapping.uuid)
            told.append(f"{name} now reports each failed message of a batch by itself")
    return told


def _update(client: Any, uuid: str) -> None:
    """Asked again while somebody else's change is under way; back when it holds."""
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    while True:
        try:
            client.update_event_source_mapping(UUID=uuid, FunctionResponseTypes=RESPONSE_TYPES)
            break
        except ClientError as error:
            if code(error) != "ResourceInUseException" or time.monotonic() > deadline:
                raise
            time.sleep(2)
    while client.get_event_source_mapping(UUID=uuid).get("State") in ("Creating", "Updating", "Enabling"):
        if time.monotonic() > deadline:
            raise DeployError(f"The event source mapping {uuid} is still changing after {_SETTLED_WITHIN_S:.0f} s.")
        time.sleep(1)
