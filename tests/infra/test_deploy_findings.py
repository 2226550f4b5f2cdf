"""The judgement of a stage: each thing that can be wrong is found, and told with what mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from infra.deploy import findings, keys, settings
from infra.deploy.facts import Facts, FunctionFacts, MappingFacts, QueueFacts, RuleFacts, TableFacts
from infra.deploy.keys import Kind
from infra.deploy.policies import FUNCTIONS

STAGE = "prod"
SETTINGS = settings.load(STAGE)
TIMEOUTS = {
    "api_handler": SETTINGS.api_timeout_s,
    "on_event": SETTINGS.events_timeout_s,
    "on_work": SETTINGS.work_timeout_s,
    "on_tick": SETTINGS.tick_timeout_s,
    "on_collect": SETTINGS.collect_timeout_s,
}
VARIABLES = {"STEPWELL_STAGE": STAGE, "STEPWELL_BUCKET": "payloads"}
ENTRY = {
    "environment_variables": VARIABLES,
    "lambda_functions": {name: {"lambda_timeout": TIMEOUTS[name], "lambda_memory_size": 512} for name in FUNCTIONS},
}


def function(name: str) -> FunctionFacts:
    return FunctionFacts(
        arn=f"arn:{name}",
        timeout_s=TIMEOUTS[name],
        memory_mb=512,
        environment={**VARIABLES, "STEPWELL_PARTIAL_BATCHES": "1", "OF_THE_USER": "x"},
        recursion="Allow" if name in ("on_event", "on_work") else "Terminate",
        log_retention_days=SETTINGS.log_retention_days,
    )


def mapping(queue: str, batch: int, concurrency: int) -> MappingFacts:
    return MappingFacts(
        f"uuid-{queue}", f"stepwell-{STAGE}-{queue}", "Enabled", ("ReportBatchItemFailures",), batch, concurrency
    )


def queue(name: str, visibility: int) -> QueueFacts:
    name = f"stepwell-{STAGE}-{name}"
    return QueueFacts(name, visibility, 14 * 86_400, f"{name}-dead", SETTINGS.receive_count)


GOOD = Facts(
    stage=STAGE,
    functions={name: function(name) for name in FUNCTIONS},
    mappings={
        "on_event": (mapping("events", 10, SETTINGS.events_max_concurrency),),
        "on_work": (mapping("work", 1, SETTINGS.work_max_concurrency),),
    },
    queues={
        "Events": queue("events", SETTINGS.events_visibility_s),
        "Work": queue("work", SETTINGS.work_visibility_s),
    },
    tables={name: TableFacts(name, "ACTIVE", "expires_at", True, True) for name in ("Events", "Runs")},
    rules={
        "on_tick": RuleFacts("rate(1 minute)", "ENABLED", ("arn:on_tick",)),
        "on_collect": RuleFacts("rate(5 minutes)", "ENABLED", ("arn:on_collect",)),
    },
    rest_apis=("api",),
    function_url="NONE",
    bucket="payloads",
    bucket_private=True,
    bucket_encrypted=True,
    keys={kind: (keys.made(kind, STAGE, bytes(32)),) for kind in Kind},
)


def with_function(name: str, **changed: Any) -> Facts:
    return replace(GOOD, functions={**GOOD.functions, name: replace(GOOD.functions[name], **changed)})


def with_mapping(name: str, **changed: Any) -> Facts:
    return replace(GOOD, mappings={**GOOD.mappings, name: (replace(GOOD.mappings[name][0], **changed),)})


def with_queue(name: str, **changed: Any) -> Facts:
    found = GOOD.queues[name]
    assert found is not None
    return replace(GOOD, queues={**GOOD.queues, name: replace(found, **changed)})


def with_table(**changed: Any) -> Facts:
    found = GOOD.tables["Runs"]
    assert found is not None
    return replace(GOOD, tables={**GOOD.tables, "Runs": replace(found, **changed)})


def with_rule(**changed: Any) -> Facts:
    return replace(GOOD, rules={**GOOD.rules, "on_tick": replace(GOOD.rules["on_tick"], **changed)})


def test_a_good_stage_has_no_findings() -> None:
    assert findings.judge(GOOD, SETTINGS, ENTRY) == []


def test_addresses_are_judged_by_the_settings() -> None:
    without = SETTINGS.model_copy(update={"function_url": False})
    (found,) = findings.judge(GOOD, without, ENTRY)
    assert "has a URL, which the settings do not want" in str(found)
    assert findings.judge(replace(GOOD, function_url=None), without, ENTRY) == []
    domain = SETTINGS.model_copy(update={"domain_name": "events.example.com"})
    for apis in ((), ("another",)):
        (found,) = findings.judge(replace(GOOD, domain_apis=apis), domain, ENTRY)
        assert "the domain events.example.com does not lead to the API" in str(found)
    assert findings.judge(replace(GOOD, domain_apis=("api",)), domain, ENTRY) == []


WRONG: list[tuple[Facts, str, str]] = [
    (replace(GOOD, function_url=None), "the API's function has no URL", "make address STAGE=prod"),
    (replace(GOOD, function_url="AWS_IAM"), "the function URL asks for AWS_IAM", "make address STAGE=prod"),
    (replace(GOOD, functions={}), "the function on_work is not there", "make deploy STAGE=prod"),
    (with_function("on_work", timeout_s=60), "on_work has a timeout of 60 s, the settings say 120 s", "make deploy"),
    (with_function("on_tick", memory_mb=128), "on_tick has 128 MB, the settings say 512 MB", "make deploy"),
    (with_function("on_event", recursion="Terminate"), "recursion of on_event is Terminate", "make deploy"),
    (with_function("on_tick", log_retention_days=None), "logs of on_tick are kept for ever", "make infra"),
    (
        with_function("api_handler", environment={"STEPWELL_STAGE": "prod"}),
        "api_handler does not have these variables as the settings say: STEPWELL_BUCKET",
        "make deploy",
    ),
    (
        with_function("on_event", environment=ENTRY["environment_variables"]),
        "on_event runs in the safe mode",
        "make deploy",
    ),
    (with_mapping("on_work", response_types=()), "failed messages are lost", "make deploy"),
    (with_mapping("on_work", response_types=()), "does not report batch item failures", "make deploy"),
    (with_mapping("on_work", state="Disabled"), "is Disabled: messages are not handled", "--uuid uuid-work --enabled"),
    (with_mapping("on_work", batch_size=10), "on_work gets up to 10 messages at once, not 1", "make deploy"),
    (with_mapping("on_work", max_concurrency=None), "any number of invocations of on_work", "make deploy"),
    (
        with_mapping("on_work", queue="stepwell-prod-old"),
        "nothing takes messages from stepwell-prod-work",
        "make deploy",
    ),
    (with_mapping("on_work", queue="stepwell-prod-old"), "also takes messages from stepwell-prod-old", "delete-event"),
    (replace(GOOD, mappings={}), "nothing takes messages from stepwell-prod-events to on_event", "make deploy"),
    (replace(GOOD, queues={}), "the queue stepwell-prod-work is not there", "make infra"),
    (with_queue("Work", visibility_s=100), "would be handled twice at once", "make deploy"),
    (with_queue("Work", visibility_s=200), "hides a message for 200 s, the settings say 150 s", "make infra"),
    (with_queue("Events", kept_s=345_600), "keeps messages 4 days, not 14", "make infra"),
    (with_queue("Events", dead_letters=""), "has no dead-letter queue", "make infra"),
    (with_queue("Events", receive_count=3), "gives up a message after 3 receives", "make infra"),
    (replace(GOOD, tables={"Runs": None}), "the table Runs is not there", "make infra"),
    (with_table(status="DELETING"), "the table Runs is DELETING", "DynamoDB console"),
    (with_table(ttl_attribute=""), "items of Runs expire never", "make infra"),
    (with_table(ttl_attribute="ttl"), "items of Runs expire by ttl, they should by expires_at", "an hour"),
    (with_table(recovery=False), "point-in-time recovery of Runs is off", "make infra"),
    (with_table(protected=False), "deletion protection of Runs is off", "make infra"),
    (replace(GOOD, rules={}), "nothing calls on_tick on its schedule", "make deploy"),
    (with_rule(state="DISABLED"), "the schedule of on_tick is DISABLED", "enable-rule --name stepwell-prod-on_tick"),
    (with_rule(expression="rate(1 hour)"), "on_tick is called at rate(1 hour)", "make deploy"),
    (with_rule(targets=("arn:other",)), "the schedule of on_tick does not call it", "make deploy"),
    (replace(GOOD, rest_apis=()), "there is no REST API", "make deploy"),
    (replace(GOOD, rest_apis=("api", "second")), "a second REST API (second)", "delete-rest-api --rest-api-id second"),
    (replace(GOOD, bucket_private=None), "the bucket payloads is not there", "make infra"),
    (replace(GOOD, bucket_private=False), "may be made public", "put-public-access-block --bucket payloads"),
    (replace(GOOD, bucket_encrypted=False), "is not encrypted", "S3 console"),
    (replace(GOOD, keys={}), "there is no signing key", "make infra"),
    (replace(GOOD, keys={**GOOD.keys, Kind.EVENT: ("dev",)}), "the event key dev…dev must have", "remove event dev"),
]


@pytest.mark.parametrize(("facts", "wrong", "mend"), WRONG, ids=[wrong for _, wrong, _ in WRONG])
def test_what_is_wrong_is_told_with_what_mends_it(facts: Facts, wrong: str, mend: str) -> None:
    found = [one for one in findings.judge(facts, SETTINGS, ENTRY) if wrong in one.wrong]
    assert len(found) == 1, findings.judge(facts, SETTINGS, ENTRY)
    assert mend in found[0].mend


SOLE: list[Callable[[], Facts]] = [
    lambda: with_function("on_event", recursion="Terminate"),
    lambda: with_mapping("on_event", max_concurrency=1000),
    lambda: with_queue("Events", receive_count=3),
    lambda: with_table(recovery=False),
]


@pytest.mark.parametrize("make", SOLE)
def test_one_fault_is_one_finding(make: Callable[[], Facts]) -> None:
    assert len(findings.judge(make(), SETTINGS, ENTRY)) == 1
