"""The only reader of the environment. docs/ARCHITECTURE.md lists the variables."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.core import limits
from chalicelib.core.durations import parse_duration
from chalicelib.core.errors import InvalidDuration, StepwellError

PREFIX = "STEPWELL_"
_DIGITS = re.compile(r"[0-9]{1,18}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_LAMBDA_ARN = re.compile(r"arn:aws[a-z-]*:lambda:[^:,\s]+:[0-9]{12}:function:[^,\s]+")


class ConfigurationError(StepwellError):
    """The environment lacks something, or holds something that cannot be used."""


@dataclass(frozen=True)
class Config:
    """What the environment says. Times in milliseconds."""

    stage: str
    table_events: str
    table_runs: str
    table_pauses: str
    table_timers: str
    table_functions: str
    table_limits: str
    queue_events_url: str
    queue_work_url: str
    dead_events_url: str
    dead_work_url: str
    bucket: str
    bus: str
    # Whether the events of runs' ends leave by the bus.
    exit: bool
    dev: bool
    # Whether this runs from a deployment package, whose functions were checked when it was made.
    packaged: bool
    # Where the keys lie; not needed in development, where none are asked for.
    keys_path: str
    retention_days: int
    hand_over_below_ms: int
    max_receives: int
    retry_table_ms: tuple[int, ...] | None
    # How many rows of the pause index one message works on, and in how many threads.
    match_page: int
    match_threads: int
    partial_batches: bool
    clock_offset_ms: int
    log_level: str
    # Networks in which apps may be called in production besides the public ones.
    app_networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    # The Lambda functions that may be called as apps; in development any may.
    lambda_apps: tuple[str, ...] = ()


def stage(environment: Mapping[str, str] = os.environ) -> str:
    """The stage, needed before anything else: queue names hold it."""
    return environment.get(PREFIX + "STAGE", "dev")


def is_in_chalice_cli(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether chalice's command line has loaded the app, to package it or to serve it locally."""
    return environment.get("AWS_CHALICE_CLI_MODE") == "true"


def max_concurrency(queue: str, environment: Mapping[str, str] = os.environ) -> int | None:
    """How many invocations of a queue's handler (`EVENTS`, `WORK`) may run side by side; None where nothing is said.

    Needed when the handlers are registered. Raises ConfigurationError.
    """
    name = f"MAX_CONCURRENCY_{queue}"
    text = environment.get(PREFIX + name, "")
    return _number(name, text) if text else None


def cors_origin(environment: Mapping[str, str] = os.environ) -> str | None:
    """The one origin whose pages may call the API, if any; needed when the routes are made.

    Raises ConfigurationError.
    """
    value = environment.get(PREFIX + "CORS_ORIGIN", "")
    if value and not _ORIGIN.fullmatch(value):
        raise ConfigurationError(
            f"{PREFIX}CORS_ORIGIN is {value!r}: it must be one origin, such as https://app.example.com"
        )
    return value or None


def load(environment: Mapping[str, str] = os.environ) -> Config:
    """Raises ConfigurationError, which names the variable."""

    def required(name: str) -> str:
        value = environment.get(PREFIX + name, "")
        if not value:
            raise ConfigurationError(
                f"{PREFIX}{name} is not set: run `make dev`, which sets everything, or deploy with the infra stack"
            )
        return value

    def optional(name: str, default: str = "") -> str:
        return environment.get(PREFIX + name, "") or default

    table = optional("RETRY_TABLE")
    dev = optional("DEV") == "1"
    packaged = "AWS_LAMBDA_FUNCTION_NAME" in environment
    if dev and packaged:
        raise ConfigurationError(f"{PREFIX}DEV is set in Lambda: there it would open the API to everybody. Remove it")
    leaves = optional("EXIT") == "1"
    return Config(
        stage=stage(environment),
        table_events=required("TABLE_EVENTS"),
        table_runs=required("TABLE_RUNS"),
        table_pauses=required("TABLE_PAUSES"),
        table_timers=required("TABLE_TIMERS"),
        table_functions=required("TABLE_FUNCTIONS"),
        table_limits=required("TABLE_LIMITS"),
        queue_events_url=required("QUEUE_EVENTS_URL"),
        queue_work_url=required("QUEUE_WORK_URL"),
        dead_events_url=required("DEAD_EVENTS_URL"),
        dead_work_url=required("DEAD_WORK_URL"),
        bucket=required("BUCKET"),
        bus=required("BUS") if leaves else optional("BUS"),
        exit=leaves,
        dev=dev,
        packaged=packaged,
        keys_path=optional("KEYS_PATH") if dev else required("KEYS_PATH"),
        retention_days=_retention(optional("RETENTION_DAYS", str(limits.DEFAULT_RETENTION_DAYS))),
        hand_over_below_ms=_duration("HAND_OVER_BELOW", optional("HAND_OVER_BELOW", "15s")),
        max_receives=_number("MAX_RECEIVES", optional("MAX_RECEIVES", str(limits.MAX_RECEIVES))),
        retry_table_ms=tuple(_duration("RETRY_TABLE", part) for part in table.split(",")) if table else None,
        match_page=_within("MATCH_PAGE", optional("MATCH_PAGE", "50"), 1, 100),
        match_threads=_within("MATCH_THREADS", optional("MATCH_THREADS", "8"), 1, 32),
        partial_batches=optional("PARTIAL_BATCHES") == "1",
        clock_offset_ms=_number("CLOCK_OFFSET_MS", optional("CLOCK_OFFSET_MS", "0")),
        log_level=optional("LOG_LEVEL", "INFO"),
        app_networks=_networks(optional("APP_NETWORKS")),
        lambda_apps=_arns("LAMBDA_APPS", optional("LAMBDA_APPS")),
    )


def _arns(name: str, text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for arn in found:
        if not _LAMBDA_ARN.fullmatch(arn):
            raise ConfigurationError(
                f"{PREFIX}{name} holds {arn!r}: it must be ARNs of Lambda functions, with commas between them"
            )
    return found


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"{PREFIX}APP_NETWORKS is {text!r}: it must be networks, such as 10.0.0.0/16,fd00::/8 ({error})"
        ) from None


def _duration(name: str, text: str) -> int:
    try:
        return parse_duration(text)
    except InvalidDuration as error:
        raise ConfigurationError(f"{PREFIX}{name}: {error}") from None


def _number(name: str, text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise ConfigurationError(f"{PREFIX}{name} is {text!r}: it must be a whole number")
    return int(text)


def _within(name: str, text: str, least: int, most: int) -> int:
    if not least <= _number(name, text) <= most:
        raise ConfigurationError(f"{PREFIX}{name} is {text}: it must be from {least} to {most}")
    return int(text)


def _retention(text: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) < limits.MIN_RETENTION_DAYS:
        raise ConfigurationError(
            f"{PREFIX}RETENTION_DAYS is {text!r}: it must be a number of at least {limits.MIN_RETENTION_DAYS}, "
            "since a message may come back for so many days"
        )
    return int(text)
