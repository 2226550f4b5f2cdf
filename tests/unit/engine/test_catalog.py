"""The functions there are: how new what is known of them is, and what that costs."""

from __future__ import annotations

import threading

import pytest

from chalicelib.core import limits
from chalicelib.core.apps import App, merge, remove
from chalicelib.core.function_pauses import FunctionPause, Paused, Registered
from chalicelib.core.functions import FunctionConfig
from chalicelib.engine.catalog import SyncedCatalog, invocation

START_MS = 1_800_000_000_000


class Registry:
    """Implements engine.app_ports.Apps in memory, and counts what it is asked."""

    def __init__(self) -> None:
        self.apps: dict[str, App] = {}
        self.changes = 0
        self.paused: dict[str, FunctionPause] = {}
        self.pauses = 0
        self.versions_read = 0
        self.all_read = 0

    def version(self) -> int:
        return self.registered().version

    def registered(self) -> Registered:
        self.versions_read += 1
        return Registered(self.changes, self.pauses, dict(self.paused))

    def set_paused(self, paused: Paused, *, seen: int) -> bool:
        if seen != self.pauses:
            return False
        self.paused = dict(paused)
        self.pauses += 1
        return True

    def all(self) -> list[App]:
        self.all_read += 1
        return list(self.apps.values())

    def put(self, app: App, *, seen: int, nonce: str) -> bool:
        assert nonce
        if seen != self.changes:
            return False
        self.apps[app.id] = app
        self.changes += 1
        return True

    def sync(self, *ids: str, app_id: str = "shop") -> None:
        made = App(id=app_id, url="https://x", functions=tuple(function(one) for one in ids))
        assert self.put(merge(self.apps, (), made, START_MS), seen=self.changes, nonce="n")

    @property
    def reads(self) -> tuple[int, int]:
        """Since it was asked last."""
        found = self.versions_read, self.all_read
        self.versions_read = self.all_read = 0
        return found


class Clock:
    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        return self.ms


def function(an_id: str, driver: str = "http") -> FunctionConfig:
    return FunctionConfig.model_validate({"id": an_id, "name": an_id, "triggers": (), "driver": driver})


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog(registry: Registry, clock: Clock) -> SyncedCatalog:
    return SyncedCatalog([function("own", "in_process")], registry, clock)


def ids(catalog: SyncedCatalog) -> list[str]:
    return [config.id for config in catalog.configs()]


def test_an_invocation_knows_what_was_synced_before_its_events_were_accepted(
    catalog: SyncedCatalog, registry: Registry, clock: Clock
) -> None:
    # By a clock that stands still: nothing but the order of things is relied on.
    for number in range(3):
        registry.sync(*(f"f{one}" for one in range(number + 1)))
        with invocation():
            catalog.catch_up(clock.ms)
            assert ids(catalog) == ["own", *(f"f{one}" for one in range(number + 1))]


def test_it_costs_one_small_read_however_many_events_there_are(
    catalog: SyncedCatalog, registry: Registry, clock: Clock
) -> None:
    registry.sync("pay")
    with invocation():
        for _ in range(10):
            catalog.catch_up(clock.ms)
            catalog.configs()
            catalog.get("pay")
    assert registry.reads == (1, 1)
    with invocation():
        for _ in range(10):
            catalog.catch_up(clock.ms)
    assert registry.reads == (1, 0)


def test_an_event_that_has_waited_for_long_costs_none(catalog: SyncedCatalog, registry: Registry, clock: Clock) -> None:
    with invocation():
        catalog.catch_up(clock.ms)
    assert registry.reads == (1, 0)
    with invocation():
        catalog.catch_up(clock.ms - limits.CLOCK_SKEW_MS - 1)
        assert registry.reads == (0, 0)
        # The clocks of two machines may differ.
        catalog.catch_up(clock.ms - limits.CLOCK_SKEW_MS)
        assert registry.reads == (1, 0)


def test_what_was_read_before_an_invocation_began_is_not_enough(
    catalog: SyncedCatalog, registry: Registry, clock: Clock
) -> None:
    with invocation():
        catalog.catch_up(clock.ms)
        registry.sync("pay")
        catalog.catch_up(clock.ms)
        assert ids(catalog) == ["own"]
    with invocation():
        catalog.catch_up(clock.ms)
        assert ids(catalog) == ["own", "pay"]


def test_outside_of_an_invocation_it_always_looks(catalog: SyncedCatalog, registry: Registry, clock: Clock) -> None:
    catalog.catch_up(clock.ms)
    catalog.catch_up(clock.ms)
    assert registry.reads == (2, 0)


def test_an_invocation_of_another_thread_does_not_count(
    catalog: SyncedCatalog, registry: Registry, clock: Clock
) -> None:
    looked, synced = threading.Event(), threading.Event()
    found: list[list[str]] = []

    def early() -> None:
        with invocation():
            catalog.catch_up(clock.ms)
            looked.set()
            assert synced.wait(10)
            catalog.catch_up(clock.ms)
            found.append(ids(catalog))

    thread = threading.Thread(target=early)
    thread.start()
    assert looked.wait(10)
    registry.sync("pay")
    with invocation():
        catalog.catch_up(clock.ms)
        found.append(ids(catalog))
    synced.set()
    thread.join(10)
    assert found == [["own", "pay"]] * 2


def test_functions_of_this_deployment_cost_no_read(catalog: SyncedCatalog, registry: Registry) -> None:
    found = catalog.get("own")
    assert found is not None
    assert found.driver == "in_process"
    assert catalog.deployed == {"own"}
    assert registry.reads == (0, 0)


def test_those_of_apps_are_looked_up_every_few_seconds(
    catalog: SyncedCatalog, registry: Registry, clock: Clock
) -> None:
    registry.sync("pay")
    assert catalog.get("pay") is not None
    assert registry.reads == (1, 1)
    clock.ms += limits.REGISTRY_MAX_AGE_MS
    assert catalog.get("pay") is not None
    assert registry.reads == (0, 0)
    clock.ms += 1
    assert catalog.get("pay") is not None
    assert registry.reads == (1, 0)


def test_an_unknown_one_is_looked_for_at_once(catalog: SyncedCatalog, registry: Registry) -> None:
    catalog.configs()
    registry.sync("pay")
    assert ids(catalog) == ["own"]
    assert catalog.get("pay") is not None
    assert ids(catalog) == ["own", "pay"]
    assert catalog.get("nobody") is None


def test_a_retired_one_is_known_but_starts_nothing(catalog: SyncedCatalog, registry: Registry) -> None:
    registry.sync("pay", "ship")
    registry.sync("pay")
    found = catalog.get("ship")
    assert found is not None
    assert found.retired
    assert ids(catalog) == ["own", "pay"]
    # Another app may have taken it up.
    registry.sync("ship", app_id="other")
    catalog.catch_up(START_MS)
    assert ids(catalog) == ["own", "pay", "ship"]
    moved = catalog.get("ship")
    assert moved is not None
    assert not moved.retired


def test_those_of_a_removed_app_are_retired(catalog: SyncedCatalog, registry: Registry) -> None:
    registry.sync("pay")
    assert registry.put(remove(registry.apps["shop"], START_MS), seen=1, nonce="n")
    assert ids(catalog) == ["own"]
    found = catalog.get("pay")
    assert found is not None
    assert found.retired


def test_a_function_of_this_deployment_hides_one_of_an_app(catalog: SyncedCatalog, registry: Registry) -> None:
    # The app was synced before the function was deployed.
    registry.sync("own", "pay")
    assert [(config.id, config.driver) for config in catalog.configs()] == [("own", "in_process"), ("pay", "http")]


def test_a_clock_that_is_set_back_does_not_keep_what_is_old(
    catalog: SyncedCatalog, registry: Registry, clock: Clock
) -> None:
    catalog.configs()
    registry.sync("pay")
    clock.ms -= limits.HOUR_MS
    assert ids(catalog) == ["own", "pay"]


def test_a_pause_is_known_to_events_that_were_accepted_after_it(
    catalog: SyncedCatalog, registry: Registry, clock: Clock
) -> None:
    pause = FunctionPause(id="p", mode="skip", since_ms=clock.ms)
    for paused in ({"own": pause}, {}, {"own": pause}):
        assert registry.set_paused(paused, seen=registry.pauses)
        with invocation():
            catalog.catch_up(clock.ms)
            assert catalog.pause_of("own") == paused.get("own")


def test_others_know_it_after_some_seconds_or_when_they_look_anew(
    catalog: SyncedCatalog, registry: Registry, clock: Clock
) -> None:
    pause = FunctionPause(id="p", since_ms=clock.ms)
    assert catalog.pause_of("own") is None
    assert registry.reads == (1, 0)
    assert registry.set_paused({"own": pause}, seen=0)

    clock.ms += limits.REGISTRY_MAX_AGE_MS
    assert catalog.pause_of("own") is None
    assert registry.reads == (0, 0)
    assert catalog.pause_of("own", anew=True) == pause
    assert catalog.pause_of("own") == pause
    assert registry.reads == (1, 0)

    assert registry.set_paused({}, seen=1)
    clock.ms += limits.REGISTRY_MAX_AGE_MS + 1
    assert catalog.pause_of("own") is None
    assert registry.reads == (1, 0)
