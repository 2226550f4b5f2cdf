"""A function is called by the driver that its configuration names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from chalicelib import wiring
from chalicelib.core.calls import Raised, Reply, Returned
from chalicelib.core.functions import FunctionConfig
from chalicelib.drivers.dispatch import Dispatcher
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import start_stepwell
from tests.unit.drivers.peers import Peer, config, http, request


@function(fn_id="here", trigger=TriggerEvent(event="shop/order"))
def here(_ctx: Context) -> str:
    return "here"


class Known:
    """A catalog of these functions."""

    def __init__(self, *configs: FunctionConfig) -> None:
        self._configs = {config.id: config for config in configs}

    def get(self, fn_id: str) -> FunctionConfig | None:
        return self._configs.get(fn_id)

    def configs(self) -> Sequence[FunctionConfig]:
        return tuple(self._configs.values())


def test_functions_of_this_deployment_of_apps_and_of_lambdas() -> None:
    with start_stepwell([here]) as kit, Peer(lambda _: http(200, b'"there"')).running() as peer:
        over_http = config(peer.url)
        nowhere = over_http.model_copy(update={"id": "nowhere", "driver": "lambda", "endpoint": "arn:nothing"})
        own = kit.platform.services.catalog.configs()
        platform = kit.platform
        drivers = wiring.app_drivers(platform.config, platform.room, platform.clock, platform.keyring)
        assert drivers.keys() == {"http", "lambda", "endpoint"}
        dispatcher = Dispatcher(Known(over_http, nowhere, *own), platform.services.driver, drivers)

        def reply(fn_id: str) -> Reply:
            return dispatcher.call(request(fn_id=fn_id))

        assert reply("here") == Returned("here", 6)
        for _ in range(2):
            assert reply("shop-order") == Returned("there", 7)
        assert peer.connections == 1, "the driver is made once"
        missing = reply("nowhere")
        assert isinstance(missing, Raised)
        assert "'arn:nothing' is not the ARN of a Lambda function" in missing.error.message


def test_a_driver_that_this_deployment_lacks() -> None:
    with start_stepwell([here]) as kit:
        reply = Dispatcher(Known(config("http://a.example")), kit.platform.services.driver, {}).call(request())
    assert isinstance(reply, Raised)
    assert (reply.error.name, reply.retriable) == ("DriverMissing", True)


@pytest.mark.parametrize("name", ["http", "lambda", "endpoint"])
def test_making_the_drivers_imports_nothing_that_a_cold_start_would_pay_for(name: str) -> None:
    code = (
        "import sys; from chalicelib import wiring; drivers = wiring.app_drivers(None, None, None, None); "
        f"assert {name!r} in drivers; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    late = ("chalicelib.core.sdk_protocol", "chalicelib.drivers.http", "chalicelib.drivers.transport", "urllib3")
    assert [module for module in done.stdout.split() if module.startswith(late)] == []
