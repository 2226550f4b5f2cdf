"""The Lambda entry points: routes, queue handlers, schedules; nothing else."""

from __future__ import annotations

from typing import Any

from chalice import Rate

from chalicelib import config
from chalicelib.web.function_url import App
from chalicelib.web.routes import api

# Chalice's logger would have the name of ours, and each line would be written twice.
app = App(app_name="stepwell", configure_logs=False)
app.register_blueprint(api)

if config.is_in_chalice_cli():
    # Lambda takes the functions as they are packaged, so a broken one must not get that far.
    from chalicelib.sdk.registry import discover

    discover()


@app.on_sqs_message(
    queue=f"stepwell-{config.stage()}-events",
    batch_size=10,
    maximum_concurrency=config.max_concurrency("EVENTS"),
)
def on_event(record: Any) -> dict[str, Any]:
    """Events arrive."""
    from chalicelib import deliveries
    from chalicelib.wiring import platform

    return deliveries.on_events(platform(), record.to_dict(), record.context)


@app.on_sqs_message(
    queue=f"stepwell-{config.stage()}-work",
    batch_size=1,
    maximum_concurrency=config.max_concurrency("WORK"),
)
def on_work(record: Any) -> dict[str, Any]:
    """Runs are driven: user code runs here, so each message has an invocation of its own."""
    from chalicelib import deliveries
    from chalicelib.wiring import platform

    return deliveries.on_work(platform(), record.to_dict(), record.context)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def on_tick(event: Any) -> dict[str, int]:
    """Timers come near, schedules fall due."""
    from chalicelib.engine import metrics, tick
    from chalicelib.wiring import platform

    p = platform()
    deadline_ms = p.clock.now_ms() + event.context.get_remaining_time_in_millis()
    with p.invocation():
        moved = tick.tick(p.services, deadline_ms)
        # Last: whatever it waits for, the timers are on their way.
        metrics.measure_backlog(p.services)
        return {"moved": moved}


@app.schedule(Rate(5, unit=Rate.MINUTES))
def on_collect(event: Any) -> dict[str, int]:
    """Nobody is forgotten, nothing is left lying about."""
    from chalicelib.engine import collect
    from chalicelib.wiring import platform

    p = platform()
    deadline_ms = p.clock.now_ms() + event.context.get_remaining_time_in_millis()
    with p.invocation():
        return {"poked": collect.collect(p.services, deadline_ms)}
