"""Makes vectors.json with the published SDKs: `python -m tests.unit.drivers.signatures.make <node_modules>`, where npm
has installed `inngest`. The Python SDK is in the development environment."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from inngest._internal import net

from chalicelib.core.sdk_protocol import Sender, prepare
from chalicelib.core.sdk_protocol.lambda_event import event_of
from tests.unit.drivers.peers import KEY, OTHER_KEY, event, request

HERE: Final = Path(__file__).parent
VECTORS: Final = HERE / "vectors.json"
T: Final = 1_700_000_000

BODIES: Final = [
    "{}",
    '{"b":1,"a":{"d":[],"c":{}}}',
    ' { "a" : [ 1 , 2.0 , -0 , 1e3 ] } ',
    '{"n":[0.1,1e-6,1e-7,123456.789,5e-324,1.7976931348623157e308,-1.5]}',
    '{"n":[9007199254740991,9007199254740992,9007199254740993,12345678901234567890,-98765432109876543210]}',
    '{"n":[1e16,1e20,1e21,4.711630189276117e+16,100000000000000000000000]}',
    '{"é":"\\u00e9\\u2028\\u007f","😀":1,"\\ue000":2,"\\"":"\\\\/\\b\\f\\n\\r\\t\\u0001"}',
    '{"a":null,"b":true,"c":false,"d":"","e":[null]}',
    '[[[[1]]],"x"]',
    "17",
]


def calls(now_s: int) -> list[dict[str, Any]]:
    """Calls to an app on the TypeScript SDK, most of them wrong in some way."""

    def one(
        name: str, *, age_s: int = 0, key: str | None = KEY, changed: bool = False, fallback: str | None = None
    ) -> dict[str, Any]:
        sender = Sender("cloud", "prod", key)
        order = request(event=event(n=12345678901234567890, x=4.711630189276117e16, text="é😀"))
        sent = prepare(order, "https://shop.example/x", sender, now_ms=(now_s - age_s) * 1000, request_id="r")
        body = sent.body.replace(b'"attempt":0', b'"attempt":1') if changed else sent.body
        made = event_of("POST", sent.url, sent.headers, body, now_ms=now_s * 1000, request_id="r")
        return {
            "name": name,
            "age_s": age_s,
            "event": made,
            "signingKey": KEY,
            "signingKeyFallback": fallback,
        }

    return [
        one("right"),
        one("an app that knows the new key as its fallback", key=OTHER_KEY, fallback=OTHER_KEY),
        one("four minutes old", age_s=240),
        one("replayed after five minutes", age_s=310),
        one("from the future", age_s=-310),
        one("changed on its way", changed=True),
        one("another key", key=OTHER_KEY),
        one("unsigned", key=None),
    ]


def main(node_modules: str) -> None:
    now_s = int(time.time())
    keys = (KEY, OTHER_KEY, "no-prefix-0a")
    vectors: list[dict[str, Any]] = [{"body": body, "key": key, "t": T} for body in BODIES for key in keys]
    made = calls(now_s)
    done = subprocess.run(
        ["node", str(HERE / "sign.mjs"), node_modules],
        input=json.dumps({"vectors": vectors, "calls": made}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = json.loads(done.stdout)
    package = json.loads((Path(node_modules) / "inngest/package.json").read_text())
    document = {
        "sdks": {"python": f"inngest {version('inngest')}", "typescript": f"inngest {package['version']}"},
        "made_at_s": now_s,
        "requests": [
            {
                **vector,
                "python": net.sign_request(vector["body"].encode(), vector["key"], T),
                "typescript": f"t={T}&s={signature}",
            }
            for vector, signature in zip(vectors, found["signatures"], strict=True)
        ],
        "answers": [
            {**vector, "python": net.sign_response(vector["body"].encode(), vector["key"], T)} for vector in vectors
        ],
        "calls": [{**call, "answer": verdict} for call, verdict in zip(made, found["verdicts"], strict=True)],
    }
    VECTORS.write_text(json.dumps(document, indent=1, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
