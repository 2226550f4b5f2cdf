"""Runs that an app starts itself, within a request to one of its endpoints ("durable endpoints").

Nobody registers such a function. Its id says all that the engine must know of it, and where the app is called for a run
stands in the run's event, since the path may hold what the request was about.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chalicelib.core import limits
from chalicelib.core.errors import UserError
from chalicelib.core.functions import FunctionConfig

HTTP_REQUEST: Final = "inngest/http.request"
DRIVER: Final = "endpoint"
# How long the app may work on a request without telling of it, before the run is taken for forgotten by it.
LEASE_MS: Final = 15 * limits.MINUTE_MS
OWNER: Final = "endpoint"

_ID: Final = re.compile(r"endpoint\.([0-9]{1,2})\.([a-z0-9-]+)\.[A-Za-z0-9-]+\.[0-9a-f]{8}")
_METHOD: Final = re.compile(r"[A-Z]{1,20}")


class InvalidRequest(UserError):
    """A request of an app's that cannot be made again."""


class HttpRequest(BaseModel):
    """The request within which a run began, as the SDK tells it: the data of its event."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    domain: str = Field(max_length=512)
    path: str = Field(default="/", max_length=4096)
    method: str = "POST"
    query_params: str = Field(default="", max_length=16_384)
    content_type: str = Field(default="", max_length=512)
    body: str = ""
    fn: str = Field(default="", max_length=limits.MAX_FUNCTION_ID_CHARS)

    @field_validator("domain")
    @classmethod
    def _domain(cls, value: str) -> str:
        parts = urlsplit(value)
        is_host_alone = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
        if parts.scheme not in ("http", "https") or not parts.hostname or not is_host_alone:
            raise ValueError("must be a scheme and a host such as https://shop.example")
        return value.rstrip("/")

    @field_validator("path")
    @classmethod
    def _path(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError("must begin with /")
        return value

    @field_validator("method")
    @classmethod
    def _method(cls, value: str) -> str:
        if not _METHOD.fullmatch(value.upper()):
            raise ValueError("is none of HTTP's methods")
        return value.upper()

    @field_validator("body", mode="before")
    @classmethod
    def _no_body(cls, value: object) -> object:
        return "" if value is None else value

    @classmethod
    def read(cls, data: object) -> Self:
        """Raises InvalidRequest, which names the field."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
        where = ".".join(["event", "data", *(str(part) for part in first["loc"])])
        raise InvalidRequest(f"{where}: {str(first['msg']).removeprefix('Value error, ')}")

    @property
    def url(self) -> str:
        """Where the endpoint is called."""
        return self.domain + self.path + (f"?{self.query_params}" if self.query_params else "")

    @property
    def json_body(self) -> Any:
        """The body, if it is JSON: SDKs read nothing else from whoever enters an endpoint again. Else None."""
        if self.method in ("GET", "HEAD", "DELETE") or not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def app_id(self) -> str:
        """What its app is called here: its host."""
        return _slug(urlsplit(self.domain).netloc)

    def function_id(self, retries: int) -> str:
        """Of the endpoint's function: the same for all of its requests."""
        name = self.fn or f"{self.method} {self.path}"
        digest = hashlib.sha256(f"{self.domain}\x00{name}".encode()).hexdigest()[:8]
        return f"endpoint.{retries}.{self.app_id}.{_slug(name)}.{digest}"


def config_of(fn_id: str) -> FunctionConfig | None:
    """The function with such an id; None for an id of another kind."""
    found = _ID.fullmatch(fn_id)
    if found is None or int(found[1]) > limits.MAX_RETRIES:
        return None
    return FunctionConfig(id=fn_id, name=fn_id, triggers=(), retries=int(found[1]), driver="endpoint", app_id=found[2])


def _slug(text: str) -> str:
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return found[:60].strip("-") or "root"
