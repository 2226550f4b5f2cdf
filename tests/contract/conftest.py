"""The adapters on all emulators, made from the same template: the kit's own and moto in this process, ministack in its
own."""

from __future__ import annotations

import functools
import itertools
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import botocore.session
import pytest
from moto import mock_aws

from chalicelib import config, wiring
from chalicelib.aws.room import Room, furnish
from chalicelib.core import ids
from chalicelib.testing import cloud as kit_cloud
from chalicelib.testing import memory
from infra.local import cloud
from tests.bench.meter import EmulatorSession
from tests.contract import moto_cloud

NOW_MS = 1_800_000_000_000
STAMP_S = NOW_MS // 1000 + 90 * 86_400


@dataclass
class World:
    """The adapters, and the session that they were made with, for what they do not offer."""

    room: Room
    session: botocore.session.Session
    config: config.Config
    emulator: str
    _numbers: Iterator[int]
    _clients: dict[str, Any] = field(default_factory=dict)

    def new(self) -> str:
        """An id that no other test uses."""
        return ids.ulid(NOW_MS + next(self._numbers), uuid.uuid4().bytes)

    def name(self) -> str:
        """An event name that no other test uses."""
        return f"contract/{uuid.uuid4().hex}"

    def again(self, threads: int = 1) -> Room:
        """The same adapters as another process would have them: nothing remembered."""
        return furnish(wiring.names(self.config), lambda: STAMP_S, self.session, threads=threads)

    def client(self, service: str) -> Any:
        """A client of the tests' own."""
        if service not in self._clients:
            self._clients[service] = self.session.create_client(service)
        return self._clients[service]

    def item(self, table: str, pk: str, sk: str) -> dict[str, Any] | None:
        """An item as it lies in the table."""
        answer = self.client("dynamodb").get_item(
            TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        )
        found = answer.get("Item")
        return None if found is None else {key: next(iter(value.values())) for key, value in found.items()}

    def receive(self, url: str) -> list[str]:
        """The bodies of all messages that are there; they are deleted."""
        sqs, bodies = self.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
            for message in messages:
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


@pytest.fixture(scope="session")
def aws() -> Iterator[cloud.Cloud]:
    """One ministack for the whole session."""
    with cloud.start() as running:
        yield running


@pytest.fixture(scope="module", params=["memory", pytest.param("moto", marks=pytest.mark.whole), "ministack"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The adapters on one emulator. Tests share its tables, and so make ids of their own."""
    if request.param == "ministack":
        running: cloud.Cloud = request.getfixturevalue("aws")
        session: botocore.session.Session = EmulatorSession(running.endpoint)
        yield _world(config.load(running.env), session, "ministack")
        return
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": kit_cloud.REGION}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        assert "AWS_ENDPOINT_URL" not in os.environ
        session = botocore.session.get_session()
        if request.param == "memory":
            with memory.serving(kit_cloud.open_account()):
                kit_cloud.create_bucket(session)
                yield _world(config.load(kit_cloud.variables()), session, "memory")
        else:
            with mock_aws():
                yield _world(config.load(moto_cloud.create(session)), session, "moto")


def _world(settings: config.Config, session: botocore.session.Session, emulator: str) -> World:
    session.register("provide-client-params.dynamodb.*", _refuse_reserved_words)
    room = furnish(wiring.names(settings), lambda: STAMP_S, session)
    return World(room, session, settings, emulator, itertools.count())


@pytest.fixture(scope="module")
def ministack(aws: cloud.Cloud) -> World:
    """The adapters on ministack alone, where threads are real."""
    return _world(config.load(aws.env), EmulatorSession(aws.endpoint), "ministack")


_SYNTAX = {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"}
_EXPRESSIONS = ("UpdateExpression", "ConditionExpression", "KeyConditionExpression", "FilterExpression")


def _refuse_reserved_words(**call: Any) -> None:
    """DynamoDB refuses its reserved words as names in expressions; the emulators let some pass."""
    params: dict[str, Any] = call["params"]
    requests = [params, *(one for op in params.get("TransactItems", []) for one in op.values())]
    for expression in (request[name] for request in requests for name in _EXPRESSIONS if name in request):
        names = re.findall(r"(?<![:#\w])[A-Za-z_]\w*(?!\w*\()", expression)
        reserved = {name for name in names if name.upper() not in _SYNTAX and name.upper() in _reserved_words()}
        assert not reserved, f"reserved words in {expression!r}: {reserved}"


@functools.cache
def _reserved_words() -> frozenset[str]:
    from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

    return frozenset(ReservedKeywords.get_reserved_keywords())
