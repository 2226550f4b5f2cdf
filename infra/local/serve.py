"""The server process: loads the app, answers HTTP, feeds the queue handlers and calls the scheduled ones.

Run by the supervisor as ``python -m infra.local.serve`` with the listening socket's descriptor. Its
standard input is a pipe that closes when the supervisor goes. An app that does not load is answered for
with its error.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
import time
from datetime import UTC, datetime

from infra.local import clock, log, settings
from infra.local.apps import AppSync
from infra.local.front import Respond, Server
from infra.local.gate import Gate
from infra.local.gateway import Answer, Gateway, Request
from infra.local.loading import Loaded, NotLoaded, load
from infra.local.nudge import Nudges
from infra.local.pumps import Feeders

logger = logging.getLogger("stepwell.dev")


class Dev:
    """The loaded app with everything that drives it. Also used by benchmarks, in their own process."""

    def __init__(self, config: settings.Settings, app: Loaded, nudges: Nudges) -> None:
        self._config = config
        self._app = app
        self._gateway = Gateway(app.module.app)
        self._gate = Gate()
        self._feeders = Feeders(app, nudges, self._gate, workers=config.workers)
        self._apps = AppSync(config.apps, self._gateway.handle)
        self._moving = threading.Lock()

    def start(self) -> None:
        """Begin to take messages, to tick, and to keep apps in sync."""
        self._feeders.start()
        self._apps.start()

    def stop(self, within_s: float) -> int:
        """Stop and drain; returns how many handlers were still busy."""
        self._apps.stop()
        return self._feeders.stop(within_s)

    def respond(self, request: Request) -> Answer:
        """Answer a request: the clock's own path here, all else through the app."""
        if request.target.split("?")[0].rstrip("/") == "/dev/advance":
            return self._advance(request)
        return self._gateway.handle(request)

    def _advance(self, request: Request) -> Answer:
        """Move the clock ahead, then let everything that has fallen due by it happen."""
        if request.method != "POST":
            return Answer.of_json(405, {"error": f"POST a JSON object {clock.HOW}.", "status": 405})
        try:
            by_ms = clock.requested_ms(request.body)
        except ValueError as error:
            return Answer.of_json(400, {"error": str(error), "status": 400})
        # Between two messages: an invocation knows when it ends, and under it an hour would be too late at once.
        with self._moving, self._gate.closed(settings.QUIET_S):
            self._app.platform.clock.advance(by_ms)
            offset_ms = clock.read_offset(self._config.clock_file) + by_ms
            clock.write_offset(self._config.clock_file, offset_ms)
        now_ms = self._app.platform.clock.now_ms()
        now = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
        logger.info("clock moved", extra={"by": clock.readable(by_ms), "now": now})
        self._app.platform.wake_due()
        self._feeders.tick_soon()
        return Answer.of_json(200, {"now": now, "now_ms": now_ms, "offset_ms": offset_ms})


def _broken(failure: NotLoaded) -> Respond:
    """What every request gets while the app does not load."""

    def respond(_: Request) -> Answer:
        message = "The app does not load. Save a corrected file and it will be loaded again."
        return Answer.of_json(503, {"error": message, "detail": failure.text, "status": 503})

    return respond


def _stop_signal() -> threading.Event:
    """Set by SIGTERM, SIGINT, or the end of standard input (the supervisor has gone)."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    def watch() -> None:
        while os.read(0, 4096):
            pass
        stopping.set()

    threading.Thread(target=watch, name="supervisor-gone", daemon=True).start()
    return stopping


def _drain(server: Server, dev: Dev | None) -> int:
    """Take nothing more in, then wait for what is in work; how many requests and handlers were still busy."""
    deadline = time.monotonic() + settings.DRAIN_S
    if dev:
        dev.stop(0)
    busy = server.stop(deadline - time.monotonic())
    return busy + (dev.stop(max(0.0, deadline - time.monotonic())) if dev else 0)


def main() -> int:
    """Serve until told to stop; always drains."""
    parser = argparse.ArgumentParser(prog="infra.local.serve")
    parser.add_argument("--socket", type=int, required=True, help="descriptor of the listening socket")
    parser.add_argument("--started", type=float, help="when `make dev` began, epoch seconds: print the banner")
    options = parser.parse_args()
    stopping = _stop_signal()
    config = settings.read()
    os.environ["STEPWELL_CLOCK_OFFSET_MS"] = str(clock.read_offset(config.clock_file))
    log.install()
    nudges = Nudges()
    nudges.install()
    began = time.monotonic()
    loaded = load(config.app_dir)
    log.install()
    dev = Dev(config, loaded, nudges) if isinstance(loaded, Loaded) else None
    respond = dev.respond if dev else _broken(loaded) if isinstance(loaded, NotLoaded) else None
    assert respond is not None
    if isinstance(loaded, NotLoaded):
        logger.error("does not load", extra={"error": "waiting for the next save"})
        print(loaded.text, flush=True)  # noqa: T201
    elif options.started:
        print(banner(config, time.time() - options.started), flush=True)  # noqa: T201
    else:
        logger.info("reloaded", extra={"took_ms": (time.monotonic() - began) * 1000})
    server = Server(socket.socket(fileno=options.socket), respond)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="http", daemon=True).start()
    if dev:
        dev.start()
    stopping.wait()
    busy = _drain(server, dev)
    if busy:
        logger.warning("left unfinished; messages come back after their visibility timeout", extra={"busy": busy})
    sys.stdout.flush()
    os._exit(0)  # A user's threads, or a handler that hangs, must not hold the reload.


def banner(config: settings.Settings, took_s: float) -> str:
    """What a user sees when everything is up."""
    base = f"http://{settings.HOST}:{config.port}"
    json_type = "-H 'content-type: application/json'"
    data = '{"user_id": "u1", "account_id": "a1", "email": "ada@example.com"}'
    event = f'{{"name": "auth/user.created", "data": {data}}}'
    offset = clock.read_offset(config.clock_file)
    ahead = f"\n  clock    {clock.readable(offset)} ahead (make dev-reset puts it back)" if offset else ""
    return (
        f"\n  Stepwell is ready after {took_s:.1f} s.\n\n"
        f"  address  {base}\n"
        f"  send     curl {base}/e/dev {json_type} -d '{event}'\n"
        f"  runs     curl {base}/v1/runs\n"
        f'  advance  curl {base}/dev/advance {json_type} -d \'{{"by": "24h"}}\'{ahead}\n'
        f"  stop     Ctrl-C (state stays in {config.home.name}/; make dev-reset forgets it)\n"
    )


if __name__ == "__main__":
    sys.exit(main())
