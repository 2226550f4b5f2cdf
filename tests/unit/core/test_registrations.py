"""What SDKs send to register an app, read into an App."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any

import inngest
import pytest
from inngest._internal import server_lib
from inngest._internal.comm_lib.handler import get_function_configs
from inngest._internal.transforms import deep_strip_none

from chalicelib.core import registrations
from chalicelib.core.apps import App, InvalidApp
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.urls import Reach

ANYWHERE = Reach(is_open=True)
URL = "http://127.0.0.1:3000/api/inngest"


def function(**fields: Any) -> dict[str, Any]:
    """As the TypeScript SDK sends a function."""
    runtime = {"type": "http", "url": f"{URL}?fnId=shop-pay&stepId=step"}
    return {
        "id": "shop-pay",
        "name": "Pay",
        "triggers": [{"event": "shop/order.placed"}],
        "steps": {"step": {"id": "step", "name": "step", "runtime": runtime}},
        **fields,
    }


def body(*functions: object, **fields: Any) -> dict[str, Any]:
    """As the TypeScript SDK registers an app."""
    return {
        "url": URL,
        "deployType": "ping",
        "framework": "nodejs",
        "appName": "shop",
        "functions": list(functions) if functions else [function()],
        "sdk": "js:v4.24.0",
        "v": "0.1",
        "capabilities": {"trust_probe": "v1", "connect": "v1"},
        "featureObservations": {"anything": [1]},
        **fields,
    }


def read(given: object, reach: Reach = ANYWHERE) -> App:
    return registrations.read(given, reach)


def only(**fields: Any) -> FunctionConfig:
    (found,) = read(body(function(**fields))).functions
    return found


def refusal(given: object, reach: Reach = ANYWHERE) -> str:
    with pytest.raises(InvalidApp) as caught:
        read(given, reach)
    return str(caught.value)


def test_what_the_python_sdk_registers() -> None:
    client = inngest.Inngest(app_id="py app", is_production=False)

    @client.create_function(
        fn_id="hello/there ü",
        name="Hello",
        trigger=[
            inngest.TriggerEvent(event="py/hello", expression="event.data.n > 1"),
            inngest.TriggerCron(cron="0 9 * * 1", jitter="30s"),
        ],
        cancel=[inngest.Cancel(event="py/stop", if_exp="async.data.id == event.data.id", timeout=3_600_000)],
        retries=2,
        concurrency=[inngest.Concurrency(limit=2, key="event.data.id", scope="env"), inngest.Concurrency(limit=9)],
        throttle=inngest.Throttle(limit=1, period=datetime.timedelta(minutes=1)),
        rate_limit=inngest.RateLimit(limit=3, period=datetime.timedelta(hours=1)),
        debounce=inngest.Debounce(period=datetime.timedelta(seconds=5)),
        priority=inngest.Priority(run="event.data.vip ? 120 : 0"),
        singleton=inngest.Singleton(mode="skip"),
        idempotency="event.data.id",
        timeouts=inngest.Timeouts(start=60_000),
    )
    def hello(_ctx: inngest.ContextSync) -> None:
        pass

    def failed(_ctx: inngest.ContextSync) -> None:
        pass

    @client.create_function(
        fn_id="several",
        trigger=inngest.TriggerEvent(event="py/many"),
        batch_events=inngest.Batch(max_size=10, timeout=5_000),
        on_failure=failed,
    )
    def several(_ctx: inngest.ContextSync) -> None:
        pass

    configs = get_function_configs(URL, {fn.get_id(): fn for fn in (hello, several)})
    assert isinstance(configs, list)
    sent = server_lib.SynchronizeRequest(
        app_name="py app",
        deploy_type=server_lib.DeployType.PING,
        framework=server_lib.Framework.FLASK,
        functions=configs,
        sdk="py:v0.5.19",
        url=URL,
        v="0.1",
    ).to_dict()
    # With the nulls and without: an SDK may send either.
    app = read(deep_strip_none(sent))
    assert app == read(sent)

    assert (app.id, app.url, app.sdk, app.framework) == ("py app", URL, "py:v0.5.19", "flask")
    one, many, failure = app.functions
    assert (one.id, one.name, one.retries, one.driver, one.app_id) == (
        "py app-hello/there ü",
        "Hello",
        2,
        "http",
        "py app",
    )
    assert one.endpoint == URL
    assert one.wire()["triggers"] == [
        {"event": "py/hello", "expression": "event.data.n > 1"},
        {"cron": "0 9 * * 1", "jitter": "30s"},
    ]
    assert one.wire()["cancel"] == [{"event": "py/stop", "if": "async.data.id == event.data.id", "timeout": "1h"}]
    assert one.wire()["flow"] == {
        "concurrency": [{"limit": 2, "key": "event.data.id", "scope": "env"}, {"limit": 9}],
        "throttle": {"limit": 1, "period": "1m"},
        "rateLimit": {"limit": 3, "period": "1h"},
        "debounce": {"period": "5s"},
        "priority": {"run": "event.data.vip ? 120 : 0"},
        "singleton": {"mode": "skip"},
        "idempotency": "event.data.id",
        "timeouts": {"start": "1m"},
    }
    assert many.wire()["flow"] == {"batchEvents": {"maxSize": 10, "timeout": "5s"}}
    assert (failure.id, failure.retries, failure.flow) == ("py app-several-failure", 0, None)
    assert failure.wire()["triggers"] == [
        {"event": "inngest/function.failed", "expression": "event.data.function_id == 'py app-several'"}
    ]


def test_what_the_typescript_sdk_registers() -> None:
    found = only(
        triggers=[{"event": "a", "expression": None}],
        concurrency=5,
        cancel=[{"event": "stop", "if": "event.data.id == async.data.id", "timeout": "2h"}],
        debounce={"period": "5s"},
        timeouts={"finish": "1h"},
    )
    assert found.wire()["flow"]["concurrency"] == [{"limit": 5}]
    assert found.retries == 4


def test_what_the_go_sdk_registers_has_no_kind_of_runtime_and_durations_of_its_own() -> None:
    steps = {"step": {"id": "step", "name": "Pay", "runtime": {"url": f"{URL}?fnId=x&step=step"}, "retries": None}}
    found = only(
        steps=steps,
        concurrency=[],
        cancel=None,
        throttle=None,
        rateLimit={"limit": 1, "period": "24h0m0s"},
        priority={},
    )
    assert found.wire()["flow"] == {"rateLimit": {"limit": 1, "period": "24h0m0s"}}


def test_an_in_band_answer_names_the_app_otherwise() -> None:
    answered = body(app_id="shop", sdk_language="js", sdk_version="4.24.0", appVersion="7", env=None, platform="vercel")
    del answered["appName"], answered["sdk"]

    app = read(answered)

    assert (app.id, app.sdk, app.version) == ("shop", "js:v4.24.0", "7")


def test_a_function_without_a_trigger_can_be_invoked() -> None:
    assert only(triggers=[]).triggers == ()


@pytest.mark.parametrize("an_id", ["a b", "a/b", "a.b", "ü-日本-🦆", "#1", "a'\"\\", "x" * 256, "..%2F"])
def test_ids_are_what_people_write(an_id: str) -> None:
    assert only(id=an_id).id == an_id


@pytest.mark.parametrize("an_id", ["", " a", "a ", "a\nb", "a\x00b", "a\u2028b", "\ud800", "x" * 257])
def test_ids_that_nobody_could_name_are_refused(an_id: str) -> None:
    assert ".id: must " in refusal(body(function(id=an_id)))


@pytest.mark.parametrize("an_id", ["sync", ".", "..", "", "a\n"])
def test_ids_of_apps_that_could_not_be_reached_are_refused(an_id: str) -> None:
    assert refusal(body(appName=an_id)).startswith("appName: ")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"id": 3}, "function 1.id: must be text (got 3)"),
        ({"name": 3}, 'function 1 ("shop-pay").name: must be text (got 3)'),
        ({"triggers": "x"}, 'function 1 ("shop-pay").triggers: must be a list'),
        ({"triggers": ["x"]}, 'function 1 ("shop-pay").triggers[0]: must be an object'),
        ({"triggers": [{"event": "a"}, {}]}, 'function 1 ("shop-pay").triggers[1].event: is missing'),
        ({"triggers": [{"event": "a*b"}]}, "triggers[0].event: the pattern 'a*b' is not supported"),
        ({"triggers": [{"event": "a", "expression": "event."}]}, "triggers[0].expression: "),
        ({"triggers": [{"event": "a", "expression": "async.data.x"}]}, "triggers[0].expression: "),
        ({"triggers": [{"cron": "daily"}]}, "triggers[0].cron: 'daily' is not a cron expression"),
        ({"triggers": [{"cron": "0 9 * * *", "jitter": "soon"}]}, "triggers[0].jitter: 'soon' is not a duration"),
        ({"triggers": [{"event": "a"}] * 11}, "triggers: must have at most 10 items"),
        ({"cancel": [{"event": "a"}] * 6}, "cancel: must have at most 5 items"),
        ({"cancel": [{"event": "a", "if": "("}]}, "cancel[0].if: "),
        ({"cancel": [{"event": "a", "timeout": "later"}]}, "cancel[0].timeout: 'later' is not a duration"),
        ({"steps": {}}, "steps.step: is missing"),
        ({"steps": {"step": {}}}, "steps.step.runtime: is missing"),
        ({"steps": {"step": {"runtime": {"url": "ftp://x"}}}}, "steps.step.runtime.url: must begin with https://"),
        (
            {"steps": {"step": {"runtime": {"url": URL}, "retries": {"attempts": 21}}}},
            "steps.step.retries.attempts: must be less than or equal to 20 (got 21)",
        ),
        (
            {"steps": {"step": {"runtime": {"url": URL}, "retries": {"attempts": "4"}}}},
            "steps.step.retries.attempts: must be a whole number",
        ),
        ({"concurrency": [{"limit": 1}] * 3}, "concurrency: must have at most 2 items"),
        ({"concurrency": {"limit": -1}}, "concurrency[0].limit: must be greater than or equal to 1"),
        ({"throttle": {"limit": 1}}, "throttle.period: is missing"),
        (
            {"batchEvents": {"maxSize": 5, "timeout": "1s"}, "cancel": [{"event": "a"}]},
            "cannot be combined with cancel",
        ),
    ],
)
def test_a_refusal_names_the_function_and_the_field(fields: dict[str, Any], told: str) -> None:
    assert told in refusal(body(function(**fields)))


def test_which_function_it_is() -> None:
    assert refusal(body(function(), 3)) == "function 2 must be an object"
    assert refusal(body(function(), function())) == 'function 2 ("shop-pay").id: function 1 has the same id'


def test_connect_is_refused_in_words() -> None:
    steps = {"step": {"runtime": {"type": "ws", "url": "wss://connect"}}}
    told = refusal(body(function(steps=steps)))
    assert "steps.step.runtime.type: connect" in told
    assert "Serve the app over HTTP" in told


def test_several_problems_are_told_at_once_but_not_all_of_many() -> None:
    broken = [function(id=f"f{number}", name=number) for number in range(8)]
    told = refusal(body(*broken))
    assert told.count("must be text") == 5
    assert told.endswith("; and 3 more")


@pytest.mark.parametrize("given", [None, [], "x", 3])
def test_what_is_no_object_is_refused(given: object) -> None:
    assert refusal(given).startswith("the body must be a JSON object")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"functions": []}, "functions: must not be empty"),
        ({"functions": {}}, "functions: must be a list"),
        ({"functions": [0] * 1_001}, "functions: must have at most 1000 items"),
        ({"url": 3}, "url: must be text"),
        ({"v": "2"}, "v: must be '0.1'"),
        ({"sdk": "x" * 257}, "sdk: must have at most 256 characters"),
    ],
)
def test_fields_of_the_app(fields: dict[str, Any], told: str) -> None:
    assert told in refusal(body(**fields))


def test_an_app_without_a_name() -> None:
    given = body()
    del given["appName"]
    assert refusal(given).startswith("appName: is missing")


def test_the_order_of_functions_means_nothing() -> None:
    one, two = function(id="a"), function(id="b")
    assert read(body(one, two)) == read(body(two, one))


def test_addresses_lose_what_belongs_to_a_single_request() -> None:
    runtime = {"url": "https://x.example.com/api?tenant=a%20b&fnId=f&stepId=step"}
    app = read(body(function(steps={"step": {"runtime": runtime}}), url="https://x.example.com/api?deployId=1#top"))
    assert app.url == "https://x.example.com/api"
    assert app.functions[0].endpoint == "https://x.example.com/api?tenant=a+b"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "app.localhost",
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "metadata.google.internal",
        "2130706433",
        "0x7f.1",
        "127.1",
        "[::ffff:169.254.169.254]",
        "[2002:7f00:1::]",
        "224.0.0.1",
        "LOCALHOST.",
        "0177.0.0.1",
    ],
)
def test_deployed_the_machine_itself_cannot_be_an_app(host: str) -> None:
    url = f"http://{host}:80/api/inngest"
    given = body(function(steps={"step": {"runtime": {"url": url}}}), url=url)

    read(given)
    told = refusal(given, Reach(is_open=False))
    assert told.count("must be an address that Stepwell can reach") == 2


@pytest.mark.parametrize("host", ["app.example.com", "10.0.0.7", "8.8.8.8", "[2606:4700::1111]", "127.example.com"])
def test_other_hosts_are_looked_at_when_they_are_called(host: str) -> None:
    url = f"https://{host}/api/inngest"
    assert read(body(function(steps={"step": {"runtime": {"url": url}}}), url=url), Reach(is_open=False)).url == url


def test_networks_that_are_allowed_are() -> None:
    reach = Reach(is_open=False, networks=(ipaddress.ip_network("127.0.0.0/8"),))
    assert read(body(), reach).url == URL
    assert "the machine itself" in refusal(body(url="http://[::1]/"), reach)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/api",
        "http://",
        "https://:80/",
        "http://a:b@x.example.com/",
        "http://x:0/",
        "http://x:99999/",
        "file:///etc/passwd",
        "gopher://x",
        "http://x/\n",
        "http://x/ y",
        "http://[x]/",
        "http://x/" + "y" * 2_048,
    ],
)
def test_what_is_no_address(url: str) -> None:
    assert refusal(body(url=url)).startswith("url: ")


def test_an_address_of_connect() -> None:
    assert "connect" in refusal(body(url="wss://x.example.com"))


def test_a_lambda_function_is_called_by_its_arn_whatever_address_its_app_gives() -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:shop"
    app = registrations.read(body(), Reach(is_open=False), arn=arn)
    assert app.url == arn
    assert [(one.driver, one.endpoint) for one in app.functions] == [("lambda", arn)]
