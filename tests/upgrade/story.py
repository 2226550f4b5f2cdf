"""A story in two halves: one release begins it, and another one brings it to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from chalicelib.core.calls import CallRequest, Reply
from chalicelib.engine.ports import Driver
from chalicelib.sdk import Function
from chalicelib.testing import Stepwell
from tests.scenarios.insides import Died, drain_dying, replace_services

DID: list[Any] = []
"""What steps did in the half that is played: what was done in the first one is not done again in the second."""


def did(what: Any) -> Any:
    """Note that a step did this, and return it."""
    DID.append(what)
    return what


class Story:
    """`begin` leaves something under way. `go_on`, with nothing but what was stored, brings it to its end and gives
    what came of it, which must be `promised`. Its docstring says what is under way in between."""

    functions: ClassVar[Sequence[Function[Any]]] = ()
    settings: ClassVar[Mapping[str, Any]] = {}
    promised: ClassVar[Any] = None

    @classmethod
    def name(cls) -> str:
        """In a file's name, and in a test's."""
        return "".join(f"-{char.lower()}" if char.isupper() else char for char in cls.__name__).strip("-")

    def begin(self, kit: Stepwell) -> None:
        """What the older release does."""
        raise NotImplementedError

    def go_on(self, kit: Stepwell) -> Any:
        """What the newer one makes of it."""
        raise NotImplementedError

    def deploy(self, kit: Stepwell) -> None:
        """Have the story's functions."""
        kit.deploy(self.functions)


def die_at_call(kit: Stepwell, number: int) -> int:
    """Let everything happen that can, but the process dies in this call of a function (from 1); how often it did."""
    replace_services(kit, driver=_Dying(kit.platform.services.driver, number))
    return drain_dying(kit)


class _Dying:
    def __init__(self, driver: Driver, number: int) -> None:
        self._driver = driver
        self._left = number

    def call(self, request: CallRequest) -> Reply:
        self._left -= 1
        if self._left == 0:
            raise Died
        return self._driver.call(request)
