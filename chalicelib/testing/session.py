"""The session of the kit: moto answers in this process, one call at a time."""

from __future__ import annotations

import threading
from typing import Any

import botocore.session
from botocore.config import Config

# moto copies and changes its tables without a lock of its own: calls of several threads lose writes, or fail.
_ONE_AT_A_TIME = threading.RLock()


class MotoSession(botocore.session.Session):
    """Makes each client once: moto answers all of them, whenever they were made, and making one takes as long as a
    dozen calls. Its clients may be called by several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[tuple[str, str], Any] = {}

    def create_client(self, service_name: str, *, config: Config | None = None) -> Any:  # type: ignore[override]
        key = service_name, "" if config is None else repr(sorted(vars(config).items(), key=lambda item: item[0]))
        if key not in self._made:
            self._made[key] = _one_at_a_time(super().create_client(service_name, config=config))
        return self._made[key]


def _one_at_a_time(client: Any) -> Any:
    """The client, whose calls wait for those of every other."""
    answer = client._endpoint.make_request

    def make_request(operation_model: Any, request_dict: Any) -> Any:
        with _ONE_AT_A_TIME:
            return answer(operation_model, request_dict)

    client._endpoint.make_request = make_request
    return client
