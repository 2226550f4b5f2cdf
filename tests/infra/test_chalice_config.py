"""The stage's part of .chalice/config.json: what chalice makes of it, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chalice.config import Config
from chalice.constants import DEFAULT_ENDPOINT_TYPE
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.models import LambdaFunction

from app import app
from chalicelib import config as configuration
from infra.deploy import chalice_config, settings
from infra.deploy.policies import FUNCTIONS, lambda_name
from infra.deploy.settings import SettingsError, StageSettings
from infra.deploy.user_policy import PolicyError
from tests.infra import test_policies

DEFAULTS = settings.load("prod")


def outputs(stage: str = "prod") -> dict[str, str]:
    """All of the stack's outputs that are needed here."""
    tables = ("Events", "Runs", "Pauses", "Timers", "Functions", "Limits")
    queues = {"Events": "events", "Work": "work", "EventsDead": "events-dead", "WorkDead": "work-dead"}
    return {
        **test_policies.outputs(stage, f"stepwell-{stage}-payloads"),
        **{f"{table}TableName": f"stepwell-{stage}-{table.lower()}" for table in tables},
        **{f"{queue}QueueUrl": f"https://sqs/1/stepwell-{stage}-{name}" for queue, name in queues.items()},
        "PayloadBucketName": f"stepwell-{stage}-payloads",
        "EventBusName": f"stepwell-{stage}",
    }


def with_settings(**changes: Any) -> StageSettings:
    return StageSettings.model_validate(DEFAULTS.model_dump() | changes)


def written(project: Path, stage: str = "prod", **changes: Any) -> dict[str, Any]:
    chosen = with_settings(stage=stage, **changes)
    chalice_config.write(project, stage, chosen, outputs(stage))
    found: dict[str, Any] = json.loads((project / ".chalice" / "config.json").read_text())
    return found


def chalice_sees(project: Path, stage: str = "prod") -> Config:
    """As chalice's command line reads it."""
    return Config(
        chalice_stage=stage,
        user_provided_params={"chalice_app": app, "project_dir": str(project)},
        config_from_disk=json.loads((project / ".chalice" / "config.json").read_text()),
        default_params={"autogen_policy": True, "api_gateway_endpoint_type": DEFAULT_ENDPOINT_TYPE},
    )


def functions_of(project: Path, stage: str = "prod") -> dict[str, Any]:
    """The Lambda functions that chalice would deploy, by resource name."""
    graph = ApplicationGraphBuilder().build(chalice_sees(project, stage), stage)
    models = DependencyBuilder().build_dependencies(graph)
    return {one.resource_name: one for one in models if isinstance(one, LambdaFunction)}


def test_chalice_gives_each_function_its_name_time_memory_policy_and_variables(tmp_path: Path) -> None:
    variables = written(tmp_path)["stages"]["prod"]["environment_variables"]
    found = functions_of(tmp_path)
    assert found.keys() == set(FUNCTIONS)
    for name, one in found.items():
        assert one.function_name == lambda_name("prod", name)
        assert one.environment_variables == variables
        assert one.architecture == "x86_64"
        assert one.role.policy.filename == str(tmp_path / ".chalice" / f"policy-prod-{name}.json")
    assert {name: (one.timeout, one.memory_size) for name, one in found.items()} == {
        "api_handler": (29, 512),
        "on_event": (60, 512),
        "on_work": (120, 512),
        "on_tick": (50, 256),
        "on_collect": (120, 256),
    }


def test_each_function_has_a_role_of_its_own(tmp_path: Path) -> None:
    written(tmp_path)
    roles = {one.role.role_name for one in functions_of(tmp_path).values()}
    assert roles == {f"stepwell-prod-{name}" for name in FUNCTIONS}


def test_the_api_is_regional_compresses_and_has_the_stage_api(tmp_path: Path) -> None:
    written(tmp_path)
    seen = chalice_sees(tmp_path)
    assert (seen.api_gateway_endpoint_type, seen.api_gateway_stage) == ("REGIONAL", "api")
    assert (seen.minimum_compression_size, seen.autogen_policy) == (1024, False)
    written(tmp_path, api_endpoint_type="EDGE")
    assert chalice_sees(tmp_path).api_gateway_endpoint_type == "EDGE"


def test_settings_reach_the_platform_s_configuration(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "retention_days": 60,
        "receive_count": 20,
        "hand_over_below_s": 30,
        "log_level": "DEBUG",
        "bus_exit": True,
        "environment": {"MAIL_FROM": "ops@example.com"},
    }
    variables = written(tmp_path, **changes)["stages"]["prod"]["environment_variables"]
    found = configuration.load(variables)
    assert (found.stage, found.retention_days, found.max_receives) == ("prod", 60, 20)
    assert (found.hand_over_below_ms, found.log_level, found.exit, found.dev) == (30_000, "DEBUG", True, False)
    assert found.queue_work_url == "https://sqs/1/stepwell-prod-work"
    assert found.dead_events_url == "https://sqs/1/stepwell-prod-events-dead"
    assert found.keys_path == "/stepwell/prod"
    assert variables["MAIL_FROM"] == "ops@example.com"


def test_what_is_off_is_not_there_and_partial_batches_are_never_promised(tmp_path: Path) -> None:
    variables = written(tmp_path)["stages"]["prod"]["environment_variables"]
    off = ("EXIT", "CORS_ORIGIN", "APP_NETWORKS", "PARTIAL_BATCHES", "DEV")
    assert not variables.keys() & {f"STEPWELL_{name}" for name in off}
    changes: dict[str, Any] = {"cors_origin": "https://app.example.com", "app_networks": ["10.0.0.0/16", "fd00::/8"]}
    more = written(tmp_path, **changes)["stages"]["prod"]["environment_variables"]
    assert configuration.cors_origin(more) == "https://app.example.com"
    assert [str(network) for network in configuration.load(more).app_networks] == ["10.0.0.0/16", "fd00::/8"]


def test_app_py_is_told_how_many_handlers_run_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = written(tmp_path, events_max_concurrency=7, work_max_concurrency=40)
    for name, value in variables["stages"]["prod"]["environment_variables"].items():
        monkeypatch.setenv(name, value)
    assert (configuration.max_concurrency("EVENTS"), configuration.max_concurrency("WORK")) == (7, 40)


def test_stages_lie_side_by_side_and_need_no_hand_edits(tmp_path: Path) -> None:
    written(tmp_path, "dev")
    prod = written(tmp_path, "prod")["stages"]
    assert prod.keys() == {"dev", "prod"}
    assert prod["dev"]["environment_variables"]["STEPWELL_STAGE"] == "dev"
    names = {path.name for path in (tmp_path / ".chalice").iterdir()}
    assert names == {"config.json"} | {f"policy-{s}-{name}.json" for s in ("dev", "prod") for name in FUNCTIONS}


def test_what_people_wrote_stays_and_what_was_ours_is_renewed(tmp_path: Path) -> None:
    both: dict[str, Any] = {
        "subnet_ids": ["s"],
        "environment_variables": {"STEPWELL_OLD": "1"},
        "lambda_functions": {"on_work": {"lambda_timeout": 3, "reserved_concurrency": 9}, "more": {"x": 1}},
    }
    (tmp_path / ".chalice").mkdir()
    document = {"version": "2.0", "app_name": "stepwell", "xray": True, "stages": {"prod": both, "other": {"a": 1}}}
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(document))
    found = written(tmp_path)
    assert (found["xray"], found["stages"]["other"]) == (True, {"a": 1})
    stage = found["stages"]["prod"]
    assert stage["subnet_ids"] == ["s"]
    assert stage["lambda_functions"]["more"] == {"x": 1}
    assert stage["lambda_functions"]["on_work"]["reserved_concurrency"] == 9
    assert stage["lambda_functions"]["on_work"]["lambda_timeout"] == 120
    assert "STEPWELL_OLD" not in stage["environment_variables"]


def test_the_same_settings_make_the_same_bytes(tmp_path: Path) -> None:
    written(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / ".chalice").iterdir()}
    written(tmp_path)
    assert {path: path.read_bytes() for path in (tmp_path / ".chalice").iterdir()} == before
    for text in before.values():
        assert text.endswith(b"}\n")
        assert text == (json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n").encode()


def test_the_project_s_user_policy_is_merged(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    policy = tmp_path / "infra" / "user-policy.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [test_policies.MAIL]}))
    written(tmp_path)
    document = json.loads((tmp_path / ".chalice" / "policy-prod-on_work.json").read_text())
    assert test_policies.MAIL in document["Statement"]
    policy.write_text("{")
    with pytest.raises(PolicyError, match=r"infra/user-policy.json is not JSON"):
        written(tmp_path)


def test_nothing_is_written_when_something_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"4,\d+ bytes together; Lambda allows 4,096: shorten \[stages.prod.env"):
        written(tmp_path, environment={"LONG": "x" * 3_500})
    with pytest.raises(SettingsError, match=r"the stage is 'prod', .* the stack is that of 'dev'"):
        chalice_config.write(tmp_path, "prod", DEFAULTS, outputs("dev"))
    assert not (tmp_path / ".chalice").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"stages": []}', '{"stages": {"prod": 1}}'])
def test_a_configuration_that_chalice_could_not_read_either_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text(text)
    with pytest.raises(SettingsError, match=r"config.json (cannot be read|must be an object)"):
        written(tmp_path)
    assert (tmp_path / ".chalice" / "config.json").read_text() == text


def test_tags_are_those_of_the_settings_and_the_stage(tmp_path: Path) -> None:
    written(tmp_path, tags={"team": "x"})
    tags = functions_of(tmp_path)["on_work"].tags
    assert (tags["team"], tags["stepwell-stage"]) == ("x", "prod")
