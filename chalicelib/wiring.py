"""The composition root: the only place that picks adapters. One platform per process, built when first needed."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib import config as configuration
from chalicelib.aws.room import Names, Room, furnish
from chalicelib.core import retries
from chalicelib.core.errors import UserError
from chalicelib.core.urls import Reach
from chalicelib.drivers.dispatch import AppDriver, Dispatcher, Late, LateGateway
from chalicelib.drivers.in_process import InProcessDriver
from chalicelib.engine import catalog as catalogs
from chalicelib.engine import collect, ingest, signals, tick
from chalicelib.engine.app_ports import AppCaller
from chalicelib.engine.clock import ShiftableClock
from chalicelib.engine.endpoint_functions import WithEndpoints
from chalicelib.engine.expiry import stamp_s
from chalicelib.engine.keyring import Keyring
from chalicelib.engine.lifecycle import NoExit
from chalicelib.engine.metrics import Collected, Counts
from chalicelib.engine.services import Chance, EngineSettings, Services, logger
from chalicelib.sdk.registry import Registry, discover

if TYPE_CHECKING:
    from chalicelib.drivers.transport import Transport
    from chalicelib.engine.ports import Gateway


@dataclass(frozen=True)
class Platform:
    """Everything a process needs to serve."""

    config: configuration.Config
    services: Services
    room: Room
    reception: ingest.ReceptionClock
    clock: ShiftableClock
    # None in development: no key is asked for.
    keyring: Keyring | None
    metrics: Collected
    # None in development: what was counted stays in memory.
    write_metrics: Callable[[Counts], None] | None
    # Made when it is first needed.
    app_caller: Callable[[], AppCaller]

    @property
    def reach(self) -> Reach:
        """Where apps may be served."""
        return Reach(self.config.dev, self.config.app_networks, self.config.lambda_apps)

    @property
    def server_kind(self) -> str:
        """What SDKs call a server of our kind."""
        return "dev" if self.config.dev else "cloud"

    @contextlib.contextmanager
    def invocation(self) -> Iterator[None]:
        """What is counted inside is written when it ends, however it ends; a failure to write fails nothing else."""
        try:
            with catalogs.invocation():
                yield
        finally:
            if self.write_metrics is not None and (counts := self.metrics.take()):
                try:
                    self.write_metrics(counts)
                except Exception:
                    logger.warning("metrics could not be written", exc_info=True)

    def wake_due(self) -> int:
        """After the clock was moved ahead: move timers, start schedules, and send a turn to every run that is due;
        how many runs were woken."""
        deadline = self.clock.now_ms() + 60_000
        tick.tick(self.services, deadline)
        return collect.wake_due(self.services, collect.is_due)


def build(
    config: configuration.Config,
    *,
    registry: Registry | None = None,
    room: Room | None = None,
    session: Any = None,
    chance: Chance | None = None,
) -> Platform:
    """A platform of its own; tests hand in what they want to hold in their hands (`session` is botocore's)."""
    clock = ShiftableClock(config.clock_offset_ms)
    settings = EngineSettings(
        hand_over_below_ms=config.hand_over_below_ms,
        retention_days=config.retention_days,
        max_receives=config.max_receives,
        retry_table_ms=config.retry_table_ms or retries.BACKOFF_MS,
        match_page=config.match_page,
        match_threads=config.match_threads,
    )
    found = registry if registry is not None else discover(packaged=config.packaged)
    held: list[Services] = []
    reception = ingest.ReceptionClock()
    metrics = Collected()
    furnished = room or furnish(
        names(config), lambda: stamp_s(held[0], clock.now_ms()), session, threads=config.match_threads
    )
    catalog = WithEndpoints(catalogs.SyncedCatalog(found.configs(), furnished.apps, clock))
    in_process = InProcessDriver(
        found,
        ingest.step_sender(lambda: held[0], reception),
        lambda run_id, step_id, signal, data: signals.step_sender(held[0], run_id, step_id, signal, data),
        clock,
    )
    keyring = None if config.dev else Keyring(furnished.keys, clock)
    services = Services(
        events=furnished.events,
        runs=furnished.runs,
        pauses=furnished.pauses,
        signals=furnished.signals,
        lines=furnished.lines,
        timers=furnished.timers,
        cancellations=furnished.cancellations,
        replays=furnished.replays,
        cells=furnished.cells,
        joins=furnished.joins,
        queues=furnished.queues,
        catalog=catalog,
        driver=Dispatcher(catalog, in_process, app_drivers(config, furnished, clock, keyring)),
        gateway=LateGateway(lambda: _gateway(config, clock)),
        clock=clock,
        chance=chance or Chance(entropy=lambda: os.urandom(10), jitter=random.random),
        metrics=metrics,
        exit=furnished.bus if config.exit else NoExit(),
        settings=settings,
    )
    held.append(services)
    writes = None if config.dev else _metrics_writer(config.stage)
    caller = _app_caller(config, furnished, clock, keyring)
    return Platform(config, services, furnished, reception, clock, keyring, metrics, writes, caller)


def _app_caller(
    config: configuration.Config, room: Room, clock: ShiftableClock, keyring: Keyring | None
) -> Callable[[], AppCaller]:
    @functools.cache
    def caller() -> AppCaller:
        from chalicelib.drivers.app_sync import AppAsker
        from chalicelib.drivers.aws_lambda import LambdaTransport

        of_lambdas = LambdaTransport(room.lambdas(), clock, lambda: os.urandom(16).hex())
        return AppAsker(_transport(config, clock), of_lambdas, keyring, clock)

    return caller


def app_drivers(
    config: configuration.Config, room: Room, clock: ShiftableClock, keyring: Keyring | None
) -> dict[str, AppDriver]:
    """By the names that configurations of functions give them."""

    def new_id() -> str:
        return os.urandom(16).hex()

    def over_http() -> AppDriver:
        from chalicelib.drivers.http import Caller, HttpDriver

        return HttpDriver(_transport(config, clock), Caller(config.stage, keyring), clock, new_id)

    def of_endpoints() -> AppDriver:
        from chalicelib.drivers.endpoints import EndpointDriver
        from chalicelib.drivers.http import Caller

        return EndpointDriver(_transport(config, clock), Caller(config.stage, keyring), clock, new_id)

    def over_lambda() -> AppDriver:
        from chalicelib.drivers.aws_lambda import LambdaDriver, LambdaTransport
        from chalicelib.drivers.http import Caller

        transport = LambdaTransport(room.lambdas(), clock, new_id)
        return LambdaDriver(transport, Caller(config.stage, keyring), clock, new_id)

    return {"http": Late(over_http), "lambda": Late(over_lambda), "endpoint": Late(of_endpoints)}


def _transport(config: configuration.Config, clock: ShiftableClock) -> Transport:
    from chalicelib.drivers.addresses import Addresses
    from chalicelib.drivers.transport import Transport

    return Transport(Addresses(is_open=config.dev, allowed=config.app_networks), clock)


def _gateway(config: configuration.Config, clock: ShiftableClock) -> Gateway:
    from chalicelib.drivers.gateway import HttpGateway

    return HttpGateway(_transport(config, clock))


def _metrics_writer(stage: str) -> Callable[[Counts], None]:
    def write(counts: Counts) -> None:
        from chalicelib.aws.metrics import write_emf

        write_emf(f"stepwell-{stage}", counts.sums, counts.values)

    return write


def names(config: configuration.Config) -> Names:
    """What the configuration calls the parts of the room."""
    return Names(
        events=config.table_events,
        runs=config.table_runs,
        pauses=config.table_pauses,
        timers=config.table_timers,
        functions=config.table_functions,
        limits=config.table_limits,
        events_queue_url=config.queue_events_url,
        work_queue_url=config.queue_work_url,
        dead_events_url=config.dead_events_url,
        dead_work_url=config.dead_work_url,
        bucket=config.bucket,
        bus=config.bus,
        keys_path=config.keys_path,
    )


def _configure_logging(config: configuration.Config) -> None:
    if config.dev:
        return  # The development server renders the records itself.
    from aws_lambda_powertools import Logger

    # Powertools puts its JSON handler on the logger of this name, which is the engine's.
    Logger(service="stepwell", level=config.log_level)
    logging.getLogger("stepwell").propagate = False


class WrongServer(UserError):
    """Somebody asks us under `chalice local`."""

    def __init__(self) -> None:
        super().__init__(
            "`chalice local` cannot run Stepwell: it has no queues, tables or schedules. Run `make dev`, which has "
            "them all, at http://127.0.0.1:8288"
        )


@functools.cache
def platform() -> Platform:
    """This process's platform.

    Raises WrongServer under `chalice local`: it has no queues and schedules, so nothing would ever run, and after
    `make infra` its configuration names the tables of a deployed stage.
    """
    if configuration.is_in_chalice_cli():
        raise WrongServer
    config = configuration.load()
    _configure_logging(config)
    return build(config)
