"""An account of AWS in memory."""

from __future__ import annotations

from chalicelib.testing.memory.dynamodb import DynamoDB
from chalicelib.testing.memory.sqs import Sqs


class Account:
    """Its tables and its queues. `missing` is what was asked for and is not known here."""

    def __init__(self, region: str, account_id: str) -> None:
        self.dynamodb = DynamoDB()
        self.sqs = Sqs(region, account_id)
        self.missing: list[NotImplementedError] = []

    def clear(self) -> None:
        """Forget all items and messages."""
        self.dynamodb.clear()
        self.sqs.clear()
