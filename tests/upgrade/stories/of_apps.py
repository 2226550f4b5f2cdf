"""Functions of apps on an SDK, which are called over HTTP with what is memoised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from chalicelib.core.calls import CallRequest, Operations
from chalicelib.core.ids import hashed_step_id
from chalicelib.engine import checkpoints
from chalicelib.testing import Stepwell
from tests import apps
from tests.apps import AppFunction
from tests.apps import Story as Steps
from tests.scenarios.insides import replace_services
from tests.upgrade.story import DID, Story, did


class AppStory(Story):
    """A story about functions of an app."""

    app: ClassVar[Sequence[AppFunction]] = ()

    def deploy(self, kit: Stepwell) -> None:
        super().deploy(kit)

        def checkpoint(run_id: str, queue_item_id: str, reply: Operations) -> str:
            checkpoints.record(kit.platform.services, run_id, queue_item_id, reply)
            return "ok"

        replace_services(kit, **apps.serve(kit.platform.services, apps.App(self.app, checkpoint)))


AWAKE_MS = 1_767_610_800_000
"""Two hours after the kit's clock starts."""


def sleeping(_: CallRequest) -> Steps:
    first = yield apps.run("first", lambda: did("first"))
    yield apps.sleep("nap", AWAKE_MS)
    return [first, (yield apps.run("second", lambda: did("second")))]


class StepsOfAnApp(AppStory):
    """A run of an app sleeps: the app is called again with the step that had ended."""

    app = (AppFunction("shop-fn", "t/go", sleeping),)
    promised: ClassVar[Any] = (["first", "second"], ["second"])

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go")

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("3h")
        return kit.only_run("shop-fn").output, DID


def racing(_: CallRequest) -> Steps:
    def branch(name: str, until_ms: int) -> Steps:
        yield apps.sleep(f"{name}-nap", until_ms)
        return (yield apps.run(name, lambda: did(name)))

    winner = yield apps.race(branch("slow", AWAKE_MS + 3_600_000), branch("quick", AWAKE_MS))
    yield apps.sleep("afterwards", AWAKE_MS + 1_800_000)
    return winner


class RaceOfAnApp(AppStory):
    """In a run of an app a race is decided, and the order in which its steps ended stays what it was."""

    app = (AppFunction("shop-race", "t/go", racing),)
    promised: ClassVar[Any] = ((1, "quick"), True)

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go")
        kit.advance("125m")

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("4h")
        return tuple(kit.only_run("shop-race").output), "quick" not in DID


def waiting(_: CallRequest) -> Steps:
    found = yield apps.wait("answer", "t/answer", if_exp="async.data.id == event.data.id", timeout_ms=86_400_000)
    told = yield apps.signal("approval", "order-7", timeout_ms=86_400_000)
    return [found["data"]["n"], told["data"]]


class WaitsOfAnApp(AppStory):
    """A run of an app waits for an event, and then for a signal."""

    app = (AppFunction("shop-wait", "t/go", waiting),)
    promised: ClassVar[Any] = (4, "yes")

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go", {"id": 1})

    def go_on(self, kit: Stepwell) -> Any:
        kit.send("t/answer", {"id": 1, "n": 4})
        kit.send_signal("order-7", "yes")
        return kit.only_run("shop-wait").output


def reporting(request: CallRequest) -> Steps:
    first = yield apps.run("first", lambda: did("first"))
    if hashed_step_id("first", 0) not in request.steps:
        raise apps.AppError("the connection is gone")
    return [first, (yield apps.run("second", lambda: did("second")))]


class CheckpointsOfAnApp(AppStory):
    """An app has reported a step while it was called, and died: it is called again with that step."""

    app = (AppFunction("shop-report", "t/go", reporting, checkpoints=1),)
    promised: ClassVar[Any] = (["first", "second"], ["second"])

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go")

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("5m")
        return kit.only_run("shop-report").output, DID
