"""The AWS room, furnished: clients once per process, and the adapters on them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.aws.ages import CloudWatchAges
from chalicelib.aws.apps import DynamoApps
from chalicelib.aws.bulk import DynamoCancellations, DynamoReplays
from chalicelib.aws.bus import EventBus
from chalicelib.aws.cells import DynamoCells
from chalicelib.aws.dead_letters import SqsDeadLetters
from chalicelib.aws.dynamo import Dynamo
from chalicelib.aws.events import DynamoEvents
from chalicelib.aws.joins import DynamoJoins
from chalicelib.aws.lines import DynamoLines
from chalicelib.aws.looking import DynamoLooking
from chalicelib.aws.pauses import DynamoPauses
from chalicelib.aws.payloads import Payloads
from chalicelib.aws.queues import SqsQueues
from chalicelib.aws.runs import DynamoRuns
from chalicelib.aws.secrets import SsmKeys
from chalicelib.aws.signals import DynamoSignals
from chalicelib.aws.timers import DynamoTimers
from chalicelib.engine.ports import QueueName

if TYPE_CHECKING:
    from botocore.session import Session

    from chalicelib.aws.lambdas import Lambdas

_POOL = 32
_TIMEOUT_S = 10


@dataclass(frozen=True)
class Names:
    """What the stack calls its parts."""

    events: str
    runs: str
    pauses: str
    timers: str
    functions: str
    limits: str
    events_queue_url: str
    work_queue_url: str
    dead_events_url: str
    dead_work_url: str
    bucket: str
    bus: str
    keys_path: str


@dataclass(frozen=True)
class Room:
    """The adapters."""

    events: DynamoEvents
    runs: DynamoRuns
    pauses: DynamoPauses
    signals: DynamoSignals
    lines: DynamoLines
    timers: DynamoTimers
    apps: DynamoApps
    cancellations: DynamoCancellations
    replays: DynamoReplays
    cells: DynamoCells
    joins: DynamoJoins
    queues: SqsQueues
    payloads: Payloads
    keys: SsmKeys
    dead_letters: SqsDeadLetters
    looking: DynamoLooking
    ages: CloudWatchAges
    bus: EventBus
    # Made when the first app is called that is a Lambda function.
    lambdas: Callable[[], Lambdas]


def _client(session: Session, service: str, read_timeout_s: int = _TIMEOUT_S, tries: int = 4, **options: Any) -> Any:
    from botocore.config import Config

    # `standard` repeats throttled and failed calls a few times; the queue does the rest. A fixed user agent: the usual
    # one is put together anew twice per request, an eighth of botocore's CPU (python -m tests.bench.engine).
    config = Config(
        connect_timeout=3,
        read_timeout=read_timeout_s,
        max_pool_connections=_POOL,
        retries={"mode": "standard", "total_max_attempts": tries},
        parameter_validation=False,
        user_agent="stepwell",
        **options,
    )
    return session.create_client(service, config=config)


def _lambdas(session: Session) -> Lambdas:
    from chalicelib.aws.lambdas import Lambdas

    # A second try would run the user's code twice at once; the run's next attempt is the second try.
    return Lambdas(lambda seconds: _client(session, "lambda", seconds, tries=1))


def furnish(names: Names, stamp: Callable[[], int], session: Session | None = None, *, threads: int = 1) -> Room:
    """Clients are made here, none at import. `botocore.session` starts faster than boto3 and does the same. `threads`:
    how many reads of the pause index go side by side."""
    if session is None:
        import botocore.session

        session = botocore.session.get_session()
    made = session
    dynamo = Dynamo(_client(made, "dynamodb"))
    payloads = Payloads(functools.cache(lambda: _client(made, "s3", signature_version="s3v4")), names.bucket)
    sqs = _client(made, "sqs")
    runs = DynamoRuns(
        dynamo, payloads, runs_table=names.runs, events_table=names.events, pauses_table=names.pauses, stamp=stamp
    )
    return Room(
        events=DynamoEvents(dynamo, payloads, names.events, stamp),
        runs=runs,
        pauses=DynamoPauses(dynamo, names.pauses, threads),
        signals=DynamoSignals(dynamo, runs, names.pauses),
        lines=DynamoLines(dynamo, names.limits, stamp),
        timers=DynamoTimers(dynamo, names.timers),
        apps=DynamoApps(dynamo, names.functions),
        cancellations=DynamoCancellations(dynamo, names.runs, stamp),
        replays=DynamoReplays(dynamo, names.runs, stamp),
        cells=DynamoCells(dynamo, names.limits),
        joins=DynamoJoins(dynamo, limits_table=names.limits, events_table=names.events, stamp=stamp),
        queues=SqsQueues(
            sqs,
            payloads,
            events_url=names.events_queue_url,
            work_url=names.work_queue_url,
            dead_events_url=names.dead_events_url,
            dead_work_url=names.dead_work_url,
        ),
        payloads=payloads,
        keys=SsmKeys(functools.cache(lambda: _client(made, "ssm")), names.keys_path),
        looking=DynamoLooking(dynamo, payloads, runs_table=names.runs, pauses_table=names.pauses),
        ages=CloudWatchAges(
            functools.cache(lambda: _client(made, "cloudwatch")),
            {
                QueueName.EVENTS: names.events_queue_url,
                QueueName.WORK: names.work_queue_url,
                QueueName.DEAD_EVENTS: names.dead_events_url,
                QueueName.DEAD_WORK: names.dead_work_url,
            },
        ),
        dead_letters=SqsDeadLetters(
            sqs,
            (names.events_queue_url, names.work_queue_url),
            (names.dead_events_url, names.dead_work_url),
        ),
        bus=EventBus(functools.cache(lambda: _client(made, "events")), names.bus),
        lambdas=functools.cache(lambda: _lambdas(made)),
    )
