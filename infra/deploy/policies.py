"""What each Lambda function may do: exactly what its handler calls (tests/infra/test_policies.py records the calls).

The users' functions run in on_work; what they need stands in infra/user-policy.json and is merged in there alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from infra.deploy.user_policy import RESERVED_SID, Policy, PolicyError, check

API: Final = "api_handler"
FUNCTIONS: Final = (API, "on_event", "on_work", "on_tick", "on_collect")
# IAM's limit for all inline policies of a role, without white space.
MAX_CHARS: Final = 10_240

_GET, _QUERY, _SCAN = "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"
_GET_MANY, _CHECK = "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem"
_PUT, _UPDATE, _DELETE = "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"
_DELETE_ONE = "dynamodb:DeleteItem"
_SEND, _LOOK = "sqs:SendMessage", "sqs:GetQueueAttributes"
_TAKE = ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage")
# Which functions there are, and which are paused: every handler reads that.
_CATALOG = (_GET, _QUERY)

Statement = dict[str, Any]


def lambda_name(stage: str, function: str) -> str:
    """The name that chalice gives a function: the API's handler has no suffix."""
    return f"stepwell-{stage}" if function == API else f"stepwell-{stage}-{function}"


class _Writer:
    """Statements about the parts of one stack, whose outputs have their ARNs."""

    def __init__(self, outputs: Mapping[str, str]) -> None:
        self._outputs = outputs
        self.stage = outputs["Stage"]
        _, self.partition, _, self.region, self.account, _ = outputs["EventsTableArn"].split(":", 5)

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def allow(self, sid: str, actions: Sequence[str], *parts: str, suffix: str = "") -> Statement:
        """`parts` are logical names of the template."""
        resources = [self._outputs[f"{part}Arn"] + suffix for part in parts]
        return _allow(sid, actions, resources)

    def logs(self, function: str) -> Statement:
        # Not CreateLogGroup: the stack makes the groups, with their retention.
        group = self.arn("logs", f"log-group:/aws/lambda/{lambda_name(self.stage, function)}:*")
        return _allow("Logs", ("logs:CreateLogStream", "logs:PutLogEvents"), [group])

    def payloads(self) -> Statement:
        return self.allow("Payloads", ("s3:GetObject", "s3:PutObject"), "PayloadBucket", suffix="/payloads/*")

    def indexes(self, *names: str) -> Statement:
        return _allow("Indexes", (_QUERY,), [f"{self._outputs['RunsTableArn']}/index/{name}" for name in names])

    def keys(self) -> list[Statement]:
        """The event and signing keys, and their decryption through SSM for no other parameters."""
        path = self._outputs["KeysPath"].strip("/")
        parameters = [self.arn("ssm", f"parameter/{path}/{name}") for name in ("event-keys", "signing-keys")]
        decrypt = _allow("DecryptKeys", ("kms:Decrypt",), [self.arn("kms", "key/*")])
        decrypt["Condition"] = {
            "StringEquals": {
                "kms:ViaService": f"ssm.{self.region}.amazonaws.com",
                "kms:EncryptionContext:PARAMETER_ARN": parameters,
            }
        }
        return [_allow("Keys", ("ssm:GetParameters",), parameters), decrypt]


def policies(
    outputs: Mapping[str, str], user_policy: Mapping[str, Any], lambda_apps: Sequence[str] = ()
) -> dict[str, Policy]:
    """The policy document of each function, by chalice's name of it. `lambda_apps` are ARNs of the functions that may
    be called as apps. Raises PolicyError."""
    w = _Writer(outputs)
    apps = [_allow("Apps", ("lambda:InvokeFunction",), list(lambda_apps))] if lambda_apps else []
    found = {
        # It asks an app for its functions when it is synced.
        API: _api(w) + apps,
        "on_event": _on_event(w),
        "on_work": _on_work(w) + apps + check(dict(user_policy))["Statement"],
        "on_tick": _on_tick(w),
        "on_collect": _on_collect(w),
    }
    documents = {
        name: {"Version": "2012-10-17", "Statement": [*statements, w.logs(name)]} for name, statements in found.items()
    }
    size = len(json.dumps(documents["on_work"], separators=(",", ":")))
    if size > MAX_CHARS:
        own = len(json.dumps(user_policy["Statement"], separators=(",", ":")))
        raise PolicyError(
            f"the policy of on_work has {size:,} characters, {own:,} of them from infra/user-policy.json; IAM allows "
            f"{MAX_CHARS:,}: shorten it, for example with one statement for several resources"
            + (f"; the {len(lambda_apps)} lambda_apps of infra/settings.toml count, too" if lambda_apps else "")
        )
    return documents


def _api(w: _Writer) -> list[Statement]:
    """Reads everything, takes events in, cancels runs, handles dead letters; for apps on an SDK it keeps their
    configuration, records what they report of their runs, starts runs, and resumes those that wait for a signal."""
    return [
        w.allow("Look", ("dynamodb:DescribeTable",), "RunsTable", "PausesTable"),
        # Written, and runs' steps and waits with them, for runs that apps begin within a request.
        w.allow("Events", (_GET, _QUERY, _PUT), "EventsTable"),
        w.allow("Runs", (_GET, _GET_MANY, _QUERY, _SCAN, _PUT, _UPDATE, _CHECK), "RunsTable"),
        w.indexes("by_function", "open"),
        w.allow("Pauses", (_GET, _GET_MANY, _QUERY, _SCAN, _PUT, _DELETE, _DELETE_ONE), "PausesTable"),
        w.allow("Timers", (_GET, _QUERY, _PUT, _DELETE), "TimersTable"),
        w.allow("Limits", (_GET, _QUERY, _DELETE_ONE), "LimitsTable"),
        w.allow("Functions", (*_CATALOG, _PUT, _UPDATE), "FunctionsTable"),
        w.payloads(),
        w.allow("Send", (_SEND, _LOOK), "EventsQueue", "WorkQueue"),
        w.allow("DeadLetters", (_LOOK, *_TAKE), "EventsDeadQueue", "WorkDeadQueue"),
        # AWS has no resource for metrics.
        _allow("Ages", ("cloudwatch:GetMetricData",), ["*"]),
        *w.keys(),
    ]


def _on_event(w: _Writer) -> list[Statement]:
    """Records the event, starts, resumes, cancels; and may put lifecycle events on the bus."""
    return [
        w.allow("Take", (*_TAKE, _LOOK, _SEND), "EventsQueue"),
        w.allow("Send", (_SEND,), "WorkQueue", "EventsDeadQueue"),
        w.allow("Events", (_GET, _QUERY, _PUT, _DELETE_ONE), "EventsTable"),
        w.allow("Runs", (_GET, _GET_MANY, _QUERY, _PUT, _UPDATE), "RunsTable"),
        # Runs that are cancelled in bulk.
        w.indexes("by_function"),
        w.allow("Pauses", (_QUERY, _PUT, _DELETE, _DELETE_ONE), "PausesTable"),
        w.allow("Timers", (_PUT, _DELETE), "TimersTable"),
        w.allow("Limits", (_GET, _QUERY, _PUT, _UPDATE, _DELETE_ONE), "LimitsTable"),
        w.payloads(),
        w.allow("Exit", ("events:PutEvents",), "EventBus"),
        # A function is resumed.
        w.allow("Functions", (*_CATALOG, _UPDATE), "FunctionsTable"),
    ]


def _on_work(w: _Writer) -> list[Statement]:
    """Drives runs: steps, waits, sleeps, and what follows from an end."""
    return [
        w.allow("Take", (*_TAKE, _LOOK, _SEND), "WorkQueue"),
        w.allow("Send", (_SEND,), "EventsQueue", "WorkDeadQueue"),
        # Looking back, that an event was taken, and those of a batch.
        w.allow("Events", (_GET, _GET_MANY, _QUERY, _PUT), "EventsTable"),
        w.allow("Runs", (_GET, _QUERY, _PUT, _UPDATE, _CHECK), "RunsTable"),
        w.allow("Pauses", (_GET, _QUERY, _PUT, _DELETE, _DELETE_ONE), "PausesTable"),
        w.allow("Timers", (_PUT, _DELETE), "TimersTable"),
        w.allow("Limits", (_GET, _QUERY, _PUT, _UPDATE, _DELETE_ONE), "LimitsTable"),
        w.payloads(),
        w.allow("Functions", _CATALOG, "FunctionsTable"),
        # Calls to apps are signed.
        *w.keys(),
    ]


def _on_tick(w: _Writer) -> list[Statement]:
    """Moves timers to the work queue, starts schedules, looks at lines before limits, tells how long the queues are."""
    return [
        w.allow("Look", (_LOOK,), "EventsQueue", "WorkQueue", "EventsDeadQueue", "WorkDeadQueue"),
        w.allow("Timers", (_GET, _QUERY, _PUT, _DELETE), "TimersTable"),
        w.allow("Limits", (_QUERY, _UPDATE, _DELETE_ONE), "LimitsTable"),
        w.allow("Send", (_SEND,), "EventsQueue", "WorkQueue"),
        w.allow("Functions", _CATALOG, "FunctionsTable"),
    ]


def _on_collect(w: _Writer) -> list[Statement]:
    """Pokes forgotten runs, and removes pauses that nothing waits for."""
    return [
        w.allow("Events", (_GET,), "EventsTable"),
        w.allow("Runs", (_GET, _GET_MANY, _UPDATE), "RunsTable"),
        w.indexes("open"),
        w.allow("Pauses", (_SCAN, _DELETE), "PausesTable"),
        w.allow("Timers", (_GET, _PUT), "TimersTable"),
        w.payloads(),
        w.allow("Send", (_SEND,), "EventsQueue", "WorkQueue"),
        w.allow("Functions", _CATALOG, "FunctionsTable"),
    ]


def _allow(sid: str, actions: Sequence[str], resources: list[str]) -> Statement:
    return {"Sid": RESERVED_SID + sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resources}
