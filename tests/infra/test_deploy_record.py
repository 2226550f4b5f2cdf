"""Chalice's record of what is deployed: true to what AWS has, whatever happened to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.deploy import record
from infra.deploy.inventory import Inventory, Mapping
from infra.deploy.problems import DeployError

FUNCTION = "arn:aws:lambda:eu-west-1:1:function:stepwell-dev-on_event"
QUEUE = "arn:aws:sqs:eu-west-1:1:stepwell-dev-events"
FOUND = Inventory(
    functions={"on_event": FUNCTION, "api_handler": "arn:aws:lambda:eu-west-1:1:function:stepwell-dev"},
    roles={"on_event": "arn:aws:iam::1:role/stepwell-dev-on_event"},
    mappings={"on_event": (Mapping("uuid-1", QUEUE, FUNCTION),)},
    rules={"on_tick": "stepwell-dev-on_tick-event"},
    rest_apis=("api-1",),
)
WHOLE = [
    {
        "name": "on_event_role",
        "resource_type": "iam_role",
        "role_arn": "arn:aws:iam::1:role/stepwell-dev-on_event",
        "role_name": "stepwell-dev-on_event",
    },
    {"name": "on_event", "resource_type": "lambda_function", "lambda_arn": FUNCTION},
    {
        "name": "api_handler",
        "resource_type": "lambda_function",
        "lambda_arn": "arn:aws:lambda:eu-west-1:1:function:stepwell-dev",
    },
    {
        "name": "on_event-sqs-event-source",
        "resource_type": "sqs_event",
        "queue_arn": QUEUE,
        "event_uuid": "uuid-1",
        "queue": "stepwell-dev-events",
        "lambda_arn": FUNCTION,
    },
    {"name": "on_tick-event", "resource_type": "cloudwatch_event", "rule_name": "stepwell-dev-on_tick-event"},
    {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "api-1"},
]


def test_a_lost_record_is_rebuilt_from_what_aws_has() -> None:
    assert record.true_to([], FOUND, "dev") == WHOLE


def test_what_is_gone_from_aws_goes_from_the_record() -> None:
    gone = {"name": "old", "resource_type": "lambda_function", "lambda_arn": "arn:old"}
    assert record.true_to([*WHOLE, gone], FOUND, "dev") == WHOLE
    assert record.true_to(WHOLE, Inventory(), "dev") == []


def test_what_nobody_looks_for_stays_as_it_was_recorded() -> None:
    domain = {"name": "domain", "resource_type": "domain_name", "domain_name": "events.example.com"}
    assert record.true_to([domain], FOUND, "dev") == [*WHOLE, domain]


def test_of_two_apis_the_recorded_one_is_ours_and_without_a_record_the_oldest() -> None:
    two = Inventory(rest_apis=("api-1", "api-2"))
    recorded = [{"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "api-2", "rest_api_url": "https://x/"}]
    kept = record.true_to(recorded, two, "dev")
    assert kept == recorded
    assert record.surplus(kept, two) == ([], ["api-1"])
    assert record.api_id(record.true_to([], two, "dev")) == "api-1"


def test_a_second_mapping_is_surplus() -> None:
    two = Inventory(mappings={"on_event": (Mapping("a", QUEUE, FUNCTION), Mapping("b", QUEUE, FUNCTION))})
    assert record.surplus(record.true_to([], two, "dev"), two) == (["b"], [])


def test_while_a_deployment_is_under_way_the_record_holds_the_old_and_the_new() -> None:
    old = [{"name": "a", "resource_type": "x", "id": "1"}, {"name": "b", "resource_type": "x", "id": "2"}]
    new = [{"name": "b", "resource_type": "x", "id": "3"}, {"name": "c", "resource_type": "x", "id": "4"}]
    assert [one["id"] for one in record.merged(old, new)] == ["1", "3", "4"]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert record.read(tmp_path, "dev") == []
    record.write(tmp_path, "dev", WHOLE)
    assert record.read(tmp_path, "dev") == WHOLE
    assert json.loads(record.path(tmp_path, "dev").read_text())["schema_version"] == "2.0"
    record.forget(tmp_path, "dev")
    record.forget(tmp_path, "dev")
    assert record.read(tmp_path, "dev") == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"resources": 5}', '{"resources": [{"name": "x"}]}'])
def test_a_broken_record_is_told_with_the_way_out(tmp_path: Path, text: str) -> None:
    record.write(tmp_path, "dev", [])
    record.path(tmp_path, "dev").write_text(text)
    with pytest.raises(DeployError, match="Delete it and run the command again"):
        record.read(tmp_path, "dev")


def test_chalice_itself_reads_what_was_written(tmp_path: Path) -> None:
    from chalice.config import Config

    record.write(tmp_path, "dev", WHOLE)
    deployed = Config.create(project_dir=str(tmp_path)).deployed_resources("dev")
    assert deployed.resource_values("rest_api")["rest_api_id"] == "api-1"
    assert deployed.resource_names() == [one["name"] for one in WHOLE]
