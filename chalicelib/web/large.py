"""Answers that may be larger than Lambda lets one be: they are put into S3, and whoever asks is sent there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chalice.app import Request, Response

from chalicelib.web.errors import problem

if TYPE_CHECKING:
    from chalicelib.wiring import Platform

# Lambda takes 6 MB, in which the body is a JSON string: what is measured is that. The rest is for headers.
MAX_ANSWER_BYTES = 6 * 1024 * 1024 - 64 * 1024
_KEPT_S = 300
# SDKs whose client does not follow a redirect.
_STAYS = "inngest-py:"
_JSON = {"Content-Type": "application/json"}
_TOO_MUCH = "more than AWS Lambda lets one answer hold (6 MB)"


def bare(p: Platform, request: Request, body: Any, what: str) -> Response:
    """The JSON of `body`: here, or by a redirect to where it lies for some minutes. `what` names it in an error."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    if _fits(p, text):
        return Response(body=text, status_code=200, headers=_JSON)
    if (request.headers.get("x-inngest-sdk") or "").startswith(_STAYS):
        return problem(
            413,
            f"{what} have {len(text.encode()):,} bytes, {_TOO_MUCH}, and the "
            "Python SDK follows no redirect to where they lie: keep large data elsewhere and return references",
        )
    return _elsewhere(p, text)


def fitting(p: Platform, answer: Response, *, may_lie_elsewhere: bool) -> Response:
    """The answer if it fits; else a redirect to where it lies, or an error where there can be none."""
    if isinstance(answer.body, str):
        text, headers = answer.body, answer.headers
    else:
        # In ASCII: an error may repeat what is no text.
        text, headers = json.dumps(answer.body, separators=(",", ":")), {**_JSON, **answer.headers}
    if _fits(p, text):
        return Response(body=text, status_code=answer.status_code, headers=headers)
    if may_lie_elsewhere:
        return _elsewhere(p, text)
    return problem(413, f"the answer has {len(text.encode()):,} bytes, {_TOO_MUCH}: keep large data elsewhere")


def _fits(p: Platform, text: str) -> bool:
    # A character takes twelve bytes at most. In local development nothing stands between us and the caller.
    return len(text) * 12 <= MAX_ANSWER_BYTES or p.config.dev or len(json.dumps(text)) <= MAX_ANSWER_BYTES


def _elsewhere(p: Platform, text: str) -> Response:
    payloads = p.room.payloads
    url = payloads.address(payloads.put(text), _KEPT_S)
    return Response(body={"url": url}, status_code=302, headers={**_JSON, "Location": url})
