"""What an operator does while runs are under way: deploy again, and again after a failure; rotate keys."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from tests.e2e.deploying import root_host
from tests.e2e.waiting import until
from tests.e2e.world import World

_SLEEPERS = 4


def a_redeploy_in_mid_run_loses_nothing(world: World) -> None:
    """Runs that sleep, runs that wait, and runs in the middle of a step, while their code is replaced."""
    api, folder = world.api, str(world.ground.marks)
    asleep = [api.send("e2e/redeployed", {"n": n, "sleep": "30s"}) for n in range(_SLEEPERS)]
    held = api.send("e2e/held", {"folder": folder, "name": "redeploy"})
    until("a step is under way", lambda: world.marks("redeploy-held"), 90)
    waiting = [api.run_of(event_id, "e2e-waiter")["run_id"] for event_id in asleep]
    until("all runs have come to rest", lambda: all("first" in str(api.timeline(run)) for run in waiting), 90)

    path = world.ground.functions / "e2e_redeployed.py"
    path.write_text(_changed(path, 'VERSION = "one"', 'VERSION = "two"'))
    world.hands.infra("deploy", world.stage)
    Path(folder, "let-go").touch()

    for n, event_id in enumerate(asleep):
        # Whether it slept on until the new code was there depends on how fast this machine deploys.
        assert api.completed(event_id, "e2e-sleeper") in (["one", "two"], ["one", "one"])
        api.send("e2e/go", {"n": n})
    for event_id in asleep:
        assert api.completed(event_id, "e2e-waiter") == ["one", "two", "event"]
    # The step that ran during the deploy was not begun a second time.
    assert api.completed(held, "e2e-holder", 180)[0] == "one"
    assert world.marks("redeploy-held") == 1


def _changed(path: Path, old: str, new: str) -> str:
    text = path.read_text()
    assert old in text
    return text.replace(old, new)


def a_deploy_without_changes_works(world: World) -> None:
    before = _state(world)
    world.hands.infra("deploy", world.stage)
    assert _state(world) == before
    # Whoever comes later, with nothing but the stage's name, is told that all is well and where it is.
    said = world.hands.infra("check", world.stage)
    assert "all as it must be" in said, said
    assert world.api.address in said, said


def a_redeploy_that_dies_halfway_is_repeated(world: World) -> None:
    """Killed between two functions; the next one brings everything to where it should be."""
    before = _state(world)
    path = world.ground.functions / "e2e_redeployed.py"
    path.write_text(_changed(path, 'VERSION = "two"', 'VERSION = "three"'))
    world.hands.infra_killed("deploy", world.stage, at=f"stepwell-{world.stage}-on_work")
    world.hands.infra("deploy", world.stage)
    assert _state(world) == before
    event_id = world.api.send("e2e/redeployed", {"n": -1, "sleep": "1s"})
    assert world.api.completed(event_id, "e2e-sleeper") == ["three", "three"]
    world.api.send("e2e/go", {"n": -1})
    world.api.completed(event_id, "e2e-waiter")


def a_deploy_that_is_refused_something_is_repeated(world: World) -> None:
    """Somebody may do everything but one thing that comes in the middle: told in words, and repeated by another."""
    before = _state(world)
    iam, user = world.ground.client("iam"), "e2e-deployer"
    refused = f"arn:aws:lambda:*:*:function:stepwell-{world.stage}-on_tick"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "lambda:UpdateFunctionCode", "Resource": refused},
        ],
    }
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="most", PolicyDocument=json.dumps(policy))
    said = world.hands.infra_refused("deploy", world.stage, iam.create_access_key(UserName=user)["AccessKey"])
    assert "lambda:UpdateFunctionCode" in said, said
    assert "Traceback" not in said, said
    world.hands.infra("deploy", world.stage)
    assert _state(world) == before


def _state(world: World) -> dict[str, list[str]]:
    """What a repeated deploy must neither double nor lose."""
    client = world.ground.client
    functions = [one["FunctionName"] for one in client("lambda").list_functions()["Functions"]]
    mappings = client("lambda").list_event_source_mappings()["EventSourceMappings"]
    mine = [one for one in mappings if f"stepwell-{world.stage}-" in one["FunctionArn"]]
    assert all(one["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for one in mine), mine
    assert all(one["State"] == "Enabled" for one in mine), mine
    rules = client("events").list_rules()["Rules"]
    return {
        "functions": sorted(name for name in functions if name.startswith(f"stepwell-{world.stage}")),
        "mappings": sorted(one["UUID"] for one in mine),
        "rules": sorted(rule["Name"] for rule in rules if f"stepwell-{world.stage}-" in rule["Name"]),
        "apis": sorted(api["id"] for api in client("apigateway").get_rest_apis()["items"]),
        "root": [root_host(world.ground, world.stage)],
    }


def the_api_wants_its_bearer(world: World) -> None:
    api = world.api
    for path in ("/v1/runs", "/v1/events", "/v1/functions", "/v1/backlog", "/v1/dead-letters"):
        for bearer in ("", "wrong", api.event_key):
            answer = api.call("GET", path, bearer=bearer)
            assert answer.status == 401, f"{path} with {bearer!r}: {answer.status} {answer.body}"
            assert answer.body["status"] == 401
            assert answer.body["error"]
        assert api.call("GET", path).status == 200, path
    assert api.call("GET", "/health", bearer="").status == 200
    assert api.call("POST", "/e/wrong-key-0123456789-0123456789-abc", {"name": "a"}, bearer="").status == 401
    assert api.call("POST", f"/e/{api.event_key}", {"name": "e2e/nobody-listens"}, bearer="").status == 200


def rotated_keys_work_without_a_deploy(world: World) -> None:
    """A new key beside the old ones, and taken away again: functions that are warm learn of both."""
    event_key, signing_key = secrets.token_urlsafe(32), f"signkey-{world.stage}-{secrets.token_hex(32)}"
    api = world.api

    def statuses() -> tuple[int, int]:
        sent = api.call("POST", f"/e/{event_key}", {"name": "e2e/nobody-listens"}, bearer="")
        return sent.status, api.call("GET", "/v1/runs", bearer=signing_key).status

    assert statuses() == (401, 401)
    _put_keys(world, [event_key], [signing_key])
    until("the new keys are accepted", lambda: statuses() == (200, 200), 40, every_s=1)
    api.send("e2e/nobody-listens", {})
    assert api.call("GET", "/v1/runs").status == 200
    _put_keys(world, [], [], without=(event_key, signing_key))
    until("the removed keys are refused", lambda: statuses() == (401, 401), 100, every_s=2)
    api.send("e2e/nobody-listens", {})
    assert api.call("GET", "/v1/runs").status == 200


def _put_keys(world: World, event_keys: list[str], signing_keys: list[str], without: tuple[str, ...] = ()) -> None:
    ssm = world.ground.client("ssm")
    for kind, added in (("event-keys", event_keys), ("signing-keys", signing_keys)):
        keys = [*added, *(key for key in world.hands.keys(world.stage, kind) if key not in without)]
        ssm.put_parameter(
            Name=f"/stepwell/{world.stage}/{kind}", Value="\n".join(keys), Type="SecureString", Overwrite=True
        )
