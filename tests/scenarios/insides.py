"""What these stories need that no user does: raw items, and processes that die."""

from __future__ import annotations

import dataclasses
from typing import Any

from chalicelib.core.calls import CallRequest, Reply
from chalicelib.engine.ports import Driver
from chalicelib.testing import Stepwell
from chalicelib.testing.session import kit_session


def items(kit: Stepwell, table: str) -> list[dict[str, Any]]:
    """All items of a table, with plain values."""
    client: Any = kit_session().create_client("dynamodb")
    name = getattr(kit.platform.config, f"table_{table}")
    found = client.scan(TableName=name)["Items"]
    return [{key: _plain(value) for key, value in item.items()} for item in found]


def put_item(kit: Stepwell, table: str, item: dict[str, Any]) -> None:
    """Write one item as it is."""
    client: Any = kit_session().create_client("dynamodb")
    typed = {key: {"N": str(value)} if isinstance(value, int) else {"S": value} for key, value in item.items()}
    client.put_item(TableName=getattr(kit.platform.config, f"table_{table}"), Item=typed)


def _plain(typed: dict[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    return int(value) if kind == "N" else value


class Died(BaseException):
    """The process is gone: nothing that follows is done."""


class Failing:
    """A driver that raises `error` for the first `times` calls that run code, instead of calling."""

    def __init__(self, driver: Driver, error: BaseException, times: int = 1 << 30) -> None:
        self._driver = driver
        self._error = error
        self.left = times

    def call(self, request: CallRequest) -> Reply:
        if self.left > 0 and not request.plan_only:
            self.left -= 1
            raise self._error
        return self._driver.call(request)


def replace_services(kit: Stepwell, **services: Any) -> None:
    """Other services for what is delivered from now on."""
    replaced = dataclasses.replace(kit.platform.services, **services)
    kit.platform = kit.pump.platform = dataclasses.replace(kit.platform, services=replaced)


def break_driver(kit: Stepwell, error: BaseException, times: int = 1 << 30) -> Failing:
    """Have the next calls of functions fail so; set `left` to 0 to mend it."""
    failing = Failing(kit.platform.services.driver, error, times)
    replace_services(kit, driver=failing)
    return failing


def drain_dying(kit: Stepwell) -> int:
    """Deliver until nothing is visible, while processes die; how many did."""
    died = 0
    while True:
        try:
            kit.drain()
        except Died:
            died += 1
            continue
        return died


class Slow:
    """An adapter each of whose calls takes its time by the kit's clock."""

    def __init__(self, adapter: Any, kit: Stepwell, takes_ms: int) -> None:
        self._adapter = adapter
        self._kit = kit
        self._takes_ms = takes_ms

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._adapter, name)

        def taking_its_time(*args: Any, **kwargs: Any) -> Any:
            answer = call(*args, **kwargs)
            self._kit.advance_only(f"{self._takes_ms}ms")
            return answer

        return taking_its_time
