"""The address without a path: what an SDK does with it, which joins absolute paths to its base URL."""

from __future__ import annotations

import hashlib
import http.client
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from tests.e2e.deploying import Hands, root_host
from tests.e2e.ground import Ground
from tests.e2e.waiting import until
from tests.e2e.world import World

_ANSWER_WITHIN_S = 35.0


@dataclass(frozen=True)
class Sdk:
    """A client that speaks as the published SDKs do: `base` is what an operator gives it as INNGEST_BASE_URL."""

    ground: Ground
    base: str
    event_key: str
    signing_key: str

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """An absolute path, so that the base's own is lost; the answer's status, JSON and headers. The emulator is
        asked instead of the name's real address."""
        url = urlsplit(urljoin(self.base, path))
        target = url.path + (f"?{url.query}" if url.query else "")
        emulator = urlsplit(self.ground.endpoint)
        connection = http.client.HTTPConnection(emulator.hostname or "", emulator.port, timeout=_ANSWER_WITHIN_S)
        try:
            connection.request(method, target, body, {"Host": url.netloc, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        is_json = found.get("content-type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text, found

    def get(self, path: str) -> tuple[int, Any]:
        """With the signing key hashed, as SDKs send it."""
        prefix, _, digits = self.signing_key.rpartition("-")
        hashed = f"{prefix}-{hashlib.sha256(bytes.fromhex(digits)).hexdigest()}"
        status, found, _ = self.ask("GET", path, headers={"Authorization": f"Bearer {hashed}"})
        return status, found

    def send(self, name: str, data: dict[str, Any]) -> str:
        body = json.dumps([{"name": name, "data": data, "ts": 0}], ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "x-inngest-sdk": "inngest-py:v0.5.19"}
        status, found, _ = self.ask("POST", f"/e/{self.event_key}", body, headers)
        assert (status, found["status"]) == (200, 200), found
        event_id: str = found["ids"][0]
        return event_id


def _sdk(world: World) -> Sdk:
    base = f"https://{root_host(world.ground, world.stage)}"
    return Sdk(world.ground, base, world.api.event_key, world.api.bearer)


def an_sdk_finds_everything_below_the_root(world: World) -> None:
    """Sends an event, sees what it did, reads runs: all by absolute paths."""
    sdk = _sdk(world)
    event_id = sdk.send("demo/hello", {"name": "Grace"})

    def look() -> dict[str, Any] | None:
        status, found = sdk.get(f"/v1/events/{event_id}/runs")
        assert status in (200, 404), found
        runs = [run for run in found["data"] if run["status"] == "Completed"] if status == 200 else []
        return next(iter(runs), None)

    run = until("the run is seen completed", look, 90)
    assert run["output"]["greeting"] == "Hello, Grace!", run
    status, listed = sdk.get("/v1/runs?function_id=hello&limit=100")
    assert status == 200
    assert run["run_id"] in [one["run_id"] for one in listed["data"]]
    # The same behind the REST API: one stage, two addresses.
    assert world.api.get(f"/v1/runs/{run['run_id']}")["data"]["output"] == run["output"]
    _registers(sdk)


def _registers(sdk: Sdk) -> None:
    """Registering asks for the signing key and for what belongs into it, where this release has it."""
    routes = sdk.get("/")[1]["routes"]
    if "POST /fn/register" not in routes:
        return
    headers = {"Content-Type": "application/json"}
    assert sdk.ask("POST", "/fn/register", b"{}", headers)[0] == 401
    headers["Authorization"] = f"Bearer {sdk.signing_key}"
    status, found, _ = sdk.ask("POST", "/fn/register", b"{}", headers)
    assert status == 400, found


def the_root_passes_everything_on_unchanged(world: World) -> None:
    """Paths, queries, bodies and headers, as far as the platform's own answers show them."""
    sdk = _sdk(world)
    status, found = sdk.get("/v1/functions/a%2Fb%20c%25%C3%A9%3Fd")
    assert (status, "a/b c%é?d" in found["error"]) == (404, True), found
    status, found = sdk.get("/v1/runs?a%26b%3D%2B+c=1&limit=2")
    assert (status, "unknown parameter 'a&b=+ c'" in found["error"]) == (400, True), found
    mark = uuid.uuid4().hex
    data = {"mark": mark, "text": 'ä "%2F" \u2028 \\ ' + "x" * 200_000}
    event_id = sdk.send("e2e/nobody-listens", data)
    _, shown = until("the event is recorded", lambda: _recorded(sdk, event_id), 60)
    assert shown["data"]["data"] == data
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        status, found, answered = sdk.ask("GET", "/v1/runs", headers=headers)
        assert (status, found["status"], answered["www-authenticate"]) == (401, 401, "Bearer")
    status, found, _ = sdk.ask("POST", f"/e/{sdk.event_key}", b"<a/>", {"Content-Type": "application/xml"})
    assert (status, found["status"]) == (415, 415)
    status, found, _ = sdk.ask("GET", "/api/v1/runs")
    assert (status, found["status"]) == (404, 404)


def _recorded(sdk: Sdk, event_id: str) -> tuple[int, Any] | None:
    status, found = sdk.get(f"/v1/events/{event_id}")
    assert status in (200, 404), found
    return (status, found) if status == 200 else None


def an_app_that_wants_a_connection_is_told_why_not(world: World) -> None:
    sdk = _sdk(world)
    headers = {"Content-Type": "application/protobuf", "Authorization": f"Bearer {sdk.signing_key}"}
    by_rest = Sdk(world.ground, world.ground.endpoint, "", "")
    for client, before in ((sdk, ""), (by_rest, urlsplit(world.api.address).path)):
        status, found, _ = client.ask("POST", before + "/v0/connect/start", b"", headers)
        assert (status, b"serve-the-app-over-http-instead-of-connect" in found) == (200, True), found


def it_comes_after_a_plain_chalice_deploy(ground: Ground, hands: Hands, stage: str) -> None:
    """Which leaves the address out: one command adds it, and may be repeated."""
    assert "the API's function has no URL" in hands.infra("check", stage, code=1)
    for _ in range(2):
        told = hands.infra("address", stage)
        assert root_host(ground, stage) in told
    api = hands.api(stage)
    sdk = Sdk(ground, f"https://{root_host(ground, stage)}", api.event_key, api.bearer)
    assert sdk.get("/v1/runs")[0] == 200
