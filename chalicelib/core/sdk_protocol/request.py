"""A call's request: where to, which headers, what body. Each SDK reads fields that the others ignore."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from chalicelib.core import canonical, limits, signing
from chalicelib.core.calls import CallRequest, Memo

# The SDK decides which version of the protocol between function and server it speaks; all that there are work.
_VERSION: Final = -1
_FUNCTION_IDS: Final = uuid.UUID("6a3c1f0e-5d0b-4c57-9a0e-2f4f6f1d7b11")
_NO_STEP: Final = "step"


@dataclass(frozen=True)
class Sender:
    """Who calls: the kind of server, the environment's name, and the key to sign with (none in development)."""

    kind: Literal["dev", "cloud"]
    env: str
    signing_key: str | None


@dataclass(frozen=True)
class Prepared:
    """A request as it goes out. `uses_api`: the app fetches events and steps itself."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    uses_api: bool


def prepare(
    request: CallRequest,
    url: str,
    sender: Sender,
    *,
    now_ms: int,
    request_id: str,
    use_api: bool = False,
    max_bytes: int = limits.MAX_CALL_BYTES,
) -> Prepared:
    """The request of a call to the app at `url`. A body beyond `max_bytes` goes without steps and events, and so does
    one that is asked for with `use_api`. Raises canonical.NoCanonicalForm for what cannot be signed."""
    use_api = use_api or _is_large(request, max_bytes)
    sent, signed = _texts(_body(request, sender.env, use_api=use_api), sender)
    if not use_api and len(sent) > max_bytes:
        use_api = True
        sent, signed = _texts(_body(request, sender.env, use_api=True), sender)
    headers = {
        "content-type": "application/json",
        "accept": "application/json",
        "user-agent": "stepwell",
        "x-inngest-server-kind": sender.kind,
        "x-inngest-req-version": str(_VERSION),
        # An app that began a run within a request of its own knows by run id and signature who asks it to go on with
        # it: so the latter is there, if empty, where nothing is signed.
        "x-inngest-signature": _signature(signed, sender, now_ms),
        "x-run-id": request.run_id,
        "x-inngest-force-step-plan": "true" if _plans(request) else "false",
        "x-inngest-job-id": request.queue_item_id,
        "x-request-id": request_id,
    }
    return Prepared(call_url(url, request.fn_id, request.target), headers, sent, uses_api=use_api)


def _is_large(request: CallRequest, max_bytes: int) -> bool:
    """Whether the steps, or the other events of a batch, are too large: seen before all of them are written down, which
    takes seconds for the largest state that a run may have."""
    size = 0
    for event in request.rest:
        size += len(json.dumps(event.data, ensure_ascii=False, separators=(",", ":")))
        if size > max_bytes:
            return True
    for memo in request.steps.values():
        size += len(json.dumps(memo.output, ensure_ascii=False, separators=(",", ":")))
        if size > max_bytes:
            return True
    return False


def _signature(signed: bytes, sender: Sender, now_ms: int) -> str:
    return "" if sender.signing_key is None else signing.sign(signed, sender.signing_key, now_ms // 1000)


def _texts(body: dict[str, Any], sender: Sender) -> tuple[bytes, bytes]:
    if sender.signing_key is None:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return text, text
    sent, signed = canonical.texts(body)
    return sent.encode(), signed.encode()


def _plans(request: CallRequest) -> bool:
    """Whether the function's next step is only to be told, not run."""
    return request.has_planned or request.plan_only


def _body(request: CallRequest, env: str, *, use_api: bool) -> dict[str, Any]:
    event, *rest = (each.payload() for each in (request.event, *request.rest))
    return {
        "version": _VERSION,
        "use_api": use_api,
        # The event is always there: SDKs take it from here even where they fetch the rest.
        "event": event,
        "events": [] if use_api else [event, *rest],
        "steps": {} if use_api else {key: memo_wire(memo) for key, memo in request.steps.items()},
        "ctx": {
            "run_id": request.run_id,
            "fn_id": internal_id(request.fn_id),
            "env": env,
            "attempt": request.attempt,
            "max_attempts": request.max_attempts,
            "disable_immediate_execution": _plans(request),
            "use_api": use_api,
            "qi_id": request.queue_item_id,
            "stack": {"stack": list(request.stack), "current": len(request.stack)},
        },
    }


def memo_wire(memo: Memo) -> Any:
    """A finished step as SDKs read it. No field beside `data` or `error`, and no `stack` that is null: the Python SDK
    would take the whole for the step's output, the TypeScript SDK would drop the error."""
    if memo.error is not None:
        return {"error": memo.error.model_dump(exclude_none=True)}
    return memo.output if memo.is_bare else {"data": memo.output}


def internal_id(fn_id: str) -> str:
    """The function's id for machines: the Go SDK reads nothing but a UUID here, and without one the TypeScript SDK
    sets no checkpoints."""
    return str(uuid.uuid5(_FUNCTION_IDS, fn_id))


def call_url(url: str, fn_id: str, target: str | None) -> str:
    """The app's URL with the function and the step to run; what else stands in its query stays as it is."""
    parts = urlsplit(url)
    kept = [item for item in parts.query.split("&") if item and item.partition("=")[0] not in ("fnId", "stepId")]
    asked = [f"fnId={quote(fn_id, safe='')}", f"stepId={quote(target or _NO_STEP, safe='')}"]
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", "&".join([*kept, *asked]), ""))
