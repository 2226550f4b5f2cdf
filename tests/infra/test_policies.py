"""The policies are neither too small nor too large: what the handlers do is recorded and compared with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.core import concurrency, ids
from chalicelib.core.concurrency import Slot
from chalicelib.core.ids import hashed_step_id
from chalicelib.core.messages import ResumeMessage
from chalicelib.engine import collect
from chalicelib.sdk import (
    Batch,
    Cancel,
    Context,
    Debounce,
    Event,
    NonRetriableError,
    RateLimit,
    Singleton,
    Throttle,
    Timeouts,
    TriggerCron,
    TriggerEvent,
    function,
)
from chalicelib.testing import start_stepwell
from chalicelib.testing.session import kit_session
from infra.deploy.policies import FUNCTIONS, MAX_CHARS, lambda_name, policies
from infra.deploy.user_policy import Policy, PolicyError
from tests.infra.behind_handlers import SIGNING_KEY, Deployed
from tests.infra.permissions import ACCOUNT, REGION, Use, acting, covers, grants, record, uses
from tests.scenarios.insides import items, put_item

LARGE = "x" * 70_000
NOBODY: Policy = {"Version": "2012-10-17", "Statement": []}


def outputs(stage: str = "test", bucket: str = "stepwell-test-payloads") -> dict[str, str]:
    """What the stack says of its parts."""
    found = {"Stage": stage, "KeysPath": f"/stepwell/{stage}", "PayloadBucketArn": f"arn:aws:s3:::{bucket}"}
    for table in ("Events", "Runs", "Pauses", "Timers", "Functions", "Limits"):
        found[f"{table}TableArn"] = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/stepwell-{stage}-{table.lower()}"
    for queue, name in (
        ("Events", "events"),
        ("Work", "work"),
        ("EventsDead", "events-dead"),
        ("WorkDead", "work-dead"),
    ):
        found[f"{queue}QueueArn"] = f"arn:aws:sqs:{REGION}:{ACCOUNT}:stepwell-{stage}-{name}"
    return found | {"EventBusArn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/stepwell-{stage}"}


@function(fn_id="child", trigger=TriggerEvent(event="demo/child"))
def child(ctx: Context) -> str:
    ctx.step.sleep("far", "3h")
    return LARGE


@function(fn_id="everything", trigger=TriggerEvent(event="demo/start"), cancel=Cancel(event="demo/stop"))
def everything(ctx: Context) -> Any:
    ctx.step.run("large", lambda: LARGE)
    ctx.step.sleep("near", "2s")
    ctx.step.sleep("far", "70d")
    ctx.group.parallel(tuple(partial(ctx.step.run, f"side-{n}", lambda: LARGE) for n in range(2)))
    ctx.step.send_event("tell", Event(name="demo/told", data={"text": LARGE}))
    ctx.step.wait_for_event("wait", event="demo/go", if_exp="async.data.n == 1", timeout="2h")
    ctx.step.invoke("ask", function=child, timeout="1d")
    return LARGE


@function(fn_id="waiter", trigger=TriggerEvent(event="demo/wait"), cancel=Cancel(event="demo/stop"))
def waiter(ctx: Context) -> object:
    if ctx.event.data.get("stops"):
        ctx.step.send_event("stop", Event(name="demo/stop", data={"text": LARGE}))
    return ctx.step.wait_for_event("wait", event="demo/answer", timeout="2h")


@function(fn_id="looker", trigger=TriggerEvent(event="demo/look"))
def looker(ctx: Context) -> object:
    ctx.step.send_event("tell", Event(name="demo/earlier", data={"text": LARGE}))
    ctx.step.sleep("meanwhile", "1m")
    found = ctx.step.wait_for_event("before", event="demo/earlier", timeout="1h", lookback="run")
    missed = ctx.step.wait_for_event("never", event="demo/never", timeout="1h", lookback="run")
    return [found is not None, missed is not None]


@function(fn_id="failing", trigger=TriggerEvent(event="demo/fail"), retries=1)
def failing(ctx: Context) -> None:
    def fail() -> None:
        raise ValueError("no")

    ctx.step.run("fail", fail)


@function(fn_id="refusing", trigger=TriggerEvent(event="inngest/function.failed"))
def refusing(_ctx: Context) -> None:
    raise NonRetriableError("no")


@function(fn_id="nightly", trigger=TriggerCron(cron="0 3 * * *"))
def nightly(_ctx: Context) -> None:
    pass


DEPLOYED: dict[str, Any] = {
    "DEV": "0",
    "EXIT": "1",
    "BUS": "stepwell-test",
    "PARTIAL_BATCHES": "1",
    "APP_NETWORKS": "127.0.0.0/8",
}


@function(fn_id="signalled", trigger=TriggerEvent(event="demo/signal"), cancel=Cancel(event="demo/stop"))
def signalled(ctx: Context) -> object:
    found = ctx.step.wait_for_signal("wait", signal="s", timeout="1h", on_conflict="replace")
    return None if found is None else found.data


@function(fn_id="signaller", trigger=TriggerEvent(event="demo/signals"))
def signaller(ctx: Context) -> object:
    return ctx.step.send_signal("tell", signal="s")


@function(fn_id="plain", trigger=TriggerEvent(event="demo/plain"))
def plain(_ctx: Context) -> None: ...


@function(
    fn_id="rated",
    trigger=TriggerEvent(event="demo/rated"),
    rate_limit=RateLimit(limit=1, period="1h", key="event.data.user"),
)
def rated(_ctx: Context) -> None: ...


@function(fn_id="paced", trigger=TriggerEvent(event="demo/paced"), throttle=Throttle(limit=1, period="1h"))
def paced(_ctx: Context) -> None: ...


@function(
    fn_id="limited",
    trigger=TriggerEvent(event="demo/limited"),
    concurrency=1,
    cancel=Cancel(event="demo/less", if_exp="async.data.n == event.data.n"),
)
def limited(_ctx: Context) -> None: ...


def in_line(aws: Deployed) -> None:
    """A place that its holder lost, a line before it that some leave, and who sweeps it."""
    services = aws.kit.platform.services
    config = services.catalog.get("limited")
    assert config is not None
    claims, _ = concurrency.claims("limited", config.flow, {})
    now = services.clock.now_ms()
    assert services.lines.take(claims[0].key, Slot(0, "another", "n", now + 3_600_000), now)
    for n in range(4):
        aws.send("demo/limited", n=n)
    aws.drain()
    aws.send("demo/less", n=1)
    aws.drain()
    assert aws.ask("DELETE", f"/v1/runs/{aws.kit.runs('limited')[2].run_id}")[0] == 200
    assert len(aws.ask("GET", "/v1/functions/limited/queue")[1]["data"]) == 2
    aws.pass_time("2h")
    assert [run.status for run in aws.kit.runs("limited")] == ["Completed", "Cancelled", "Cancelled", "Completed"]
    aws.schedule("on_tick")


@function(
    fn_id="single",
    trigger=TriggerEvent(event="demo/single"),
    singleton=Singleton(mode="skip"),
)
def single(ctx: Context) -> None:
    ctx.step.sleep("a while", "1h")


@function(
    fn_id="hurried",
    trigger=TriggerEvent(event="demo/hurried"),
    throttle=Throttle(limit=1, period="5h"),
    timeouts=Timeouts(start="1h", finish="2h"),
)
def hurried(ctx: Context) -> None:
    ctx.step.sleep("a while", "3h")


@function(fn_id="newest", trigger=TriggerEvent(event="demo/newest"), singleton=Singleton(mode="cancel"))
def newest(ctx: Context) -> None:
    ctx.step.sleep("a while", "1h")


@function(
    fn_id="debounced",
    trigger=TriggerEvent(event="demo/debounced"),
    debounce=Debounce(period="1h"),
    throttle=Throttle(limit=1, period="1h"),
    cancel=Cancel(event="demo/stop", if_exp="async.data.n == event.data.n"),
)
def debounced(ctx: Context) -> object:
    return ctx.event.data["n"]


@function(fn_id="batched", trigger=TriggerEvent(event="demo/batched"), batch_events=Batch(max_size=2, timeout="5s"))
def batched(ctx: Context) -> object:
    return len(ctx.events)


def joins(aws: Deployed) -> None:
    """Events that join a debounce or a batch, looked at meanwhile and afterwards."""
    ids = [aws.send("demo/debounced", n=n, text=LARGE) for n in range(2)]
    ids += [aws.send("demo/batched", text=LARGE) for _ in range(3)]
    aws.drain()
    for by in ("10s", "1h", "1m"):
        for event_id in ids:
            status, shown = aws.ask("GET", f"/v1/events/{event_id}")
            assert (status, len(shown["data"]["joined"])) == (200, 1)
        aws.pass_time(by)
    assert [run.output for run in aws.kit.runs("debounced")] == [1]
    assert [run.output for run in aws.kit.runs("batched")] == [2, 1]
    for run in aws.kit.runs("batched"):
        assert aws.ask("GET", f"/v0/runs/{run.run_id}/batch")[0] == 200


def paused(aws: Deployed) -> None:
    """A function that waits, whose pause is ended by the API, and by the message of one that died."""
    services = aws.kit.platform.services
    for dies in (False, True):
        assert aws.ask("POST", "/v1/functions/plain/pause", {"mode": "queue"})[0] == 200
        aws.send("demo/plain")
        aws.drain()
        assert len(aws.ask("GET", "/v1/functions/plain/queue")[1]["data"]) == 1
        pause = services.catalog.pause_of("plain")
        assert pause is not None
        if dies:
            services.queues.send_events([ResumeMessage(fn_id="plain", pause_id=pause.id)])
        else:
            assert aws.ask("POST", "/v1/functions/plain/resume")[0] == 200
        aws.drain()
    assert [run.status for run in aws.kit.runs("plain")] == ["Completed", "Completed"]

    # Skipped, and delivered once more when its function goes on.
    assert aws.ask("POST", "/v1/functions/plain/pause", {"mode": "skip"})[0] == 200
    assert aws.ask("POST", f"/e/{'k' * 32}", {"name": "demo/plain", "id": "order-1"})[0] == 200
    held = aws.kit.pump.hold("events")
    aws.deliver("events", held, acknowledge=False)
    assert aws.ask("POST", "/v1/functions/plain/resume")[0] == 200
    aws.deliver("events", held)
    aws.drain()
    assert len(aws.kit.runs("plain")) == 2


def flow_control(aws: Deployed) -> None:
    """Starts that are limited, and one that is skipped."""
    for _ in range(2):
        aws.send("demo/rated")
        aws.drain()
    assert len(aws.kit.runs("rated")) == 1
    for _ in range(2):
        aws.send("demo/paced")
        aws.drain()
    assert [run.status for run in aws.kit.runs("paced")] == ["Completed", "Queued"]
    for name in ("demo/single", "demo/newest"):
        for _ in range(2):
            aws.send(name)
            aws.drain()
        aws.send("demo/hurried")
        aws.drain()
    aws.pass_time("1h")
    assert [run.status for run in aws.kit.runs("single")] == ["Completed"]
    assert [run.status for run in aws.kit.runs("newest")] == ["Cancelled", "Completed"]
    aws.pass_time("1h")
    assert [run.status for run in aws.kit.runs("hurried")] == ["Cancelled", "Cancelled"]
    aws.send("demo/single")
    aws.drain()
    assert aws.ask("DELETE", f"/v1/runs/{aws.kit.runs('single')[-1].run_id}")[0] == 200


ALL = [
    child,
    everything,
    waiter,
    looker,
    failing,
    refusing,
    nightly,
    signalled,
    signaller,
    plain,
    rated,
    paced,
    single,
    newest,
    hurried,
    limited,
    debounced,
    batched,
]


def a_full_life(aws: Deployed) -> None:
    """Starts, steps, sleeps, a resume, an invocation, the end."""
    aws.send("demo/start", text=LARGE)
    aws.drain()
    for by in ("3s", "70d", "1m"):
        aws.pass_time(by)
    aws.send("demo/go", n=1)
    aws.drain()
    for by in ("3h", "1m"):
        aws.pass_time(by)
    assert {run.status for run in aws.kit.runs("everything")} == {"Completed"}


def looking_back(aws: Deployed) -> None:
    """For a large event that a step sent earlier, and for one that never came."""
    aws.send("demo/look")
    aws.drain()
    for by in ("2m", "2h", "1m"):
        aws.pass_time(by)
    assert [run.output for run in aws.kit.runs("looker")] == [[True, False]]


def signing(aws: Deployed) -> None:
    """What is read before an app is called."""
    assert aws.kit.platform.keyring is not None
    with acting("on_work"):
        assert aws.kit.platform.keyring.signing_key() == SIGNING_KEY


def failures(aws: Deployed) -> None:
    """Attempts that fail, messages that nobody can read, and the last receive of a message."""
    aws.send("demo/fail")
    aws.drain()
    aws.pass_time("10m")
    sqs: Any = kit_session().create_client("sqs")
    config = aws.kit.platform.config
    for receives in (1, config.max_receives):
        queues: list[tuple[Any, str]] = [("events", config.queue_events_url), ("work", config.queue_work_url)]
        for queue, url in queues:
            sqs.send_message(QueueUrl=url, MessageBody='{"kind": "nonsense"}')
            aws.deliver(queue, receives=receives)
            aws.kit.advance_only("1m")
            aws.kit.pump.lose(queue, aws.kit.pump.hold(queue))
    aws.send("demo/wait")
    aws.deliver("events")
    aws.deliver("work", receives=config.max_receives)
    aws.pass_time("5m")


def cancellations(aws: Deployed) -> None:
    """By an event, twice delivered; by one accepted before the run was there; by the API."""
    aws.send("demo/wait")
    aws.drain()
    stop = aws.send("demo/stop", text=LARGE)
    held = aws.kit.pump.hold("events")
    for acknowledge in (False, True):
        aws.deliver("events", held, acknowledge=acknowledge)
    aws.drain()
    aws.send("demo/wait", text=LARGE)
    late = aws.kit.pump.hold("events")
    aws.send("demo/wait", stops=True)
    aws.drain()
    aws.deliver("events", late)
    aws.drain()
    assert {run.status for run in aws.kit.runs("waiter")} <= {"Cancelled", "Completed", "Running"}
    aws.send("demo/wait")
    aws.drain()
    running = [run for run in aws.kit.runs("waiter") if run.status == "Running"]
    assert aws.ask("DELETE", f"/v1/runs/{running[-1].run_id}")[0] == 200
    assert aws.ask("GET", f"/v1/events/{stop}")[0] == 200
    aws.drain()


def in_bulk(aws: Deployed) -> None:
    """Runs that are cancelled at once, of which one waits, one sleeps for long, and one's event is large."""
    for name in ("demo/wait", "demo/start", "demo/child"):
        aws.send(name, text=LARGE)
    aws.drain()
    aws.pass_time("1m")
    before = aws.kit.now.isoformat()
    for function_id in ("waiter", "everything", "child"):
        body = {"function_id": function_id, "started_before": before, "if": "size(event.data.text) > 0"}
        status, created = aws.ask("POST", "/v1/cancellations", body)
        assert status == 200, created
    aws.drain()
    aws.pass_time("2m")
    _, listed = aws.ask("GET", "/v1/cancellations")
    assert [row["status"] for row in listed["data"]] == ["Completed"] * 3
    assert sum(row["cancelled"] for row in listed["data"]) >= 3
    assert aws.ask("DELETE", f"/v1/cancellations/{listed['data'][0]['id']}")[0] == 200


def apps_on_an_sdk(aws: Deployed) -> None:
    """An app is synced, changed, called without an answer, and removed."""
    url = "http://127.0.0.1:9/api/inngest"
    step = {"id": "step", "name": "step", "runtime": {"type": "http", "url": f"{url}?fnId=shop-order&stepId=step"}}
    function = {
        "id": "shop-order",
        "name": "order",
        "triggers": [{"event": "demo/order"}],
        "steps": {"step": {**step, "retries": {"attempts": 1}}},
    }
    app = {"url": url, "appName": "shop", "sdk": "py:v0.5.19", "framework": "flask", "v": "0.1", "deployType": "ping"}
    for version in ("1", "2"):
        status, answer = aws.ask("POST", "/fn/register", {**app, "appVersion": version, "functions": [function]})
        assert (status, answer["modified"]) == (200, True), answer
    # Until every process has read what was synced.
    aws.pass_time("5m")
    event_id = aws.send("demo/order", text=LARGE)
    aws.drain()
    _, runs = aws.ask("GET", f"/v1/events/{event_id}/runs")
    assert [run["function_id"] for run in runs["data"]] == ["shop-order"]
    aws.pass_time("1h")
    for function_name in ("on_tick", "on_collect"):
        aws.schedule(function_name)
    assert aws.ask("DELETE", "/v1/apps/shop")[0] == 200


def begun_by_apps(aws: Deployed) -> None:
    """Runs that apps begin: one that ends in its request, one that is left to us."""
    request = {"domain": "http://127.0.0.1:9", "method": "GET", "path": "/", "fn": "shop", "body": LARGE}
    event = {"name": "inngest/http.request", "data": request}
    complete = {"op": "RunComplete", "id": hashed_step_id("complete", 0), "data": LARGE}
    wait = {"op": "WaitForEvent", "id": hashed_step_id("wait", 0), "opts": {"event": "demo/answer", "timeout": "2d"}}
    large = {"op": "StepRun", "id": hashed_step_id("large", 0), "data": LARGE}
    for number, steps in enumerate(([complete], [large, wait])):
        run_id = ids.ulid(aws.kit.platform.clock.now_ms(), bytes([number] * 10))
        status, begun = aws.ask("POST", "/v1/checkpoint", {"run_id": run_id, "event": event, "steps": [], "retries": 1})
        assert status == 200, begun
        assert aws.ask("POST", f"/v1/checkpoint/{run_id}/steps", {"steps": steps})[0] == 200
        path = f"/v1/http/runs/{run_id}/output?token={begun['data']['token']}"
        assert aws.ask("GET", path)[0] == (200 if number == 0 else 202)
        # Before it is called: this is about what telling of a run needs.
        assert aws.ask("DELETE", f"/v1/runs/{run_id}")[0] == 200
    aws.drain()


def signals(aws: Deployed) -> None:
    """By a step, by the API; and waits that are replaced, cancelled, and time out."""
    for _ in range(2):
        aws.send("demo/signal")
        aws.drain()
    aws.send("demo/signals")
    aws.drain()
    for end in ("api", "stop", "time"):
        aws.send("demo/signal")
        aws.drain()
        if end == "api":
            assert aws.ask("POST", "/v1/signals", {"signal": "s", "data": LARGE})[0] == 200
        elif end == "stop":
            aws.send("demo/stop")
        else:
            aws.pass_time("2h")
        aws.drain()
    # The one that was replaced waits on, until it is stopped with the other.
    assert sorted(run.status for run in aws.kit.runs("signalled")) == ["Cancelled"] * 2 + ["Completed"] * 3


def replays(aws: Deployed) -> None:
    """Of a run with large results, from a step."""
    run = aws.kit.runs("everything")[0]
    status, answer = aws.ask("POST", f"/v1/runs/{run.run_id}/replay", {"from_step": "wait"})
    assert status == 200, answer
    aws.drain()
    assert aws.kit.run(answer["data"]["run_id"]).status == "Running"
    assert aws.ask("DELETE", f"/v1/runs/{answer['data']['run_id']}")[0] == 200
    aws.drain()
    status, answer = aws.ask("POST", "/v1/functions/signalled/replay", {"status": "Cancelled"})
    assert status == 200, answer
    aws.drain()
    assert aws.ask("GET", f"/v1/replays/{answer['data']['id']}")[1]["data"]["replayed"] == 2
    assert aws.ask("DELETE", f"/v1/replays/{answer['data']['id']}")[0] == 200
    body = {"function_id": "signalled", "started_before": aws.kit.now.isoformat()}
    assert aws.ask("POST", "/v1/cancellations", body)[0] == 200
    aws.drain()
    aws.pass_time("2m")


def sweeps(aws: Deployed) -> None:
    """Runs and pauses that were forgotten, and a schedule."""
    for data in ({}, {"text": LARGE}):
        aws.send("demo/child", **data)
        aws.deliver("events")
        aws.kit.pump.lose("work", aws.kit.pump.hold("work"))
    aws.send("demo/wait")
    aws.drain()
    rows = [row for row in items(aws.kit, "pauses") if "step_id" in str(row.get("pause"))]
    # Where the last sweep stopped, as if there were more rows than one sweep reads.
    aws.kit.platform.services.timers.set_mark(collect.PAUSE_MARK, json.dumps({"pk": "p", "sk": "s"}))
    for by in ("20m", "4h"):
        aws.kit.advance_only(by)
        aws.schedule("on_collect")
        aws.drain()
    for row in rows:  # As if they had been forgotten.
        put_item(aws.kit, "pauses", row)
    aws.kit.advance_only("2h")
    aws.schedule("on_collect")
    aws.schedule("on_tick")
    midnight = aws.kit.now.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    aws.kit.advance_only(midnight + timedelta(hours=2, minutes=59, seconds=30) - aws.kit.now)
    aws.schedule("on_tick")
    aws.drain()
    aws.pass_time("1m")
    assert aws.kit.runs("nightly")


def _letters(aws: Deployed, queue: str) -> None:
    """Dead letters of a queue: one is sent back, one deleted, the rest sent back."""
    config = aws.kit.platform.config
    url = config.dead_events_url if queue == "events" else config.dead_work_url
    sqs: Any = kit_session().create_client("sqs")
    first, second, _third = (
        sqs.send_message(QueueUrl=url, MessageBody='{"kind": "nonsense"}')["MessageId"] for _ in range(3)
    )
    # moto does not show letters again that were seen more than 12 hours before: each look hides them for a while.
    aws.kit.advance_only("1m")
    assert aws.ask("POST", f"/v1/dead-letters/{first}/redrive", {})[0] == 200
    aws.kit.advance_only("1m")
    assert aws.ask("DELETE", f"/v1/dead-letters/{second}")[0] == 200
    aws.kit.advance_only("1m")
    assert aws.ask("POST", "/v1/dead-letters/redrive", {})[0] == 200


def looking(aws: Deployed) -> None:
    """Every route, also those that nobody has written yet."""
    from app import app

    for queue in ("events", "work"):
        _letters(aws, queue)
    run = aws.kit.runs("everything")[0]
    names = {"key": "k" * 32, "run_id": run.run_id, "event_id": aws.send("demo/told"), "function_id": "everything"}
    for path, methods in app.routes.items():
        filled = path
        for part in [part.strip("{}") for part in path.split("/") if part.startswith("{")]:
            filled = filled.replace("{" + part + "}", names.get(part, "events"))
        for method in methods:
            status, answer = aws.ask(method, filled, {"name": "demo/told"} if method == "POST" else None)
            assert status < 500 or status == 501, (method, filled, answer)
    aws.drain()


@pytest.fixture(scope="module")
def used() -> Iterator[dict[str, set[Use]]]:
    """What each function uses, from one long story."""
    with pytest.MonkeyPatch.context() as patch:
        found = record(patch)
        with start_stepwell(ALL, **DEPLOYED) as kit:
            bus: Any = kit_session().create_client("events")
            bus.create_event_bus(Name="stepwell-test")
            aws = Deployed(kit, patch)
            for story in (
                signing,
                a_full_life,
                looking_back,
                failures,
                cancellations,
                in_bulk,
                begun_by_apps,
                apps_on_an_sdk,
                signals,
                flow_control,
                paused,
                in_line,
                joins,
                replays,
                sweeps,
                looking,
            ):
                story(aws)
        yield found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_all_that_its_handler_does(used: dict[str, set[Use]], function: str) -> None:
    granted = grants(policies(outputs(), NOBODY)[function])
    refused = {use for use in used[function] if not any(covers(grant, use) for grant in granted)}
    assert refused == set()


def of_lambda_itself(function: str) -> set[Use]:
    """What the handlers do not call: Lambda takes messages and writes logs with the function's role, and decrypts."""
    arns = outputs()
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{lambda_name('test', function)}:*"
    found = {(f"logs:{action}", logs) for action in ("CreateLogStream", "PutLogEvents")}
    if function in ("on_event", "on_work"):
        queue = arns["EventsQueueArn" if function == "on_event" else "WorkQueueArn"]
        found |= {(f"sqs:{action}", queue) for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")}
    if function in ("api_handler", "on_work"):
        found.add(("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*"))
    return found


def of_apps(function: str) -> set[Use]:
    """What apps on an SDK need and no story here has: they report steps, start runs, and send and wait for signals."""
    arns = outputs()
    more: dict[str, dict[str, tuple[str, ...]]] = {
        "api_handler": {
            "EventsTableArn": ("PutItem",),
            "RunsTableArn": ("ConditionCheckItem",),
            "PausesTableArn": ("GetItem", "PutItem", "DeleteItem"),
            "TimersTableArn": ("PutItem",),
        },
        "on_event": {"PausesTableArn": ("DeleteItem",)},
        "on_work": {"PausesTableArn": ("DeleteItem",)},
    }
    # One process plays all functions here: each may find in its memory what the others have read.
    tables: dict[str, tuple[str, ...]] = {"FunctionsTableArn": ("GetItem", "Query")} | more.get(function, {})
    found = {(f"dynamodb:{action}", arns[table]) for table, actions in tables.items() for action in actions}
    # Many runs that are cancelled at once are found by their function.
    in_bulk = {("dynamodb:Query", f"{arns['RunsTableArn']}/index/by_function")} if function == "on_event" else set()
    return found | in_bulk


def rare(function: str) -> set[Use]:
    """What the API needs when tables are large, or runs and waits are as no story here has them."""
    if function != "api_handler":
        return set()
    arns = outputs()
    pauses, runs = arns["PausesTableArn"], arns["RunsTableArn"]
    return {
        # A part of a large table is scaled by its size.
        *(("dynamodb:DescribeTable", table) for table in (pauses, runs)),
        # The waits of a run; whom an event nearly met.
        *((f"dynamodb:{action}", pauses) for action in ("BatchGetItem", "Query")),
        # A run that is cancelled answers the one that invoked it.
        *((f"dynamodb:{action}", runs) for action in ("GetItem", "PutItem")),
        ("dynamodb:Query", f"{runs}/index/open"),
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_nothing_else(used: dict[str, set[Use]], function: str) -> None:
    granted = grants(policies(outputs(), NOBODY)[function])
    unused = {grant for grant in granted if not any(covers(grant, use) for use in used[function])}
    assert sorted(unused - of_lambda_itself(function) - rare(function) - of_apps(function)) == []


def test_no_resource_is_a_wildcard_where_aws_has_names() -> None:
    patterns = {
        (action, resource)
        for document in policies(outputs(), NOBODY).values()
        for action, resource in grants(document)
        if "*" in resource
    }
    unnamed = {(action, resource) for action, resource in patterns if not resource.endswith(("/payloads/*", ":*"))}
    # Metrics have no ARN. Which key SSM encrypts with, the account decides; the condition narrows it to our parameters.
    assert unnamed == {("cloudwatch:GetMetricData", "*"), ("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*")}
    assert {action for action, resource in patterns if resource.endswith(":*")} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert not any("*" in action for action, _ in patterns)


def test_keys_are_decrypted_for_those_that_ask_for_them_or_sign_through_ssm_and_for_no_other_parameter() -> None:
    documents = policies(outputs(), NOBODY)
    holders = [name for name, document in documents.items() if any(a == "kms:Decrypt" for a, _ in grants(document))]
    assert holders == ["api_handler", "on_work"]
    for holder in holders:
        (decrypt,) = [one for one in documents[holder]["Statement"] if one["Action"] == ["kms:Decrypt"]]
        assert decrypt["Condition"]["StringEquals"] == {
            "kms:ViaService": f"ssm.{REGION}.amazonaws.com",
            "kms:EncryptionContext:PARAMETER_ARN": [
                f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/stepwell/test/{name}"
                for name in ("event-keys", "signing-keys")
            ],
        }


def test_a_stage_may_touch_nothing_of_another_one() -> None:
    for document in policies(outputs("prod", "stepwell-prod-payloads"), NOBODY).values():
        resources = {resource for _, resource in grants(document)} - {"*"}
        assert all("prod" in resource or ":kms:" in resource for resource in resources)


def test_other_partitions_of_aws_are_spoken_to_by_their_name() -> None:
    there = {key: value.replace("arn:aws:", "arn:aws-cn:") for key, value in outputs().items()}
    resources = {r for document in policies(there, NOBODY).values() for _, r in grants(document)} - {"*"}
    assert all(resource.startswith("arn:aws-cn:") for resource in resources)


MAIL = {"Sid": "Mail", "Effect": "Allow", "Action": ["ses:SendEmail"], "Resource": "*"}


def test_what_users_functions_need_goes_to_on_work_and_to_nothing_else() -> None:
    before = policies(outputs(), NOBODY)
    after = policies(outputs(), {"Version": "2012-10-17", "Statement": [MAIL]})
    assert MAIL in after["on_work"]["Statement"]
    assert {**after, "on_work": None} == {**before, "on_work": None}
    assert [one for one in after["on_work"]["Statement"] if one != MAIL] == before["on_work"]["Statement"]


def test_apps_in_lambda_are_called_by_those_that_speak_to_apps_and_only_the_ones_that_are_named() -> None:
    apps = [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}" for name in ("one", "two:live")]
    before, after = policies(outputs(), NOBODY), policies(outputs(), NOBODY, apps)
    for name in FUNCTIONS:
        expected = {("lambda:InvokeFunction", arn) for arn in apps} if name in ("api_handler", "on_work") else set()
        assert grants(after[name]) - grants(before[name]) == expected
        assert not any(action.startswith("lambda:") for action, _ in grants(before[name]))


def test_functions_are_written_by_the_api_alone_and_who_resumes_one_updates_what_is_paused() -> None:
    table = outputs()["FunctionsTableArn"]
    for name, document in policies(outputs(), NOBODY).items():
        actions = {action.removeprefix("dynamodb:") for action, resource in grants(document) if resource == table}
        writes = {"api_handler": {"PutItem", "UpdateItem"}, "on_event": {"UpdateItem"}}.get(name, set())
        assert actions - {"GetItem", "Query"} == writes


def test_one_statement_needs_no_list() -> None:
    assert MAIL in policies(outputs(), {"Version": "2012-10-17", "Statement": MAIL})["on_work"]["Statement"]


def test_sids_of_a_policy_differ() -> None:
    for document in policies(outputs(), {"Version": "2012-10-17", "Statement": [MAIL]}).values():
        sids = [one["Sid"] for one in document["Statement"]]
        assert len(set(sids)) == len(sids)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in MAIL.items() if key != name}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "must be an object"),
        ({"Version": "2012-10-17"}, "must be an object"),
        ({"Version": "2012-10-17", "Statement": [], "Comment": ""}, "must be an object"),
        ({"Version": "2008-10-17", "Statement": []}, '"Version" must be "2012-10-17", not \'2008-10-17\''),
        ({"Version": "2012-10-17", "Statement": "all"}, '"Statement" must be a list'),
    ],
)
def test_a_user_policy_that_is_none_is_refused(document: Any, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        policies(outputs(), document)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ses:SendEmail", "it must be an object"),
        (MAIL | {"Principal": "*"}, "'Principal' does not belong there: .* its own principal"),
        (MAIL | {"Actions": []}, "'Actions' does not belong there"),
        (MAIL | {"Effect": "allow"}, '"Effect" must be "Allow" or "Deny", not \'allow\''),
        (without("Action"), 'it needs "Action" or "NotAction", and not both'),
        (without("Resource"), 'it needs "Resource" or "NotResource", and not both'),
        (MAIL | {"NotAction": "s3:*"}, 'it needs "Action" or "NotAction", and not both'),
        (MAIL | {"Action": []}, '"Action" must be a text or a list of texts'),
        (MAIL | {"Resource": [1]}, '"Resource" must be a text or a list of texts'),
        (MAIL | {"Sid": "my mail"}, '"Sid" must be letters and digits'),
        (MAIL | {"Sid": ""}, '"Sid" must be letters and digits'),
        (MAIL | {"Sid": "StepwellRuns"}, "is taken"),
        (MAIL | {"Condition": []}, '"Condition" must be an object'),
    ],
)
def test_a_statement_that_iam_would_refuse_is_named(statement: Any, says: str) -> None:
    with pytest.raises(PolicyError, match=rf"infra/user-policy.json, statement 2: .*{says}|statement 2: {says}"):
        policies(outputs(), {"Version": "2012-10-17", "Statement": [without("Sid"), statement]})


def test_two_statements_of_one_sid_are_refused_before_iam_does() -> None:
    with pytest.raises(PolicyError, match="statement 3: the \"Sid\" 'Mail' is that of statement 1, too"):
        policies(outputs(), {"Version": "2012-10-17", "Statement": [MAIL, without("Sid"), MAIL]})
    policies(outputs(), {"Version": "2012-10-17", "Statement": [MAIL, without("Sid"), without("Sid")]})


def test_a_policy_that_is_too_long_for_iam_is_refused_with_both_sizes() -> None:
    many = [without("Sid") | {"Resource": [f"arn:aws:s3:::bucket-{n}/*" for n in range(400)]}]
    with pytest.raises(PolicyError, match=rf"has 1\d,\d+ characters, 1\d,\d+ of them .* allows {MAX_CHARS:,}"):
        policies(outputs(), {"Version": "2012-10-17", "Statement": many})


def test_a_call_that_nobody_thought_of_does_not_pass_unseen() -> None:
    with pytest.raises(KeyError):
        uses("lambda", "Invoke", {})
