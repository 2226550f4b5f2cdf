"""We ask an app for its functions: by a signed request it answers with them (in band), or it registers itself with
another request while ours waits (out of band)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core import registrations, urls
from chalicelib.core.apps import App, InvalidApp, NotSynced
from chalicelib.core.sdk_protocol import Answer
from chalicelib.core.sdk_protocol.lambda_event import endpoint_of
from chalicelib.core.urls import Reach
from chalicelib.engine import apps as registry
from chalicelib.engine.app_ports import AppCaller, Apps
from chalicelib.engine.services import Services

IN_BAND = "in_band"
OUT_OF_BAND = "out_of_band"
_SHOWN_CHARS = 300


@dataclass(frozen=True)
class Answered:
    """How the app was synced; `app` is None where it registered itself under another address."""

    kind: str
    modified: bool
    app: App | None


@dataclass(frozen=True)
class Asker:
    """Who asks apps: `kind` is what SDKs call a server of ours."""

    caller: AppCaller
    kind: str
    reach: Reach


def sync(s: Services, apps: Apps, asker: Asker, url: str) -> Answered:
    """Sync the app that is served there (a URL, or the ARN of a Lambda function). Raises InvalidApp and NotSynced."""
    arn = url if url.startswith("arn:") else None
    address = _address(url, asker.reach) if arn is None else _of_lambda(url, asker.reach)
    headers = {
        "content-type": "application/json",
        "x-inngest-sync-kind": IN_BAND,
        "x-inngest-server-kind": asker.kind,
        "user-agent": "stepwell",
    }
    body = json.dumps({"url": address}, ensure_ascii=False, separators=(",", ":")).encode()
    status, answered, content = asker.caller.put(arn or address, headers, body)
    told = _read(arn or address, status, answered, content)
    if answered.get("x-inngest-sync-kind", "").strip().lower() == IN_BAND:
        synced = registry.register(s, apps, registrations.read(told, asker.reach, arn=arn))
        return Answered(IN_BAND, synced.modified, synced.app)
    # An SDK may answer 200 with the refusal that we gave it.
    if "error" in told or _status(told) >= 400:
        raise NotSynced(f"the app at {address} could not register itself: {_words(told)}")
    here = [app for app in registry.show_all(apps) if app.url == address]
    return Answered(OUT_OF_BAND, told.get("modified") is True, here[0] if here else None)


def _of_lambda(text: str, reach: Reach) -> str:
    endpoint = endpoint_of(text)
    if not reach.may_invoke(endpoint.arn):
        raise InvalidApp(
            f"url: the Lambda function {endpoint.arn} is not one that may be called: name it in lambda_apps "
            "(infra/settings.toml) and deploy"
        )
    return endpoint.url


def _address(url: str, reach: Reach) -> str:
    try:
        return urls.check(url, reach)
    except ValueError as error:
        raise InvalidApp(f"url: {error} (got {urls.shown(url)!r})") from None


def _read(url: str, status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """The JSON that an SDK answered. Raises NotSynced."""
    text = content.decode("utf-8", "replace")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not Answer(status, headers, content).is_of_sdk:
        shown = " ".join(text[:_SHOWN_CHARS].split())
        raise NotSynced(f"what answers at {url} is no SDK: status {status}, and it begins {shown!r}")
    if status != 200:
        raise NotSynced(f"the app at {url} answered {status}: {_words(told)}")
    return told


def _words(told: Mapping[str, Any]) -> str:
    found = next((told[name] for name in ("error", "message") if isinstance(told.get(name), str)), None)
    return (found or json.dumps(told))[:2_000]


def _status(told: Mapping[str, Any]) -> int:
    status = told.get("status", 200)
    return status if isinstance(status, int) else 200
