"""What watches a stage: alarms for every queue, table and function, logs with an end, and the dashboard."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest

from chalicelib.core.metrics import NAMESPACE, Metric
from infra.deploy.policies import FUNCTIONS, lambda_name
from tests.infra.test_template import RESOURCES, TEMPLATE_BODY, of_type

ALARMS = of_type("AWS::CloudWatch::Alarm")
STAGE = "${Stage}"


def resolved(value: Any) -> Any:
    """A reference as the name it stands for; the stage stays open."""
    match value:
        case {"Fn::Sub": str(text)}:
            return text
        case {"Ref": str(name)}:
            return resolved(_name_of(name))
        case {"Fn::GetAtt": [name, "QueueName"]}:
            return resolved(RESOURCES[name]["Properties"]["QueueName"])
    return value


def _name_of(logical: str) -> Any:
    if logical in TEMPLATE_BODY["Parameters"]:
        return "${" + logical + "}"
    properties = RESOURCES[logical]["Properties"]
    return next(value for key, value in properties.items() if key in ("TableName", "Name", "TopicName"))


def watched() -> set[tuple[str, ...]]:
    """What there are alarms for: metric, then the values of its dimensions."""
    return {
        (f"{one['Namespace']} {one['MetricName']}", *(resolved(d["Value"]) for d in one["Dimensions"]))
        for one in ALARMS.values()
    }


@pytest.mark.parametrize("queue", ["events", "work"])
def test_each_queue_has_alarms_for_its_dead_letters_and_its_oldest_message(queue: str) -> None:
    assert ("AWS/SQS ApproximateNumberOfMessagesVisible", f"stepwell-{STAGE}-{queue}-dead") in watched()
    assert ("AWS/SQS ApproximateAgeOfOldestMessage", f"stepwell-{STAGE}-{queue}") in watched()


def test_each_table_and_index_has_alarms_for_throttled_requests() -> None:
    expected: set[tuple[str, ...]] = set()
    for table in of_type("AWS::DynamoDB::Table").values():
        name = resolved(table["TableName"])
        expected |= {(f"AWS/DynamoDB {kind}ThrottleEvents", name) for kind in ("Read", "Write")}
        for index in table.get("GlobalSecondaryIndexes", []):
            expected.add(("AWS/DynamoDB WriteThrottleEvents", name, index["IndexName"]))
    assert {one for one in watched() if one[0].startswith("AWS/DynamoDB")} == expected


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_has_alarms_for_errors_and_throttles(function: str) -> None:
    for metric in ("Errors", "Throttles"):
        assert (f"AWS/Lambda {metric}", lambda_name(STAGE, function)) in watched()


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
@pytest.mark.parametrize(("function", "minutes"), [("on_tick", 1), ("on_collect", 5)])
def test_a_schedule_that_always_fails_is_noticed_whatever_the_settings_say(
    function: str, minutes: int, metric: str
) -> None:
    """They are called so often and no oftener: a threshold for load would never be reached by the slower one."""
    (alarm,) = [
        one
        for one in ALARMS.values()
        if one["MetricName"] == metric and resolved(one["Dimensions"][0]["Value"]) == lambda_name(STAGE, function)
    ]
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["Threshold"] * minutes * 60 <= alarm["Period"]
    # One failure that its repetition mends is nothing to be woken for.
    assert 1 < alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"]


def test_requests_that_were_answered_with_a_fault_are_noticed() -> None:
    """Lambda takes an answer for a success, whatever its status."""
    assert (f"{NAMESPACE} {Metric.REQUESTS_FAILED}", f"stepwell-{STAGE}") in watched()


def test_schedules_that_stand_still_are_noticed_by_what_is_missing() -> None:
    alarm = ALARMS["SchedulesStoppedAlarm"]
    assert resolved(alarm["Dimensions"][0]["Value"]) == lambda_name(STAGE, "on_tick")
    assert (alarm["MetricName"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "Invocations",
        "LessThanThreshold",
        1,
    )
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 600
    assert alarm["TreatMissingData"] == "breaching"


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_tells_the_topic_and_says_what_to_do_first(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
    what = alarm["AlarmName"]["Fn::Sub"].removeprefix(f"stepwell-{STAGE}-")
    assert re.fullmatch(r"[a-z-]+", what)
    description = alarm["AlarmDescription"]["Fn::Sub"]
    assert "First: " in description
    assert description.endswith(f"See docs/OPERATIONS.md, {what}.")
    assert len(description) < 900  # CloudWatch takes 1,024 characters, with the stage's name in them.
    assert alarm["TreatMissingData"] == ("breaching" if what == "schedules-stopped" else "notBreaching")


def test_the_topic_is_always_there_and_mail_is_sent_only_to_an_address_that_is_set() -> None:
    assert "Condition" not in RESOURCES["AlarmTopic"]
    mail = RESOURCES["AlarmMail"]
    assert mail["Properties"]["Endpoint"] == {"Ref": "AlarmEmail"}
    assert TEMPLATE_BODY["Conditions"][mail["Condition"]] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}],
    }


def test_each_function_has_its_log_group_with_the_retention() -> None:
    groups = of_type("AWS::Logs::LogGroup").values()
    assert {resolved(one["LogGroupName"]) for one in groups} == {
        f"/aws/lambda/{lambda_name(STAGE, function)}" for function in FUNCTIONS
    }
    assert all(one["RetentionInDays"] == {"Ref": "LogRetentionDays"} for one in groups)


def dashboard() -> list[dict[str, Any]]:
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets: list[dict[str, Any]] = json.loads(body)["widgets"]
    return widgets


def figures() -> list[list[str]]:
    """The metrics of all its parts, in full: a dot stands for what the line above has there."""
    found: list[list[str]] = []
    for widget in dashboard():
        above: list[str] = []
        for metric in widget["properties"].get("metrics", []):
            above = [above[n] if part == "." else part for n, part in enumerate(metric)]
            found.append(above)
    return found


def test_the_dashboard_links_the_log_of_each_function_and_the_alarms() -> None:
    (text,) = [widget["properties"]["markdown"] for widget in dashboard() if widget["type"] == "text"]
    logs = re.findall(r"#logsV2:log-groups/log-group/([^)]+)\)", text)
    # The console wants the name encoded, with $25 for the per cent sign.
    assert [unquote(unquote(one.replace("$25", "%25"))) for one in logs] == [
        f"/aws/lambda/{lambda_name(STAGE, function)}" for function in FUNCTIONS
    ]
    assert "#alarmsV2:" in text


def test_the_dashboard_shows_every_metric_of_ours_once() -> None:
    ours = [metric[1:] for metric in figures() if metric[0] == NAMESPACE]
    assert sorted(name for name, *_ in ours) == sorted(Metric)
    assert {tuple(dimension) for _, *dimension in ours} == {("service", f"stepwell-{STAGE}")}


def test_the_dashboard_shows_every_queue_table_and_function() -> None:
    shown = {metric[-1] for metric in figures()}
    tables = {resolved(one["TableName"]) for one in of_type("AWS::DynamoDB::Table").values()}
    queues = {resolved(one["QueueName"]) for one in of_type("AWS::SQS::Queue").values()}
    assert shown >= tables | queues | {lambda_name(STAGE, function) for function in FUNCTIONS}


def test_no_two_parts_of_the_dashboard_lie_on_each_other() -> None:
    cells = [
        (x, y)
        for w in dashboard()
        for x in range(w["x"], w["x"] + w["width"])
        for y in range(w["y"], w["y"] + w["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
