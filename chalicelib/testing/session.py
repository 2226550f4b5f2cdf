"""Sessions whose clients are answered by AWS in this process."""

from __future__ import annotations

import functools
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config

from chalicelib.testing.memory import wire
from chalicelib.testing.memory.refusals import Refused

_IN_MEMORY = ("dynamodb", "sqs")


class LastingSession(botocore.session.Session):
    """Makes each client once: all of them are answered by the same, whenever they were made, and making one takes as
    long as dozens of calls."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[tuple[str, str], Any] = {}

    def create_client(self, service_name: str, *, config: Config | None = None) -> Any:  # type: ignore[override]
        key = service_name, "" if config is None else repr(sorted(vars(config).items(), key=lambda item: item[0]))
        if key not in self._made:
            self._made[key] = self._make(service_name, config or Config())
        return self._made[key]

    def _make(self, service_name: str, config: Config) -> Any:
        return super().create_client(service_name, config=config)


class UnsignedSession(LastingSession):
    """Whoever answers in memory asks for no signature, and that is a third of what a call costs. (moto finds the region
    of a queue of one's own in the signature.)"""

    def _make(self, service_name: str, config: Config) -> Any:
        if service_name in _IN_MEMORY:
            config = config.merge(Config(signature_version=UNSIGNED))
        return super()._make(service_name, config)


class KitSession(LastingSession):
    """The kit's: its clients ask the account in memory themselves, which takes a tenth of the way through botocore.
    Listeners to botocore's events hear nothing of such calls."""

    def _make(self, service_name: str, config: Config) -> Any:
        client = super()._make(service_name, config)
        return _asking_directly(client, service_name) if service_name in _IN_MEMORY else client


@functools.cache
def kit_session() -> KitSession:
    """One for the process: it keeps the descriptions of the services, which take longest to read."""
    return KitSession()


def _asking_directly(client: Any, service: str) -> Any:
    through_botocore = client._make_api_call

    def make_api_call(operation: str, request: dict[str, Any]) -> Any:
        try:
            found = wire.ask(service, operation, request)
        except Refused as refused:
            told = {"Error": {"Code": refused.code, "Message": refused.message}, **refused.more}
            raise client.exceptions.from_code(refused.code)(told, operation) from None
        return through_botocore(operation, request) if found is None else found

    client._make_api_call = make_api_call
    return client
