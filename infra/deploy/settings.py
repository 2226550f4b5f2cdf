"""What an operator may set per stage: infra/settings.toml, each value checked, and the numbers that must fit."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from chalicelib.core import limits

PATH: Final = Path(__file__).parents[1] / "settings.toml"
VISIBILITY_MARGIN_S: Final = 30
STAGE: Final = "[a-z][a-z0-9-]{0,16}"
LOG_RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
T = TypeVar("T")
_LONGEST_DELAY_S = limits.MAX_MESSAGE_DELAY_MS // 1000
_KEPT_AFTER_THE_LONGEST_SLEEP_DAYS = (limits.MAX_WAIT_MS + limits.EXPIRY_AHEAD_MS) // limits.DAY_MS
# What a turn does once it has seen that its time is short: record, give the lease back, send.
_TO_HAND_OVER_S = 10
_RESERVED = ("STEPWELL_", "AWS_", "LAMBDA_", "_")
_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TAG = re.compile(r"[\w\s.:/=+@-]*")


class SettingsError(Exception):
    """The settings cannot be used; its text names each one, the file and what is allowed."""


def _whole(low: int, high: int) -> Any:
    return Field(ge=low, le=high, description=f"a whole number from {low} to {high}")


def _flag() -> Any:
    return Field(description="true or false")


def _one_of(*values: object) -> Any:
    return Field(description="one of " + ", ".join(map(str, values)))


class StageSettings(BaseModel):
    """One stage's settings. Times in seconds, sizes in MB, retention in days; infra/settings.toml has the reasons."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    stage: str = Field(
        pattern=f"^{STAGE}$", description="1 to 17 lower-case letters, digits and hyphens, starting with a letter"
    )
    events_timeout_s: int = _whole(30, 900)
    work_timeout_s: int = _whole(30, 900)
    hand_over_below_s: int = _whole(5, 890)
    tick_timeout_s: int = _whole(10, 59)
    collect_timeout_s: int = _whole(30, 290)
    api_timeout_s: int = _whole(5, 29)
    receive_count: int = _whole(6, 100)
    api_memory_mb: int = _whole(128, 10_240)
    events_memory_mb: int = _whole(128, 10_240)
    work_memory_mb: int = _whole(128, 10_240)
    tick_memory_mb: int = _whole(128, 10_240)
    collect_memory_mb: int = _whole(128, 10_240)
    events_max_concurrency: int = _whole(2, 1_000)
    work_max_concurrency: int = _whole(2, 1_000)
    retention_days: int = _whole(limits.MIN_RETENTION_DAYS, 3_650)
    log_retention_days: int = _one_of(*LOG_RETENTION_DAYS)
    payload_backstop_days: int = _whole(450, 36_500)
    point_in_time_recovery: bool = _flag()
    deletion_protection: bool = _flag()
    alarm_email: str = Field(description='one address, or ""')
    alarm_events_age_s: int = _whole(60, 86_400)
    alarm_work_age_s: int = _whole(60, 86_400)
    alarm_errors: int = _whole(1, 100_000)
    alarm_throttles: int = _whole(1, 100_000)
    cors_origin: str = Field(description='one origin such as https://app.example.com (without a path), or ""')
    app_networks: str = Field(description='networks with commas between them, such as 10.0.0.0/16,fd00::/8, or ""')
    bus_exit: bool = _flag()
    api_endpoint_type: Literal["REGIONAL", "EDGE"] = _one_of("REGIONAL", "EDGE")
    architecture: Literal["x86_64", "arm64"] = _one_of("x86_64", "arm64")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _one_of("DEBUG", "INFO", "WARNING", "ERROR")
    environment: dict[str, str] = Field(
        description="a table of texts; names of letters, digits and _, not beginning with " + ", ".join(_RESERVED)
    )
    tags: dict[str, str] = Field(description="a table of at most 40 texts, keys up to 128 characters, not aws:…")

    @field_validator("log_retention_days")
    @classmethod
    def _known_to_cloudwatch(cls, value: int) -> int:
        return _require(value, value in LOG_RETENTION_DAYS)

    @field_validator("alarm_email")
    @classmethod
    def _address(cls, value: str) -> str:
        return _require(value, not value or _EMAIL.fullmatch(value) is not None)

    @field_validator("cors_origin")
    @classmethod
    def _origin(cls, value: str) -> str:
        return _require(value, not value or _ORIGIN.fullmatch(value) is not None)

    @field_validator("app_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in value.split(",") if value else ():
            ipaddress.ip_network(part.strip())  # Raises ValueError.
        return value

    @field_validator("environment")
    @classmethod
    def _variables(cls, value: dict[str, str]) -> dict[str, str]:
        return _require(value, all(_VARIABLE.fullmatch(n) and not n.startswith(_RESERVED) for n in value))

    @field_validator("tags")
    @classmethod
    def _tags(cls, value: dict[str, str]) -> dict[str, str]:
        good = all(
            0 < len(key) <= 128
            and not key.lower().startswith("aws:")
            and len(text) <= 256
            and _TAG.fullmatch(key)
            and _TAG.fullmatch(text)
            for key, text in value.items()
        )
        return _require(value, good and len(value) <= 40)

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        problems = [
            problem
            for fits, problem in (
                (
                    self.hand_over_below_s + _TO_HAND_OVER_S <= self.work_timeout_s,
                    f"hand_over_below_s is {self.hand_over_below_s}: it must be at least {_TO_HAND_OVER_S} s below "
                    f"work_timeout_s ({self.work_timeout_s}), or no step would ever begin",
                ),
                (
                    self.payload_backstop_days >= self.retention_days + _KEPT_AFTER_THE_LONGEST_SLEEP_DAYS,
                    f"payload_backstop_days is {self.payload_backstop_days}: it must be at least "
                    f"{_KEPT_AFTER_THE_LONGEST_SLEEP_DAYS} (the longest sleep and what is kept after it) + "
                    f"retention_days ({self.retention_days}), or a sleeping run could lose a payload",
                ),
                (
                    self.alarm_events_age_s >= self.events_visibility_s + 60,
                    f"alarm_events_age_s is {self.alarm_events_age_s}: it must be at least the events queue's "
                    f"visibility timeout ({self.events_visibility_s}) + 60, or one killed invocation raises the alarm",
                ),
                (
                    self.alarm_work_age_s >= _LONGEST_DELAY_S + self.work_visibility_s,
                    f"alarm_work_age_s is {self.alarm_work_age_s}: it must be at least {_LONGEST_DELAY_S} (the longest "
                    f"delay of a message) + the work queue's visibility timeout ({self.work_visibility_s}), or a "
                    "message that is meant to wait raises the alarm",
                ),
            )
            if not fits
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def events_visibility_s(self) -> int:
        """How long the events queue hides a message: past the lease of its turn, which ends 10 s after the timeout."""
        return self.events_timeout_s + VISIBILITY_MARGIN_S

    @property
    def work_visibility_s(self) -> int:
        """How long the work queue hides a message."""
        return self.work_timeout_s + VISIBILITY_MARGIN_S

    def parameters(self) -> dict[str, str]:
        """The parameters of infra/template.yaml."""
        return {
            "Stage": self.stage,
            "EventsTimeoutSeconds": str(self.events_timeout_s),
            "EventsVisibilitySeconds": str(self.events_visibility_s),
            "WorkTimeoutSeconds": str(self.work_timeout_s),
            "WorkVisibilitySeconds": str(self.work_visibility_s),
            "ReceiveCount": str(self.receive_count),
            "RetentionDays": str(self.retention_days),
            "LogRetentionDays": str(self.log_retention_days),
            "PayloadBackstopDays": str(self.payload_backstop_days),
            "PointInTimeRecovery": str(self.point_in_time_recovery).lower(),
            "DeletionProtection": str(self.deletion_protection).lower(),
            "AlarmEmail": self.alarm_email,
            "EventsAgeAlarmSeconds": str(self.alarm_events_age_s),
            "WorkAgeAlarmSeconds": str(self.alarm_work_age_s),
            "ErrorsAlarmCount": str(self.alarm_errors),
            "ThrottlesAlarmCount": str(self.alarm_throttles),
        }


def _require(value: T, good: bool) -> T:
    if not good:
        raise ValueError("not allowed")
    return value


def load(stage: str, path: Path = PATH) -> StageSettings:
    """The stage's settings: [default] with [stages.<stage>] over it. Raises SettingsError, which tells all problems."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # Also text that is not UTF-8.
        raise SettingsError(f"{path} is not TOML: {error}") from None
    strange = sorted(document.keys() - {"default", "stages"})
    if strange:
        raise SettingsError(f"{path}: {strange[0]!r} belongs to [default] or to [stages.<stage>]")
    default, stages = document.get("default", {}), document.get("stages", {})
    for name, table in {"default": default, "stages": stages, **_named(stages)}.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: {name} must be a table, [{name}]")
    own = stages.get(stage, {})
    values = {"stage": stage, **_laid_over(default, own)}
    if "stage" in default or "stage" in own:
        raise SettingsError(f"{path}: the stage is named by [stages.<stage>], not by a setting")
    try:
        return StageSettings.model_validate(values)
    except ValidationError as error:
        lines = [line for problem in error.errors() for line in _explain(problem, stage, own)]
        raise SettingsError("\n".join([f"{path} cannot be used for stage {stage!r}:", *lines])) from None


def _named(stages: object) -> dict[str, Any]:
    return {f"stages.{name}": table for name, table in stages.items()} if isinstance(stages, dict) else {}


def _laid_over(default: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The stage's values over the defaults; tables are merged, so that a stage may add one variable."""
    merged = default | own
    for name in ("environment", "tags"):
        both = (default.get(name, {}), own.get(name, {}))
        merged[name] = {**both[0], **both[1]} if all(isinstance(one, dict) for one in both) else merged[name]
    return merged


def _explain(problem: Any, stage: str, own: dict[str, Any]) -> list[str]:
    if not problem["loc"]:
        return [f"  {line}" for line in str(problem["msg"]).removeprefix("Value error, ").splitlines()]
    name = str(problem["loc"][0])
    if name == "stage":
        return [f"  the stage {stage!r} is not a good name: {StageSettings.model_fields['stage'].description}"]
    table = f"stages.{stage}" if name in own else "default"
    if problem["type"] == "extra_forbidden":
        return [f"  [{table}] {name}: there is no such setting"]
    allowed = StageSettings.model_fields[name].description
    if problem["type"] == "missing":
        return [f"  [default] {name} is missing: {allowed}"]
    where, value = ".".join(map(str, problem["loc"])), problem["input"]
    return [f"  [{table}] {where} is {value!r}: it must be {allowed}"]
