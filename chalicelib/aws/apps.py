"""The functions table: each synced app in one item; in another the version of all of them, and what is paused."""

from __future__ import annotations

import base64
import zlib

from chalicelib.aws import keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, TransactionRefused, Write
from chalicelib.aws.marshalling import Item
from chalicelib.core import function_pauses, limits
from chalicelib.core.apps import App
from chalicelib.core.errors import LimitExceeded
from chalicelib.core.function_pauses import Paused, Registered

# Beyond this an app is stored compressed. Not in S3: its configuration must outlive the bucket's backstop.
_PLAIN_BYTES = 32 * 1024
# An item may have 400 KB.
_MOST_BYTES = 380 * 1024


class DynamoApps:
    """Implements engine.app_ports.Apps."""

    def __init__(self, dynamo: Dynamo, table: str) -> None:
        self._dynamo = dynamo
        self._table = table

    def version(self) -> int:
        return self.registered().version

    def registered(self) -> Registered:
        item = self._dynamo.get(self._table, *keys.REGISTRY)
        if item is None:
            return Registered()
        return Registered(int(item["ver"]), int(item.get("pauses", 0)), function_pauses.read(item.get("paused")))

    def set_paused(self, paused: Paused, *, seen: int) -> bool:
        write = Write(
            self._table,
            keys.REGISTRY,
            update="SET paused = :paused, pauses = :next, ver = if_not_exists(ver, :zero)",
            condition="attribute_not_exists(pauses) OR pauses = :seen",
            values={"paused": function_pauses.dump(paused), "next": seen + 1, "seen": seen, "zero": 0},
        )
        try:
            self._dynamo.update(write)
        except ConditionFailed:
            return False
        return True

    def all(self) -> list[App]:
        rows = self._dynamo.query(self._table, "pk = :pk", {"pk": keys.APPS})
        return [App.read(_unpacked(item)) for item in rows]

    def put(self, app: App, *, seen: int, nonce: str) -> bool:
        item = _packed(app)
        if app.removed_at_ms is not None:
            # What is left of it are functions that nothing waits for any more by then.
            item["expires_at"] = (app.removed_at_ms + limits.RETIRED_KEPT_MS) // 1000
        registry = Write(
            self._table,
            keys.REGISTRY,
            # What is paused stays so.
            update="SET ver = :next, nonce = :nonce",
            condition="attribute_not_exists(pk) OR ver = :seen",
            values={"next": seen + 1, "nonce": nonce, "seen": seen},
        )
        try:
            self._dynamo.transact([Write(self._table, (keys.APPS, app.id), item=item), registry])
        except TransactionRefused as refused:
            there = refused.failed.get(1)
            return there is not None and there.get("nonce") == nonce
        return True


def _packed(app: App) -> Item:
    text = app.dump()
    body = text.encode()
    if len(body) <= _PLAIN_BYTES:
        return {"app": text}
    packed = base64.b64encode(zlib.compress(body, 9)).decode()
    if len(packed) > _MOST_BYTES:
        raise LimitExceeded(
            f"the configuration of the app takes {len(packed) // 1024} KB compressed; the limit is "
            f"{_MOST_BYTES // 1024} KB: serve its functions as several apps"
        )
    return {"packed": packed}


def _unpacked(item: Item) -> str:
    if "app" in item:
        return str(item["app"])
    return zlib.decompress(base64.b64decode(item["packed"])).decode()
