"""The AWS account and region that a command works in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, NoRegionError
from botocore.session import Session

from infra.deploy.problems import code

PROJECT = Path(__file__).resolve().parents[2]
APP = "stepwell"


@dataclass
class Account:
    """Where we are. ``session`` is botocore's, and chalice's, too; ``endpoint`` is an emulator's, else empty."""

    session: Session
    account_id: str
    region: str
    endpoint: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client, made once. Retries are botocore's standard ones."""
        if service not in self._clients:
            config = Config(retries={"mode": "standard", "max_attempts": 6}, user_agent_extra="stepwell-deploy")
            self._clients[service] = self.session.create_client(
                service, region_name=self.region, endpoint_url=self.endpoint or None, config=config
            )
        return self._clients[service]

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        """The items of all pages of a list."""
        for page in self.client(service).get_paginator(operation).paginate(**arguments):
            yield from page.get(key, [])

    def __str__(self) -> str:
        return f"account {self.account_id}, {self.region}" + (f", at {self.endpoint}" if self.endpoint else "")


def connect(region: str | None = None, profile: str | None = None, env: Mapping[str, str] = os.environ) -> Account:
    """The account of the credentials that boto3 finds. Raises botocore's errors; `problems.explain` knows them.

    AWS_REGION is honoured as in Lambda; botocore alone reads AWS_DEFAULT_REGION only.
    """
    session = Session(profile=profile)
    chosen = region or env.get("AWS_REGION") or session.get_config_variable("region")
    if not chosen:
        raise NoRegionError
    session.set_config_variable("region", chosen)
    sts: Any = session.create_client("sts")
    account_id = sts.get_caller_identity()["Account"]
    return Account(session, account_id, sts.meta.region_name, env.get("AWS_ENDPOINT_URL", ""))


def absent(error: ClientError) -> bool:
    """Whether AWS says that the thing is not there."""
    name = code(error)
    missing = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")
    return name == "404" or any(word in name for word in missing) or "does not exist" in str(error)
