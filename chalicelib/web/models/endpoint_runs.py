"""Runs that apps begin within a request to them."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, RootModel

from chalicelib.core import limits
from chalicelib.web.models.bodies import Body
from chalicelib.web.models.common import Metadata, Shape
from chalicelib.web.models.parameters import Parameters, Text

_STEPS = Field(max_length=limits.MAX_STEPS, description="The operations that the SDK tells, in their order.")


class _OfSdk(Body):
    """SDKs may tell more than is known here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class NewRunRequest(_OfSdk):
    run_id: str = Field(description="The ULID that the app gave the run.")
    event: dict[str, Any] = Field(description="`inngest/http.request`: the request within which it began.")
    steps: list[Any] = _STEPS
    retries: int = Field(default=limits.DEFAULT_RETRIES, ge=0, le=limits.MAX_RETRIES)


class RunStepsRequest(_OfSdk):
    steps: list[Any] = _STEPS


class BegunBody(Shape):
    run_id: str
    fn_id: str
    app_id: str
    token: str = Field(description="Lets whoever has it read the run's result.")
    realtime_token: str = Field(description="SDKs ask for one; there is nothing here that it opens.")


class BegunAnswer(Shape):
    data: BegunBody
    metadata: Metadata


class TakenBody(Shape):
    run_id: str


class TakenAnswer(Shape):
    data: TakenBody
    metadata: Metadata


class ResultQuery(Parameters):
    token: Text = Field(description="The token that the run's beginning was answered with.")


class RunResult(RootModel[Any]):
    """The app's own answer, with its status, headers and body."""

    model_config = ConfigDict(frozen=True)


class RunResultLater(Shape):
    status: str = Field(description="`running`.")
    message: str
