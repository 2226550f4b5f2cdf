"""Apps on an SDK."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from chalicelib.web.models.common import Error, Metadata, Shape, Time


class Registered(Shape):
    ok: Literal[True]
    modified: bool = Field(description="Whether this changed anything.")
    status: Literal[200]
    message: str = Field(description="What became of it.")


class NotRegistered(Error):
    """The words are there twice: SDKs look for them under different names."""

    ok: Literal[False] | None = None
    modified: Literal[False] | None = None
    message: str | None = Field(default=None, description="The same as `error`.")


class AppAddress(BaseModel):
    """Which app to sync."""

    model_config = ConfigDict(extra="forbid")

    url: StrictStr = Field(description="Where the app is served, such as https://app.example.com/api/inngest.")


class AppBody(Shape):
    id: str
    url: str = Field(description="Where it is served, as it says itself.")
    sdk: str = Field(description="The SDK and its version.")
    framework: str
    version: str = Field(description="The app's own version.")
    functions: list[str] = Field(description="The ids of its functions.")
    retired_functions: list[str] = Field(
        description="Functions that it has no more: they start nothing new, and their runs go on."
    )
    synced_at: Time = Field(description="When it was last synced with something new.")
    warnings: list[str] = Field(description="What it is configured with and does not hold.")


class Apps(Shape):
    data: list[AppBody]
    metadata: Metadata


class AppAnswer(Shape):
    data: AppBody
    metadata: Metadata


class SyncedApp(Shape):
    kind: Literal["in_band", "out_of_band"] = Field(
        description="Whether the app answered with its functions, or registered itself meanwhile."
    )
    modified: bool = Field(description="Whether this changed anything.")
    app: AppBody | None = Field(description="The app; null when it registered itself under another address.")


class SyncedAnswer(Shape):
    data: SyncedApp
    metadata: Metadata


class Dev(Shape):
    """SDKs ask for this to see whether a development server is there."""

    service: str
    kind: Literal["dev"]
    functions: list[str] = Field(description="The ids of all functions.")
