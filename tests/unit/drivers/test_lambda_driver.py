"""Apps that are Lambda functions: the event they get, the answers they give, and Lambda itself as a server on this
machine that speaks its API."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws.lambdas import Lambdas, rounded_s
from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo, Memo, Operations, Raised, Reply, Returned
from chalicelib.core.errors import UserError
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.sdk_protocol import reply_of
from chalicelib.core.sdk_protocol.lambda_event import Invoked, answer_of, endpoint_of, event_of
from chalicelib.core.sdk_protocol.texts import Broken
from chalicelib.drivers.aws_lambda import LambdaDriver, LambdaTransport
from chalicelib.drivers.http import Caller
from tests.unit.drivers.peers import KEY, SDK, Keys, Peer, Received, Time, event, http, request

FIELDS = (
    *("statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"),
    *("errorType", "errorMessage", "stackTrace", "trace", "x-inngest-sdk"),
)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:Shop_app"


@pytest.fixture
def time() -> Time:
    return Time()


def client_of(peer: Peer, seconds: int) -> Any:
    """A client as chalicelib/aws/room.py makes it, for a Lambda on this machine."""
    session = botocore.session.get_session()
    session.set_credentials("id", "secret")
    config = Config(read_timeout=seconds, connect_timeout=3, retries={"total_max_attempts": 1})
    where = f"http://127.0.0.1:{peer.port}"
    return session.create_client("lambda", region_name="eu-west-1", endpoint_url=where, config=config)


def call(peer: Peer, time: Time, endpoint: str = ARN, keys: Keys | None = None, **changes: Any) -> Reply:
    transport = LambdaTransport(Lambdas(partial(client_of, peer)), time, lambda: "request-1")
    driver = LambdaDriver(transport, Caller("prod", keys), time, lambda: "request-1")
    function = FunctionConfig(id="shop-order", name="order", triggers=(), driver="lambda", endpoint=endpoint)
    return driver.call(function, request(**changes))


def runs(handler: Callable[[dict[str, Any]], Any]) -> Callable[[Received], bytes]:
    """Lambda with this function in it."""

    def behave(got: Received) -> bytes:
        return http(200, json.dumps(handler(json.loads(got.body))).encode(), {})

    return behave


def answers(status: int, body: Any, **fields: Any) -> dict[str, Any]:
    return {"statusCode": status, "headers": dict(SDK), "body": json.dumps(body), **fields}


def error_of(reply: Reply) -> tuple[str, str, bool]:
    assert isinstance(reply, Raised), reply
    return reply.error.name, reply.error.message, reply.retriable


def test_a_function_is_invoked_by_its_arn_with_a_signed_request_to_aws(time: Time) -> None:
    with Peer(runs(lambda _: answers(200, {"ok": 1}))).running() as peer:
        assert call(peer, time) == Returned({"ok": 1}, 8)
    (got,) = peer.received
    assert got.line == f"POST /2015-03-31/functions/{ARN.replace(':', '%3A')}/invocations HTTP/1.1"
    assert got.headers["x-amz-invocation-type"] == "RequestResponse"
    assert "/lambda/aws4_request" in got.headers["authorization"]


def test_it_gets_the_event_of_a_function_url(time: Time) -> None:
    with Peer(runs(lambda _: answers(200, None))).running() as peer:
        call(peer, time, f"{ARN}:live/api/v2/inngest", Keys(), target="ab" * 20)
    (got,) = peer.received
    assert "%3Alive/invocations" in got.line
    found = json.loads(got.body)
    assert (found["version"], found["rawPath"]) == ("2.0", "/api/v2/inngest")
    assert found["rawQueryString"] == f"fnId=shop-order&stepId={'ab' * 20}"
    assert found["queryStringParameters"] == {"fnId": "shop-order", "stepId": "ab" * 20}
    assert found["requestContext"]["http"]["method"] == "POST"
    assert found["headers"]["host"] == "shop_app.lambda"
    assert found["headers"]["x-inngest-signature"].startswith("t=")
    assert json.loads(found["body"])["ctx"]["run_id"] == "01JRUN"


def test_the_answer_may_be_base64_and_have_headers_of_several_values(time: Time) -> None:
    body = base64.b64encode(b'{"ok": 1}').decode()
    several = {"statusCode": 200, "multiValueHeaders": {"X-Inngest-Sdk": ["t"]}, "isBase64Encoded": True, "body": body}
    with Peer(runs(lambda _: several)).running() as peer:
        assert call(peer, time) == Returned({"ok": 1}, 8)


def test_steps_and_errors_come_as_over_http(time: Time) -> None:
    op = {"id": "ab" * 20, "op": "StepRun", "displayName": "a", "data": 1}
    with Peer(runs(lambda _: answers(206, [op]))).running() as peer:
        reply = call(peer, time)
        assert isinstance(reply, Operations)
        assert reply.ops[0].output == 1
    with Peer(runs(lambda _: answers(500, {"name": "E", "message": "m"}))).running() as peer:
        assert error_of(call(peer, time)) == ("E", "m", True)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (None, "returned 'null', which is no HTTP answer"),
        ("hello", "returned '\"hello\"', which is no HTTP answer"),
        ({"body": "x"}, "it has no statusCode"),
        ({"statusCode": 200, "body": "%", "isBase64Encoded": True}, "base64"),
        ({"statusCode": 200, "headers": {}, "body": "hi"}, "this is not the answer of an SDK (status 200"),
    ],
)
def test_a_function_that_is_no_app(time: Time, returned: Any, told: str) -> None:
    with Peer(runs(lambda _: returned)).running() as peer:
        name, message, retriable = error_of(call(peer, time))
    assert (name, retriable) == ("NotAnSdk", True)
    assert told in message


def died(payload: dict[str, Any]) -> Callable[[Received], bytes]:
    return lambda _: http(200, json.dumps(payload).encode(), {"X-Amz-Function-Error": "Unhandled"})


def test_a_function_that_dies_may_be_called_again(time: Time) -> None:
    payload = {"errorType": "KeyError", "errorMessage": "'x'", "stackTrace": ["at a", "at b"]}
    with Peer(died(payload)).running() as peer:
        reply = call(peer, time)
    assert isinstance(reply, Raised)
    assert (reply.error.name, reply.retriable, reply.error.stack) == ("KeyError", True, "at a\nat b")
    assert reply.error.message == "the Lambda function 'Shop_app' died: 'x'"


@pytest.mark.parametrize("payload", [b"", b"nonsense", b"[]", b'{"errorMessage": 5}'])
def test_a_function_that_dies_oddly_is_told(time: Time, payload: bytes) -> None:
    with Peer(lambda _: http(200, payload, {"X-Amz-Function-Error": "Unhandled"})).running() as peer:
        assert error_of(call(peer, time))[2]


def test_an_answer_beyond_lambda_s_limit_is_not_tried_again(time: Time) -> None:
    payload = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": "Response payload size exceeded"}
    with Peer(died(payload)).running() as peer:
        assert not error_of(call(peer, time))[2]


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (404, "ResourceNotFoundException", "was it deleted or renamed?"),
        (403, "AccessDeniedException", "name it in lambda_apps (infra/settings.toml) and deploy"),
        (429, "TooManyRequestsException", "as often side by side as it may"),
        (500, "ServiceException", "cannot be invoked"),
    ],
)
def test_what_lambda_refuses_is_told_and_asked_once(time: Time, status: int, code: str, told: str) -> None:
    refusal = http(status, b'{"Message": "no"}', {"x-amzn-errortype": code})
    with Peer(lambda _: refusal).running() as peer:
        name, message, retriable = error_of(call(peer, time))
        assert len(peer.received) == 1
    assert (name, retriable) == ("AppUnreachable", True)
    assert told in message


def test_nobody_there(time: Time) -> None:
    with Peer(lambda _: None).running() as peer:
        assert error_of(call(peer, time))[0] == "AppUnreachable"
    assert error_of(call(peer, time))[0] == "AppUnreachable"


def test_a_function_that_does_not_answer_in_time(time: Time) -> None:
    silent = threading.Event()
    with Peer(lambda _: (silent.wait(10), None)[1]).running() as peer:
        deadline_ms = time.now_ms() + limits.CALL_MARGIN_MS
        name, message, retriable = error_of(call(peer, time, deadline_ms=deadline_ms))
        silent.set()
        assert len(peer.received) == 1, "a second request would run the function twice"
    assert (name, retriable) == ("AppTimeout", True)
    assert "did not answer within 1 s" in message


@pytest.mark.parametrize(
    ("ms", "seconds"), [(0, 1), (1_999, 1), (15_000, 15), (29_000, 28), (117_000, 110), (897_000, 890)]
)
def test_timeouts_are_rounded_down_a_little(ms: int, seconds: int) -> None:
    assert rounded_s(ms) == seconds
    assert seconds * 1000 >= 0.9 * ms - 1_000


def test_clients_are_kept_for_a_few_timeouts() -> None:
    made: list[int] = []
    with Peer(runs(lambda _: "done")).running() as peer:

        def client(seconds: int) -> Any:
            made.append(seconds)
            return client_of(peer, seconds)

        found = Lambdas(client)
        for seconds in (5, 5, 6, 7, 8, 5, 9, 5):
            assert found.invoke(ARN, b"{}", timeout_ms=seconds * 1000) == Invoked(b'"done"', failed=False)
    assert made == [5, 6, 7, 8, 9, 5]


def test_a_payload_beyond_lambda_s_limit_lets_the_app_fetch_steps_and_events(time: Time) -> None:
    quotes = {f"{n:040d}": Memo(output='"' * 700_000) for n in range(3)}
    with Peer(runs(lambda _: answers(200, None))).running() as peer:
        assert call(peer, time, steps=quotes) == Returned(None, 4)
        sent = json.loads(json.loads(peer.received[0].body)["body"])
        assert (sent["use_api"], sent["steps"]) == (True, {})
        assert len(peer.received[0].body) < limits.MAX_INVOKE_BYTES
        name, message, retriable = error_of(call(peer, time, event=event(x='"' * 1_600_000)))
        assert len(peer.received) == 1
    assert (name, retriable) == ("LimitExceeded", False)
    assert "Lambda takes 6,291,456 of an invocation" in message


def test_what_has_no_canonical_form_is_not_sent(time: Time) -> None:
    with Peer(runs(lambda _: answers(200, None))).running() as peer:
        name, _, retriable = error_of(call(peer, time, keys=Keys(KEY), event=event(n=10**400)))
        assert peer.received == []
    assert (name, retriable) == ("Unsendable", False)


@pytest.mark.parametrize(
    ("text", "arn", "path"),
    [
        (ARN, ARN, "/api/inngest"),
        (f"{ARN}:live", f"{ARN}:live", "/api/inngest"),
        (f"{ARN}:$LATEST/x/y", f"{ARN}:$LATEST", "/x/y"),
        (f"{ARN}/", ARN, "/"),
    ],
)
def test_endpoints(text: str, arn: str, path: str) -> None:
    found = endpoint_of(text)
    assert (found.arn, found.path, found.url) == (arn, path, f"https://shop_app.lambda{path}")


@pytest.mark.parametrize(
    "text", ["", "Shop_app", "arn:aws:sqs:eu-west-1:123456789012:q", ARN + " ", "https://a.example"]
)
def test_what_is_no_endpoint(time: Time, text: str) -> None:
    with pytest.raises(UserError, match="is not the ARN of a Lambda function"):
        endpoint_of(text)
    with Peer(lambda _: None).running() as peer:
        assert error_of(call(peer, time, text))[0] == "AppMissing"


def test_other_requests_than_calls_have_events_too() -> None:
    found = event_of("GET", "https://shop.lambda/x?a=&b=c", {}, b"", now_ms=5, request_id="r")
    assert (found["queryStringParameters"], found["requestContext"]["timeEpoch"]) == ({"a": "", "b": "c"}, 5)
    assert "body" not in found


PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(FIELDS), inner),
    max_leaves=12,
)


@given(st.binary() | PAYLOADS.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_no_payload_breaks_the_reading(payload: bytes, failed: bool) -> None:
    try:
        found = answer_of(Invoked(payload, failed=failed))
    except Broken:
        return
    if isinstance(found, ErrorInfo):
        assert failed
        found.model_dump_json()
    else:
        assert isinstance(reply_of(found, now_ms=0, signing_key=KEY), Raised | Returned | Operations)
