"""The two queues. Bodies that are too large for a message travel by claim check."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.dynamo import translate
from chalicelib.aws.payloads import Payloads, is_key
from chalicelib.core.errors import InfrastructureError
from chalicelib.core.messages import AnyEventMessage, AnyWorkMessage, TurnMessage
from chalicelib.engine.ports import QueueDepth, QueueName

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# SQS bills a request per 64 KB, and a batch of ten such bodies stays under its limit of 1 MiB.
_INLINE_BYTES = 64 * 1024
_CLAIM = "stepwell_claim"
_DEPTH: dict[str, Any] = {
    "visible": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


def unpack(body: str, payloads: Payloads) -> str:
    """The body of a message, fetched if it travelled by claim check."""
    key = claim_of(body)
    return body if key is None else payloads.get(key)


def claim_of(body: str) -> str | None:
    """Where the body of a message lies, if it travelled by claim check."""
    if not body.startswith('{"' + _CLAIM + '":'):
        return None
    try:
        key = json.loads(body)[_CLAIM]
    except (ValueError, RecursionError):
        return None  # Not a body of ours: whoever reads it will say so.
    # Whoever may write into a queue names no other object.
    return key if isinstance(key, str) and is_key(key) else None


class SqsQueues:
    """Implements engine.ports.Queues, and what the entry points need to answer for a message."""

    def __init__(
        self,
        client: SQSClient,
        payloads: Payloads,
        *,
        events_url: str,
        work_url: str,
        dead_events_url: str,
        dead_work_url: str,
    ) -> None:
        self._client = client
        self._payloads = payloads
        self._events_url = events_url
        self._work_url = work_url
        self._urls = {
            QueueName.EVENTS: events_url,
            QueueName.WORK: work_url,
            QueueName.DEAD_EVENTS: dead_events_url,
            QueueName.DEAD_WORK: dead_work_url,
        }

    def _body(self, text: str) -> str:
        # The two characters that JSON writes as they are and SQS refuses.
        text = text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
        if len(text) <= _INLINE_BYTES // 4 or len(text.encode()) <= _INLINE_BYTES:
            return text
        return json.dumps({_CLAIM: self._payloads.put(text)}, separators=(",", ":"))

    def _call(self, operation: Callable[..., Any], **request: Any) -> Any:
        try:
            return operation(**request)
        except (ClientError, BotoCoreError) as error:
            raise translate(error) from error

    def send_events(self, messages: Sequence[AnyEventMessage], *, delay_s: int = 0) -> None:
        self._send(self._events_url, [self._body(message.model_dump_json()) for message in messages], delay_s)

    def _send(self, url: str, bodies: Sequence[str], delay_s: int) -> None:
        if len(bodies) == 1:
            self._call(self._client.send_message, QueueUrl=url, MessageBody=bodies[0], DelaySeconds=delay_s)
            return
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(index), "MessageBody": body, "DelaySeconds": delay_s}
                for index, body in enumerate(bodies[start : start + 10])
            ]
            answer = self._call(self._client.send_message_batch, QueueUrl=url, Entries=entries)
            if answer.get("Failed"):
                first = answer["Failed"][0]
                raise InfrastructureError(f"SQS refused {len(answer['Failed'])} messages: {first.get('Code')}")

    def send_work(self, message: AnyWorkMessage, *, delay_s: int = 0) -> None:
        self._send(self._work_url, [message.model_dump_json()], delay_s)

    def send_turns(self, messages: Sequence[TurnMessage]) -> None:
        self._send(self._work_url, [message.model_dump_json() for message in messages], 0)

    def send_anew(self, queue: QueueName, body: str, *, delay_s: int = 0) -> None:
        self._send(self._urls[queue], [body], delay_s)

    def depth(self, queue: QueueName) -> QueueDepth:
        answer = self._call(
            self._client.get_queue_attributes, QueueUrl=self._urls[queue], AttributeNames=list(_DEPTH.values())
        )
        counts = {name: int(answer["Attributes"][attribute]) for name, attribute in _DEPTH.items()}
        return QueueDepth(**counts)

    def come_back(self, queue_url: str, receipt: str, after_s: int) -> None:
        """Have a message that failed come again after so many seconds."""
        self._call(
            self._client.change_message_visibility,
            QueueUrl=queue_url,
            ReceiptHandle=receipt,
            VisibilityTimeout=after_s,
        )

    def delete(self, queue_url: str, receipt: str) -> None:
        """Acknowledge one message by hand."""
        self._call(self._client.delete_message, QueueUrl=queue_url, ReceiptHandle=receipt)
