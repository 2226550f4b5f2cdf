"""The dead-letter queues. Bodies travel as they are: a claim check stays one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.dynamo import translate
from chalicelib.aws.queues import claim_of
from chalicelib.core.errors import InfrastructureError
from chalicelib.engine.operator_ports import Letter, SourceQueue
from chalicelib.engine.ports import QueueName

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
# Regions differ in how much a batch may hold; this much it may everywhere.
_BATCH_BYTES = 256 * 1024


class SqsDeadLetters:
    """Implements engine.operator_ports.DeadLetters."""

    def __init__(self, client: SQSClient, live_urls: tuple[str, str], dead_urls: tuple[str, str]) -> None:
        """The queues' addresses: of events, of work."""
        self._client = client
        self._live = {QueueName.EVENTS: live_urls[0], QueueName.WORK: live_urls[1]}
        self._dead = {QueueName.EVENTS: dead_urls[0], QueueName.WORK: dead_urls[1]}

    def _call(self, operation: Callable[..., Any], **request: Any) -> Any:
        try:
            return operation(**request)
        except (ClientError, BotoCoreError) as error:
            raise translate(error) from error

    def put(self, queue: SourceQueue, body: str, attributes: Mapping[str, str]) -> None:
        self._call(
            self._client.send_message,
            QueueUrl=self._dead[queue],
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def receive(self, queue: SourceQueue, most: int, *, hidden_s: int, wait_s: int) -> list[Letter]:
        answer = self._call(
            self._client.receive_message,
            QueueUrl=self._dead[queue],
            MaxNumberOfMessages=min(most, _BATCH),
            VisibilityTimeout=hidden_s,
            WaitTimeSeconds=wait_s,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return [_letter(queue, message) for message in answer.get("Messages", [])]

    def show_again(self, letters: Sequence[Letter]) -> None:
        for url, chunk in self._chunks(letters, self._dead):
            entries = [
                {"Id": str(index), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                for index, letter in enumerate(chunk)
            ]
            # One that cannot be shown now shows itself when its time is over.
            self._call(self._client.change_message_visibility_batch, QueueUrl=url, Entries=entries)

    def send_back(self, letters: Sequence[Letter]) -> list[Letter]:
        sent = []
        for url, chunk in self._chunks(letters, self._live):
            entries = [{"Id": str(index), "MessageBody": letter.body} for index, letter in enumerate(chunk)]
            answer = self._call(self._client.send_message_batch, QueueUrl=url, Entries=entries)
            sent += [chunk[int(one["Id"])] for one in answer.get("Successful", [])]
        return sent

    def delete(self, letters: Sequence[Letter]) -> None:
        for url, chunk in self._chunks(letters, self._dead):
            entries = [{"Id": str(index), "ReceiptHandle": letter.receipt} for index, letter in enumerate(chunk)]
            answer = self._call(self._client.delete_message_batch, QueueUrl=url, Entries=entries)
            if answer.get("Failed"):
                raise InfrastructureError(f"SQS did not delete {len(answer['Failed'])} of {len(entries)} letters")

    def _chunks(self, letters: Sequence[Letter], urls: Mapping[QueueName, str]) -> Iterator[tuple[str, list[Letter]]]:
        """Letters of one queue, as many as fit into a request."""
        for queue, url in urls.items():
            chunk: list[Letter] = []
            size = 0
            for letter in (one for one in letters if one.queue == queue):
                more = len(letter.body.encode())
                if chunk and (len(chunk) == _BATCH or size + more > _BATCH_BYTES):
                    yield url, chunk
                    chunk, size = [], 0
                chunk.append(letter)
                size += more
            if chunk:
                yield url, chunk


def _letter(queue: SourceQueue, message: Any) -> Letter:
    attributes = message.get("MessageAttributes", {})
    return Letter(
        id=message["MessageId"],
        queue=queue,
        body=message["Body"],
        attributes={name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value},
        sent_at_ms=int(message.get("Attributes", {}).get("SentTimestamp", 0)),
        receipt=message["ReceiptHandle"],
        payload_key=claim_of(message["Body"]),
    )
