"""SQS's operations on the queues."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.testing.memory.queues import MOST_DELAY_S, MOST_HIDDEN_S, Message, Queue
from chalicelib.testing.memory.refusals import Refused, only

Answer = dict[str, Any]

_BYTES = 1024 * 1024
_MOST = 10
_REFUSED_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_SYSTEM_ATTRIBUTES: dict[str, Callable[[Message], int]] = {
    "SentTimestamp": lambda message: message.sent_at_ms,
    "ApproximateReceiveCount": lambda message: message.receives,
    "ApproximateFirstReceiveTimestamp": lambda message: message.first_received_at_ms,
}
_QUEUE_ATTRIBUTES: dict[str, Callable[[Queue], str]] = {
    "ApproximateNumberOfMessages": lambda queue: str(queue.depth().visible),
    "ApproximateNumberOfMessagesNotVisible": lambda queue: str(queue.depth().in_flight),
    "ApproximateNumberOfMessagesDelayed": lambda queue: str(queue.depth().delayed),
    "QueueArn": lambda queue: queue.arn,
    "VisibilityTimeout": lambda queue: str(queue.visibility_s),
    "MessageRetentionPeriod": lambda queue: str(queue.retention_s),
}


class Sqs:
    """The queues of an account, by their names."""

    def __init__(self, region: str, account_id: str) -> None:
        self._region = region
        self._account_id = account_id
        self.queues: dict[str, Queue] = {}

    def create_queue(self, properties: Mapping[str, Any]) -> Queue:
        """Make a queue as CloudFormation's properties describe it, but for its dead letters."""
        name = properties["QueueName"]
        queue = Queue(
            name,
            url=f"https://sqs.{self._region}.amazonaws.com/{self._account_id}/{name}",
            arn=f"arn:aws:sqs:{self._region}:{self._account_id}:{name}",
            visibility_s=int(properties.get("VisibilityTimeout", 30)),
            retention_s=int(properties["MessageRetentionPeriod"]),
        )
        self.queues[name] = queue
        return queue

    def clear(self) -> None:
        """Forget all messages."""
        for queue in self.queues.values():
            queue.clear()

    def at(self, url: str) -> Queue | None:
        """The queue with this address, if it is here."""
        queue = self.queues.get(url.rsplit("/", 1)[-1])
        return queue if queue is not None and queue.url == url else None

    def owns(self, request: Mapping[str, Any]) -> bool:
        """Whether the request is about a queue that is here."""
        return self.at(str(request.get("QueueUrl"))) is not None

    def answer(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """What SQS answers. Raises Refused, or NotImplementedError."""
        queue = self.at(request["QueueUrl"])
        assert queue is not None
        match operation:
            case "ReceiveMessage":
                return _receive(queue, request)
            case "SendMessage":
                return _sent(_send(queue, request, known=("QueueUrl",)))
            case "DeleteMessage":
                only(request, ("QueueUrl", "ReceiptHandle"), operation)
                queue.delete(request["ReceiptHandle"])
                return {}
            case "ChangeMessageVisibility":
                _hide(queue, request, known=("QueueUrl",))
                return {}
            case "GetQueueAttributes":
                return _attributes(queue, request)
            case "SendMessageBatch":
                _refuse_large(request["Entries"])
                return _batch(request, lambda entry: _sent(_send(queue, entry, known=("Id",))))
            case "DeleteMessageBatch":
                return _batch(request, lambda entry: queue.delete(entry["ReceiptHandle"]))
            case "ChangeMessageVisibilityBatch":
                return _batch(request, lambda entry: _hide(queue, entry, known=("Id",)))
            case "DeleteQueue":
                del self.queues[queue.name]
                return {}
        raise NotImplementedError(f"SQS's {operation}")


def _receive(queue: Queue, request: Mapping[str, Any]) -> Answer:
    only(
        request,
        (
            "QueueUrl",
            "MaxNumberOfMessages",
            "VisibilityTimeout",
            "MessageAttributeNames",
            "MessageSystemAttributeNames",
            # Nothing comes while the caller waits: the clock is moved by whoever calls.
            "WaitTimeSeconds",
        ),
        "ReceiveMessage",
    )
    most = _within(request, "MaxNumberOfMessages", 1, _MOST, default=1)
    hidden_s = _within(request, "VisibilityTimeout", 0, MOST_HIDDEN_S, default=queue.visibility_s)
    _within(request, "WaitTimeSeconds", 0, 20, default=0)
    messages = [_shown(message, request) for message in queue.receive(most, hidden_s)]
    return {"Messages": messages} if messages else {}


def _shown(message: Message, request: Mapping[str, Any]) -> Answer:
    shown: Answer = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "MD5OfBody": _md5(message.body),
    }
    names = request.get("MessageSystemAttributeNames", [])
    wanted = _SYSTEM_ATTRIBUTES if "All" in names else names
    if wanted:
        shown["Attributes"] = {name: str(_known(_SYSTEM_ATTRIBUTES, name)(message)) for name in wanted}
    names = request.get("MessageAttributeNames", [])
    if names not in ([], ["All"]):
        raise NotImplementedError(f"ReceiveMessage with MessageAttributeNames {names}")
    if names and message.attributes:
        shown["MessageAttributes"] = message.attributes
    return shown


def _known(table: Mapping[str, Any], name: str) -> Any:
    if name not in table:
        raise NotImplementedError(f"the attribute {name}")
    return table[name]


def _send(queue: Queue, request: Mapping[str, Any], known: Sequence[str]) -> Message:
    only(request, (*known, "MessageBody", "DelaySeconds", "MessageAttributes"), "SendMessage")
    body = request.get("MessageBody")
    if not body:
        raise Refused("MissingParameter", "The request must contain the parameter MessageBody.")
    if _REFUSED_CHARACTERS.search(body):
        raise Refused("InvalidMessageContents", "Invalid characters found.")
    if _size(request) > _BYTES:
        raise Refused(
            "InvalidParameterValue", f"One or more parameters are invalid. Message must be shorter than {_BYTES} bytes."
        )
    attributes = request.get("MessageAttributes", {})
    if any(set(value) != {"DataType", "StringValue"} for value in attributes.values()):
        raise NotImplementedError("message attributes other than texts")
    return queue.send(body, attributes, _within(request, "DelaySeconds", 0, MOST_DELAY_S, default=0))


def _size(message: Mapping[str, Any]) -> int:
    size = len(str(message.get("MessageBody", "")).encode("utf-8", "surrogatepass"))
    for name, value in message.get("MessageAttributes", {}).items():
        size += sum(len(str(text).encode()) for text in (name, *value.values()))
    return size


def _sent(message: Message) -> Answer:
    return {"MessageId": message.id, "MD5OfMessageBody": _md5(message.body)}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _hide(queue: Queue, request: Mapping[str, Any], known: Sequence[str]) -> None:
    only(request, (*known, "ReceiptHandle", "VisibilityTimeout"), "ChangeMessageVisibility")
    queue.hide(request["ReceiptHandle"], _within(request, "VisibilityTimeout", 0, MOST_HIDDEN_S, default=None))


def _within(request: Mapping[str, Any], name: str, least: int, most: int, *, default: int | None) -> int:
    value = request.get(name, default)
    if value is None:
        raise Refused("MissingParameter", f"The request must contain the parameter {name}.")
    if not least <= value <= most:
        reason = f"Must be between {least} and {most}, if provided."
        raise Refused("InvalidParameterValue", f"Value {value} for parameter {name} is invalid. Reason: {reason}")
    return int(value)


def _attributes(queue: Queue, request: Mapping[str, Any]) -> Answer:
    only(request, ("QueueUrl", "AttributeNames"), "GetQueueAttributes")
    return {"Attributes": {name: _known(_QUEUE_ATTRIBUTES, name)(queue) for name in request["AttributeNames"]}}


def _refuse_large(entries: Sequence[Mapping[str, Any]]) -> None:
    if sum(map(_size, entries)) > _BYTES:
        raise Refused(
            "AWS.SimpleQueueService.BatchRequestTooLong", f"Batch requests cannot be longer than {_BYTES} bytes."
        )


def _batch(request: Mapping[str, Any], do: Callable[[Mapping[str, Any]], Answer | None]) -> Answer:
    """Each entry by itself: one that is refused keeps none of the others."""
    only(request, ("QueueUrl", "Entries"), "a batch")
    entries = request["Entries"]
    if not entries:
        raise Refused("AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > _MOST:
        raise Refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", f"Maximum number of entries is {_MOST}.")
    ids = [entry["Id"] for entry in entries]
    if len(set(ids)) < len(ids):
        raise Refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", f"Ids are repeated: {ids}.")
    if not all(map(_ENTRY_ID.fullmatch, ids)):
        raise Refused("AWS.SimpleQueueService.InvalidBatchEntryId", f"An Id is none: {json.dumps(ids)}.")
    done: dict[str, list[Answer]] = {"Successful": [], "Failed": []}
    for entry in entries:
        try:
            done["Successful"].append({"Id": entry["Id"], **(do(entry) or {})})
        except Refused as refused:
            told = {"Code": refused.code, "Message": refused.message, "SenderFault": True}
            done["Failed"].append({"Id": entry["Id"], **told})
    return {name: found for name, found in done.items() if found}
