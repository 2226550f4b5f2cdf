"""What an SDK sends to register its app, read into an App. Every message names the field as the SDK wrote it.

`POST /fn/register` and the answer to an in-band sync hold the same, but for the name of the app's id. SDKs may add
fields at any time: those that are not known are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
)

from chalicelib.core import flow_control, limits, urls
from chalicelib.core.apps import App, InvalidApp, named
from chalicelib.core.functions import FunctionConfig, check_id
from chalicelib.core.urls import Reach

_TOLD = 5
_MAX_LABEL_CHARS = 256
_CONDITIONS = ("expression", "if", "key", "run")
# An app of this name could not be reached by its own address in our API.
_RESERVED_APP_IDS = frozenset({"sync", ".", ".."})


def _app_id(value: str) -> str:
    if value in _RESERVED_APP_IDS:
        raise ValueError(f"{value!r} cannot be the id of an app")
    return check_id(value)


_Label = Annotated[StrictStr, Field(max_length=_MAX_LABEL_CHARS)]
_OrNothing = BeforeValidator(lambda value: "" if value is None else value)


class Registration(BaseModel):
    """An app and its functions."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    app_id: Annotated[StrictStr, AfterValidator(_app_id)] = Field(
        validation_alias=AliasChoices("appName", "appname", "app_id"),
        min_length=1,
        max_length=limits.MAX_APP_ID_CHARS,
        description="The app's id.",
    )
    url: StrictStr = Field(description="Where the app is served.")
    functions: list[Any] = Field(
        min_length=1, max_length=limits.MAX_FUNCTIONS_PER_APP, description="Its functions, as the SDK describes them."
    )
    sdk: Annotated[_Label, _OrNothing] = Field(default="", description="The SDK and its version.")
    framework: Annotated[_Label, _OrNothing] = ""
    app_version: Annotated[_Label, _OrNothing] = Field(
        default="", validation_alias="appVersion", description="The app's own version."
    )
    v: Literal["0.1"] | None = Field(default=None, description="The version of the protocol.")


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Runtime(_Wire):
    url: StrictStr
    type: Literal["http", "ws"] = "http"


class _Retries(_Wire):
    attempts: StrictInt | None = None


class _Step(_Wire):
    runtime: _Runtime
    retries: _Retries | None = None


class _Steps(_Wire):
    step: _Step


class _Shell(_Wire):
    """What of a function is not its configuration."""

    id: StrictStr
    name: StrictStr | None = None
    steps: _Steps


def read(body: object, reach: Reach, *, arn: str | None = None) -> App:
    """The app that is registered. `arn`: the Lambda function that answered so; there the app and its functions are
    called, whatever address the app gives.

    Raises InvalidApp, which names up to five fields that are wrong.
    """
    if not isinstance(body, dict):
        raise InvalidApp("the body must be a JSON object, as the SDK's sync sends it")
    try:
        told = Registration.model_validate(body)
    except ValidationError as error:
        raise InvalidApp(_told(_problems(error))) from None
    size = sum(len(text) for raw in told.functions for text in _conditions(raw))
    if size > limits.MAX_APP_CONDITION_CHARS:
        raise InvalidApp(
            f"the conditions and keys of the app's functions have {size:,} characters together; at most "
            f"{limits.MAX_APP_CONDITION_CHARS:,} are allowed: make them shorter, or serve some functions as another app"
        )
    problems: list[str] = []
    url = arn or _address(problems, "url", told.url, lambda text: urls.check(text, reach))
    functions: list[FunctionConfig] = []
    for number, raw in enumerate(told.functions, start=1):
        found = _function(number, raw, told.app_id, reach, arn)
        if isinstance(found, FunctionConfig):
            functions.append(found)
        else:
            problems += found
    problems += _twice(functions)
    if problems:
        raise InvalidApp(_told(problems))
    return App(
        id=told.app_id,
        url=url,
        sdk=told.sdk or _sdk_of(body),
        framework=told.framework,
        version=told.app_version,
        # Their order means nothing.
        functions=tuple(sorted(functions, key=lambda config: config.id)),
    )


def _conditions(raw: object) -> Iterator[str]:
    """What has to be read of a function as an expression: of triggers, cancellations and flow control."""
    for name, field in raw.items() if isinstance(raw, dict) else ():
        if name == "idempotency" and isinstance(field, str):
            yield field
        for item in field if isinstance(field, list) else [field]:
            if isinstance(item, dict):
                yield from (item[one] for one in _CONDITIONS if isinstance(item.get(one), str))


def _sdk_of(body: dict[str, Any]) -> str:
    """An in-band answer may have language and version apart."""
    language, version = body.get("sdk_language"), body.get("sdk_version")
    if not isinstance(language, str) or not isinstance(version, str) or not language:
        return ""
    return f"{language}:v{version}"[:_MAX_LABEL_CHARS]


def _function(number: int, raw: object, app_id: str, reach: Reach, arn: str | None) -> FunctionConfig | list[str]:
    """The function, or what is wrong with it."""
    given_id = raw.get("id") if isinstance(raw, dict) else None
    where = f"function {number}" + (f" ({named(given_id)})" if isinstance(given_id, str) else "")
    if not isinstance(raw, dict):
        return [f"{where} must be an object"]
    try:
        shell = _Shell.model_validate(raw)
    except ValidationError as error:
        return [_join(where, problem) for problem in _problems(error)]
    runtime = shell.steps.step.runtime
    if runtime.type == "ws":
        return [f"{where}.steps.step.runtime.type: {urls.NO_CONNECT}"]
    problems: list[str] = []
    place = f"{where}.steps.step.runtime.url"
    endpoint = arn or _address(problems, place, runtime.url, lambda text: urls.check_endpoint(text, reach))
    fields = {
        "id": shell.id,
        "name": shell.name or shell.id,
        "triggers": raw.get("triggers") or (),
        "cancel": raw.get("cancel") or (),
        "driver": "http" if arn is None else "lambda",
        "app_id": app_id,
        "endpoint": endpoint,
        **_retries(shell),
        **_flow(raw),
    }
    try:
        config = FunctionConfig.model_validate(fields, extra="ignore")
    except ValidationError as error:
        return problems + [_join(where, problem) for problem in _problems(error)]
    return problems or config


def _retries(shell: _Shell) -> dict[str, int]:
    retries = shell.steps.step.retries
    return {} if retries is None or retries.attempts is None else {"retries": retries.attempts}


def _flow(raw: dict[str, Any]) -> dict[str, Any]:
    given = {name: raw[name] for name in flow_control.NAMES if raw.get(name) is not None}
    # Some SDKs send an empty list or text for nothing.
    used = {name: value for name, value in given.items() if value not in ([], {}, "")}
    return {"flow": used} if used else {}


def _address(problems: list[str], place: str, text: str, check: Callable[[str], str]) -> str:
    try:
        return check(text)
    except ValueError as error:
        problems.append(f"{place}: {error} (got {urls.shown(text)!r})")
        return text


def _twice(functions: Iterable[FunctionConfig]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for number, config in enumerate(functions, start=1):
        if config.id in seen:
            found.append(f"function {number} ({named(config.id)}).id: function {seen[config.id]} has the same id")
        seen.setdefault(config.id, number)
    return found


def _told(problems: list[str]) -> str:
    more = len(problems) - _TOLD
    return "; ".join(problems[:_TOLD]) + (f"; and {more} more" if more > 0 else "")


def _join(where: str, problem: str) -> str:
    return f"{where}{problem}" if problem.startswith(("[", ":")) else f"{where}.{problem}"


def _problems(error: ValidationError) -> list[str]:
    return [_problem(problem) for problem in error.errors()]


_WORDS = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}
_SHOULD = re.compile(r"^(?:Input|String|List|Tuple|Value) should")
# Where a field of ours has another name in what the SDK sends.
_PLACES = {("retries",): "steps.step.retries.attempts"}


def _problem(problem: Any) -> str:
    """`triggers[0].expression: …`"""
    place = _PLACES.get(problem["loc"], "") or _place(problem["loc"])
    kind, message = problem["type"], str(problem["msg"])
    words = _WORDS.get(kind)
    if words is None:
        words = _SHOULD.sub("must", message.removeprefix("Value error, ")).replace(" after validation", "")
    got = problem["input"]
    # Of a missing field the input is the object around it.
    shown = "" if kind == "missing" or isinstance(got, dict | list | tuple | BaseModel) else f" (got {_shown(got)})"
    return f"{place}: {words}{shown}"


def _place(loc: tuple[int | str, ...]) -> str:
    parts = [part for part in loc if part != "flow"]
    if len(parts) > 2 and parts[0] == "triggers" and parts[2] in ("event", "cron"):
        del parts[2]  # Which kind of trigger it was taken for.
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:119] + "…"
