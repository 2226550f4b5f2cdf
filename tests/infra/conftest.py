"""An emulated AWS for the tests of this folder, started once per test process."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.session import Session

from infra.deploy.account import Account
from infra.local import cloud, stack
from infra.local.settings import ACCOUNT, REGION


@pytest.fixture(scope="session")
def aws() -> Iterator[cloud.Cloud]:
    """The stack of infra/template.yaml in an emulator that forgets everything."""
    with cloud.start() as running:
        yield running


@pytest.fixture(scope="session")
def sqs(aws: cloud.Cloud) -> Any:
    """A client for its queues."""
    return stack.client("sqs", aws.endpoint)


@pytest.fixture
def make_queue(sqs: Any) -> Callable[..., str]:
    """Makes a queue of the test's own; returns its URL. Attributes are SQS's, by name."""

    def make(**attributes: str) -> str:
        url: str = sqs.create_queue(QueueName=f"test-{uuid.uuid4().hex}", Attributes=attributes)["QueueUrl"]
        return url

    return make


@pytest.fixture(scope="session")
def account(aws: cloud.Cloud) -> Account:
    """The emulator's account, as the deployment sees it."""
    session = Session()
    session.set_credentials("test", "test")
    session.set_config_variable("region", REGION)
    return Account(session, ACCOUNT, REGION, aws.endpoint)
