"""A queue as the pump needs it: receive and delete, on one kept connection.

Measured against the emulator: an empty receive costs 0.15 ms of CPU this way and 1.3 ms through boto3, and
the pump shares its interpreter with the functions that it feeds. Only the emulator is spoken to, so nothing
is signed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from infra.local.settings import REGION

ANSWER_WITHIN_S = 30.0
CREDENTIAL = f"AWS4-HMAC-SHA256 Credential=test/20200101/{REGION}/sqs/aws4_request, SignedHeaders=host, Signature=0"


class WireError(Exception):
    """The queue did not answer, or answered with an error."""


class QueueWire:
    """One queue over one connection; each thread has its own."""

    def __init__(self, endpoint: str, queue_url: str) -> None:
        parts = urlsplit(endpoint)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=ANSWER_WITHIN_S
        )
        self._queue_url = queue_url

    def receive(self, most: int, wait_s: int) -> list[dict[str, Any]]:
        """At most ``most`` messages, waiting up to ``wait_s`` seconds for the first."""
        answer = self._call(
            "ReceiveMessage",
            {
                "MaxNumberOfMessages": most,
                "WaitTimeSeconds": wait_s,
                "AttributeNames": ["All"],
                "MessageAttributeNames": ["All"],
            },
        )
        messages: list[dict[str, Any]] = answer.get("Messages") or []
        return messages

    def delete(self, receipts: list[str]) -> None:
        """Acknowledge messages. One whose receipt has gone stale is left to its next delivery."""
        if not receipts:
            return
        entries = [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(receipts)]
        self._call("DeleteMessageBatch", {"Entries": entries})

    def close(self) -> None:
        """Close the connection; the next call would open it again."""
        self._connection.close()

    def _call(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"QueueUrl": self._queue_url, **parameters}).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AmazonSQS.{action}",
            "Authorization": CREDENTIAL,
        }
        try:
            with contextlib.suppress(http.client.RemoteDisconnected, BrokenPipeError):
                return self._once(action, body, headers)
            self.close()  # The kept connection had been closed while idle: once more on a new one.
            return self._once(action, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise WireError(f"{action}: {error}") from error

    def _once(self, action: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        self._connection.request("POST", "/", body, headers)
        response = self._connection.getresponse()
        payload = response.read()
        if response.status >= 400:
            raise WireError(f"{action}: {response.status} {payload[:300].decode(errors='replace')}")
        answer: dict[str, Any] = json.loads(payload) if payload else {}
        return answer
