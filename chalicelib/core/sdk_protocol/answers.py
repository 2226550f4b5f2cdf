"""What an app's answer means. Whatever bytes come, it means something: in doubt, an error that tells what came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.core import signing
from chalicelib.core.calls import ErrorInfo, Operations, Raised, Reply, Returned
from chalicelib.core.sdk_protocol.opcodes import Told, Unusable, operations
from chalicelib.core.sdk_protocol.texts import NOT_JSON, Broken, error_info, measured, parse, shown
from chalicelib.core.sdk_protocol.times import retry_after_ms

_OK, _STREAMED, _STEPS = 200, 201, 206
# The Python SDK answers with it when a step ran but its output is not JSON, without the header that says so.
_NEVER_SERIALIZABLE: Final = "output_unserializable"


@dataclass(frozen=True)
class Answer:
    """An answer as it came. Names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_of_sdk(self) -> bool:
        return "x-inngest-sdk" in self.headers or "x-inngest-sdk-handled" in self.headers


def reply_of(answer: Answer, *, now_ms: int, signing_key: str | None) -> Reply:
    """What the answer to a call means. `signing_key`: the key that the call was signed with, if it was."""
    if not answer.is_of_sdk:
        return _not_of_sdk(answer, now_ms)
    try:
        if answer.status == _STREAMED:
            answer = _unwrapped(answer)
        problem = _signature_problem(answer, signing_key, now_ms)
        if problem is not None:
            return Raised(ErrorInfo.of("AnswerRefused", problem))
        return _meaning(answer, now_ms)
    except Broken as error:
        if error.name is not None:
            return Raised(ErrorInfo.of(error.name, f"what the function returned: {error}"), retriable=False)
        text = f"the app's answer (status {answer.status}) cannot be read: {error}. It begins: {shown(answer.body)!r}"
        return Raised(ErrorInfo.of("BrokenAnswer", text))
    except Unusable as error:
        return Raised(ErrorInfo.of(error.name, str(error)), retriable=False)


def _signature_problem(answer: Answer, signing_key: str | None, now_ms: int) -> str | None:
    """Not every SDK signs its answers, and the specification does not ask for it; one that is signed wrongly was
    changed on its way, or is an old one."""
    header = answer.headers.get("x-inngest-signature", "")
    if signing_key is None or not header:
        return None
    problem = signing.signature_problem(header, answer.body, [signing_key], now_ms // 1000)
    if problem is None:
        return None
    return (
        f"the signature of the app's answer (status {answer.status}) is not right: {problem}. Something between the "
        "app and Stepwell changes its answers, or the app's clock is wrong"
    )


def _meaning(answer: Answer, now_ms: int) -> Reply:
    retriable = answer.headers.get("x-inngest-no-retry", "").strip().lower() != "true"
    told = Told(now_ms, retriable, retry_after_ms(answer.headers.get("retry-after"), now_ms))
    if answer.status == _OK:
        output = parse(answer.body) if answer.body.strip() else None
        return Returned(output, measured(output))
    if answer.status == _STEPS:
        return Operations(operations(parse(answer.body), told))
    if answer.status >= 400:
        return _raised(answer, told)
    text = f"the app's SDK answered with status {answer.status}, which means nothing here: {shown(answer.body)!r}"
    return Raised(ErrorInfo.of("BrokenAnswer", text))


def _raised(answer: Answer, told: Told) -> Raised:
    if answer.status == 401:
        text = (
            "the app refused our signature: its INNGEST_SIGNING_KEY is not the newest of Stepwell's signing keys, its "
            f"clock is wrong, or it is not in dev mode while Stepwell is. It said: {shown(answer.body)!r}"
        )
        return Raised(ErrorInfo.of("Unauthorized", text), told.retriable, told.retry_after_ms)
    try:
        value = parse(answer.body)
    except Broken:
        value = None
    if not isinstance(value, dict | str):
        text = f"the app answered with status {answer.status}: {shown(answer.body)!r}"
        return Raised(ErrorInfo.of("Error", text), told.retriable, told.retry_after_ms)
    fields = value if isinstance(value, dict) else {}
    retriable = told.retriable and fields.get("code") != _NEVER_SERIALIZABLE
    name = "StepNotFound" if isinstance(fields.get("requestedStep"), str) else "Error"
    return Raised(error_info(value, name), retriable, told.retry_after_ms)


def _unwrapped(answer: Answer) -> Answer:
    """The answer within a streamed one: white space while the app worked, then status, headers and body. Headers of
    before the work began are not the answer's, its signature least of all."""
    if not answer.body.strip():
        raise Broken("the stream ended before the answer came")
    value = parse(answer.body.strip())
    if not isinstance(value, dict):
        raise Broken("a streamed answer must be an object with status, headers and body")
    status, headers, body = value.get("status"), value.get("headers"), value.get("body")
    if not isinstance(status, int) or not 200 <= status <= 599 or status == _STREAMED:
        raise Broken(f"the status within the stream is {shown(str(status), 40)}")
    inner = headers if isinstance(headers, dict) else {}
    return Answer(
        status,
        {str(name).lower(): item for name, item in inner.items() if isinstance(item, str)},
        _encoded(body),
    )


def _encoded(body: Any) -> bytes:
    """The body within a stream: a text that holds JSON, or that JSON itself."""
    if body is None:
        return b""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Broken("it holds text that is not valid Unicode", NOT_JSON) from None


def _not_of_sdk(answer: Answer, now_ms: int) -> Raised:
    status, location = answer.status, answer.headers.get("location", "")
    if 300 <= status < 400:
        said = f"a redirect to {shown(location)!r}" if location else "a redirect to nowhere"
        hint = "only redirects with status 307 or 308 keep a call as it is and are followed, a few of them"
    elif status == 413:
        said, hint = f"{shown(answer.body)!r}", "the server in front of the app takes no bodies of this size"
    else:
        said = f"{shown(answer.body)!r}" if answer.body else "nothing"
        hint = "is it the URL of the app, does a login or a proxy stand before it, is the app up?"
    text = f"this is not the answer of an SDK (status {status}, no X-Inngest-Sdk header): {said}; {hint}"
    again = retry_after_ms(answer.headers.get("retry-after"), now_ms) if status in (429, 503) else None
    return Raised(ErrorInfo.of("NotAnSdk", text), retry_after_ms=again)
