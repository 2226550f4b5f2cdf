"""What is wrong with a stage, and what mends it: from facts and settings alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from infra.deploy import keys
from infra.deploy.drift import TTL_ATTRIBUTE
from infra.deploy.facts import Facts, FunctionFacts, MappingFacts, QueueFacts, TableFacts
from infra.deploy.mappings import PARTIAL_BATCHES, RESPONSE_TYPES
from infra.deploy.policies import FUNCTIONS
from infra.deploy.settings import StageSettings

KEPT_S: Final = 14 * 86_400
BATCH_SIZES: Final = {"on_event": 10, "on_work": 1}
SCHEDULES: Final = {"on_tick": "rate(1 minute)", "on_collect": "rate(5 minutes)"}
_QUEUE_OF: Final = {"on_event": "events", "on_work": "work"}


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be."""

    wrong: str
    mend: str

    def __str__(self) -> str:
        return f"{self.wrong}\n  → {self.mend}"


def judge(facts: Facts, settings: StageSettings, entry: Mapping[str, Any]) -> list[Finding]:
    """Everything that is wrong. `entry` is the stage's part of .chalice/config.json."""
    deploy, infra = f"make deploy STAGE={facts.stage}", f"make infra STAGE={facts.stage}"
    return [
        *_functions(facts, settings, entry, deploy, infra),
        *_mappings(facts, settings, deploy),
        *_queues(facts, settings, infra),
        *_tables(facts, settings, infra),
        *_schedules(facts, deploy),
        *_rest_api(facts, deploy),
        *_root(facts, settings),
        *_bucket(facts),
        *_keys(facts, infra),
    ]


def _functions(
    facts: Facts, settings: StageSettings, entry: Mapping[str, Any], deploy: str, infra: str
) -> Iterator[Finding]:
    for name in FUNCTIONS:
        function = facts.functions.get(name)
        if function is None:
            yield Finding(f"the function {name} is not there", deploy)
            continue
        wanted = entry["lambda_functions"][name]
        if function.timeout_s != wanted["lambda_timeout"]:
            yield Finding(
                f"{name} has a timeout of {function.timeout_s} s, the settings say {wanted['lambda_timeout']} s", deploy
            )
        if function.memory_mb != wanted["lambda_memory_size"]:
            yield Finding(
                f"{name} has {function.memory_mb} MB, the settings say {wanted['lambda_memory_size']} MB", deploy
            )
        if name in _QUEUE_OF and function.recursion != "Allow":
            yield Finding(
                f"Lambda would stop long runs: recursion of {name} is {function.recursion}, not Allow", deploy
            )
        if function.log_retention_days != settings.log_retention_days:
            kept = f"{function.log_retention_days} days" if function.log_retention_days else "for ever"
            yield Finding(f"the logs of {name} are kept {kept}, not {settings.log_retention_days} days", infra)
        yield from _environment(name, function, entry["environment_variables"], facts, deploy)


def _environment(
    name: str, function: FunctionFacts, wanted: Mapping[str, str], facts: Facts, deploy: str
) -> Iterator[Finding]:
    different = sorted(key for key, value in wanted.items() if function.environment.get(key) != value)
    if different:
        yield Finding(f"{name} does not have these variables as the settings say: {', '.join(different)}", deploy)
    if name not in _QUEUE_OF:
        return
    reporting = all(one.response_types == tuple(RESPONSE_TYPES) for one in facts.mappings.get(name, ()))
    told = all(function.environment.get(key) == value for key, value in PARTIAL_BATCHES.items())
    if told and not reporting:
        yield Finding(
            f"{name} believes that its mapping reports batch item failures, and it does not: failed messages are lost",
            deploy,
        )
    elif not told:
        yield Finding(
            f"{name} runs in the safe mode (as after a plain `chalice deploy`): nothing is lost, but a failed batch "
            "costs more requests",
            deploy,
        )


def _mappings(facts: Facts, settings: StageSettings, deploy: str) -> Iterator[Finding]:
    concurrency = {"on_event": settings.events_max_concurrency, "on_work": settings.work_max_concurrency}
    for name, queue in _QUEUE_OF.items():
        ours = facts.mappings.get(name, ())
        wanted = f"stepwell-{facts.stage}-{queue}"
        if not any(one.queue == wanted for one in ours):
            yield Finding(f"nothing takes messages from {wanted} to {name}", deploy)
        for mapping in ours:
            yield from _mapping(name, mapping, wanted, concurrency[name], deploy)


def _mapping(name: str, mapping: MappingFacts, queue: str, concurrency: int, deploy: str) -> Iterator[Finding]:
    if mapping.queue != queue:
        yield Finding(
            f"{name} also takes messages from {mapping.queue}, which are not meant for it",
            f"aws lambda delete-event-source-mapping --uuid {mapping.uuid}",
        )
        return
    if mapping.state != "Enabled":
        yield Finding(
            f"the mapping from {queue} to {name} is {mapping.state or 'in no known state'}: messages are not handled",
            f"aws lambda update-event-source-mapping --uuid {mapping.uuid} --enabled",
        )
    if mapping.response_types != tuple(RESPONSE_TYPES):
        yield Finding(f"the mapping from {queue} to {name} does not report batch item failures", deploy)
    if mapping.batch_size != BATCH_SIZES[name]:
        yield Finding(f"{name} gets up to {mapping.batch_size} messages at once, not {BATCH_SIZES[name]}", deploy)
    if mapping.max_concurrency != concurrency:
        yield Finding(
            f"up to {mapping.max_concurrency or 'any number of'} invocations of {name} run side by side, the settings "
            f"say {concurrency}",
            deploy,
        )


def _queues(facts: Facts, settings: StageSettings, infra: str) -> Iterator[Finding]:
    timeouts = {"Events": ("on_event", settings.events_visibility_s), "Work": ("on_work", settings.work_visibility_s)}
    for name, (handler, visibility) in timeouts.items():
        queue = facts.queues.get(name)
        if queue is None:
            yield Finding(f"the queue stepwell-{facts.stage}-{name.lower()} is not there", infra)
            continue
        yield from _queue(queue, visibility, settings, infra)
        function = facts.functions.get(handler)
        if function is not None and queue.visibility_s < function.timeout_s + 30:
            yield Finding(
                f"{queue.name} hides messages for {queue.visibility_s} s; {handler} may take {function.timeout_s} s "
                "and needs 30 s more: messages would be handled twice at once",
                f"make deploy STAGE={facts.stage}",
            )


def _queue(queue: QueueFacts, visibility: int, settings: StageSettings, infra: str) -> Iterator[Finding]:
    if queue.visibility_s != visibility:
        yield Finding(
            f"{queue.name} hides a message for {queue.visibility_s} s, the settings say {visibility} s", infra
        )
    if queue.kept_s != KEPT_S:
        yield Finding(f"{queue.name} keeps messages {queue.kept_s // 86_400} days, not 14", infra)
    if queue.dead_letters != f"{queue.name}-dead":
        yield Finding(f"{queue.name} has no dead-letter queue: a message that always fails comes back for ever", infra)
    elif queue.receive_count != settings.receive_count:
        yield Finding(
            f"{queue.name} gives up a message after {queue.receive_count} receives, the settings say "
            f"{settings.receive_count}",
            infra,
        )


def _tables(facts: Facts, settings: StageSettings, infra: str) -> Iterator[Finding]:
    for name, table in facts.tables.items():
        if table is None:
            yield Finding(f"the table {name} is not there", infra)
        else:
            yield from _table(table, settings, infra)


def _table(table: TableFacts, settings: StageSettings, infra: str) -> Iterator[Finding]:
    if table.status not in ("ACTIVE", "UPDATING"):
        yield Finding(f"the table {table.name} is {table.status}", "wait, or see the DynamoDB console")
    if table.ttl_attribute != TTL_ATTRIBUTE:
        now = f"by {table.ttl_attribute}" if table.ttl_attribute else "never"
        hour = " (DynamoDB wants an hour between two changes)"
        yield Finding(f"items of {table.name} expire {now}, they should by {TTL_ATTRIBUTE}", infra + hour)
    if table.recovery != settings.point_in_time_recovery:
        yield Finding(
            f"point-in-time recovery of {table.name} is {_on(table.recovery)}, not as the settings say", infra
        )
    if table.protected != settings.deletion_protection:
        yield Finding(f"deletion protection of {table.name} is {_on(table.protected)}, not as the settings say", infra)


def _schedules(facts: Facts, deploy: str) -> Iterator[Finding]:
    for name, expression in SCHEDULES.items():
        rule = facts.rules.get(name)
        if rule is None:
            yield Finding(f"nothing calls {name} on its schedule", deploy)
            continue
        if rule.state != "ENABLED":
            yield Finding(
                f"the schedule of {name} is {rule.state}: sleeps and waits do not end",
                f"aws events enable-rule --name stepwell-{facts.stage}-{name}-event",
            )
        if rule.expression != expression:
            yield Finding(f"{name} is called at {rule.expression}, not at {expression}", deploy)
        function = facts.functions.get(name)
        if function is not None and function.arn not in rule.targets:
            yield Finding(f"the schedule of {name} does not call it", deploy)


def _rest_api(facts: Facts, deploy: str) -> Iterator[Finding]:
    if not facts.rest_apis:
        yield Finding("there is no REST API", deploy)
    for extra in facts.rest_apis[1:]:
        yield Finding(
            f"a second REST API ({extra}) calls the same function",
            f"aws apigateway delete-rest-api --rest-api-id {extra}, once nobody uses its address any more",
        )


def _root(facts: Facts, settings: StageSettings) -> Iterator[Finding]:
    mend = f"make address STAGE={facts.stage}"
    if settings.function_url and facts.function_url is None:
        yield Finding("the API's function has no URL: SDKs, which drop the path of an address, cannot reach it", mend)
    elif settings.function_url and facts.function_url != "NONE":
        yield Finding(f"the function URL asks for {facts.function_url}, which no SDK sends", mend)
    elif facts.function_url is not None and not settings.function_url:
        yield Finding("the API's function has a URL, which the settings do not want", mend)
    if settings.domain_name and not set(facts.domain_apis) & set(facts.rest_apis):
        yield Finding(f"the domain {settings.domain_name} does not lead to the API", mend)


def _bucket(facts: Facts) -> Iterator[Finding]:
    if facts.bucket_private is None:
        yield Finding(f"the bucket {facts.bucket} is not there", f"make infra STAGE={facts.stage}")
        return
    if not facts.bucket_private:
        yield Finding(
            f"the bucket {facts.bucket} may be made public",
            f"aws s3api put-public-access-block --bucket {facts.bucket} --public-access-block-configuration "
            "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
        )
    if not facts.bucket_encrypted:
        yield Finding(
            f"the bucket {facts.bucket} is not encrypted",
            "set its default encryption in the S3 console",
        )


def _keys(facts: Facts, infra: str) -> Iterator[Finding]:
    for kind in keys.Kind:
        found = facts.keys.get(kind, ())
        if not found:
            yield Finding(f"there is no {kind.value} key: every such request is refused", infra)
        for key in found:
            problem = keys.problem(kind, key)
            if problem:
                yield Finding(problem, f"make keys STAGE={facts.stage} ARGS='remove {kind.value} {key[-6:]}'")


def _on(value: bool) -> str:
    return "on" if value else "off"
