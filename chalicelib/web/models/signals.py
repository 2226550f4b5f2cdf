"""Signals."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chalicelib.core import limits
from chalicelib.web.models.bodies import Body
from chalicelib.web.models.common import Metadata, Shape


class SignalRequest(Body):
    signal: str = Field(
        min_length=1, max_length=limits.MAX_SIGNAL_CHARS, description="The name that the run waits for."
    )
    data: Any = Field(default=None, description="What the run gets with it, 4 MiB at most.")


class ResumedBySignal(Shape):
    run_id: str = Field(description="The run that waited for the signal.")


class SignalAnswer(Shape):
    data: ResumedBySignal
    metadata: Metadata
