"""engine.app_ports.Apps."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.aws import keys
from chalicelib.aws.apps import DynamoApps
from chalicelib.core.apps import App, remove
from chalicelib.core.errors import LimitExceeded
from chalicelib.core.function_pauses import FunctionPause, Registered, with_pause
from chalicelib.core.functions import EventTrigger, FunctionConfig
from tests.contract.conftest import NOW_MS, World


def app(app_id: str | None = None, count: int = 1, names: Sequence[str] = ()) -> App:
    functions = tuple(
        FunctionConfig(
            id=f"f{number}",
            name=names[number] if names else "a function",
            triggers=(EventTrigger(event=f"demo/{number}"),),
            driver="http",
            endpoint="https://app.example.com/api/inngest",
        )
        for number in range(count)
    )
    return App(id=app_id or f"app/ü {uuid.uuid4().hex}", url="https://app.example.com", functions=functions)


def stored(apps: DynamoApps, app_id: str) -> App | None:
    found = [one for one in apps.all() if one.id == app_id]
    return found[0] if found else None


def put(apps: DynamoApps, one: App) -> None:
    assert apps.put(one, seen=apps.version(), nonce=uuid.uuid4().hex)


def test_an_app_is_stored_and_the_version_counts_it(world: World) -> None:
    apps, one = world.room.apps, app()
    before = apps.version()

    put(apps, one)

    assert apps.version() == before + 1
    assert stored(world.again().apps, one.id) == one


def test_the_last_one_replaces_the_whole_app(world: World) -> None:
    apps, first = world.room.apps, app(count=3)
    second = app(first.id, count=2)
    put(apps, first)
    put(apps, second)
    assert stored(apps, first.id) == second


def test_what_was_decided_on_something_older_is_not_written(world: World) -> None:
    apps, first, late = world.room.apps, app(), app()
    seen = apps.version()
    put(apps, first)

    assert not apps.put(late, seen=seen, nonce=uuid.uuid4().hex)

    assert stored(apps, late.id) is None
    assert apps.version() == seen + 1


def test_our_own_write_whose_answer_was_lost_is_known_by_its_nonce(world: World) -> None:
    apps, one = world.room.apps, app()
    seen, nonce = apps.version(), uuid.uuid4().hex
    assert apps.put(one, seen=seen, nonce=nonce)
    assert apps.put(one, seen=seen, nonce=nonce)
    assert apps.version() == seen + 1


def test_a_large_app_is_compressed(world: World) -> None:
    one = app(count=1_000)
    put(world.room.apps, one)
    item = world.item(world.config.table_functions, keys.APPS, one.id)
    assert item is not None
    assert len(one.dump()) > 100_000 > 4 * len(item["packed"])
    assert stored(world.again().apps, one.id) == one


def test_one_that_fits_no_item_is_refused_and_changes_nothing(world: World) -> None:
    apps = world.room.apps
    before = apps.version()
    named = app(count=1_000, names=["".join(uuid.uuid4().hex for _ in range(8)) for _ in range(1_000)])
    huge = named.model_copy(update={"retired": remove(named, NOW_MS).retired * 4})
    with pytest.raises(LimitExceeded, match="serve its functions as several apps"):
        apps.put(huge, seen=before, nonce="n")
    assert apps.version() == before


def test_a_removed_app_expires_when_no_run_of_it_can_live(world: World) -> None:
    one = app()
    put(world.room.apps, one)
    put(world.room.apps, remove(one, NOW_MS))
    item = world.item(world.config.table_functions, keys.APPS, one.id)
    assert item is not None
    assert int(item["expires_at"]) == NOW_MS // 1000 + 400 * 86_400
    put(world.room.apps, one)
    item = world.item(world.config.table_functions, keys.APPS, one.id)
    assert item is not None
    assert "expires_at" not in item


def test_of_many_at_once_one_wins_each_version(ministack: World) -> None:
    before = ministack.room.apps.version()
    app_id = f"app {uuid.uuid4().hex}"

    def attempt(number: int) -> list[int]:
        apps, won = ministack.again().apps, []
        for round_ in range(5):
            seen = apps.version()
            if apps.put(app(app_id, count=number + 1), seen=seen, nonce=f"{number}-{round_}"):
                won.append(seen)
        return won

    with ThreadPoolExecutor(8) as pool:
        won = [seen for found in pool.map(attempt, range(8)) for seen in found]

    assert len(won) == len(set(won))
    assert ministack.room.apps.version() == before + len(won)
    assert stored(ministack.room.apps, app_id) in [app(app_id, count=number + 1) for number in range(8)]


def pauses(world: World) -> Registered:
    return world.again().apps.registered()


def test_what_is_paused_is_written_on_what_was_seen(world: World) -> None:
    apps, before = world.room.apps, world.room.apps.registered()
    one = FunctionPause(id=uuid.uuid4().hex, since_ms=NOW_MS)
    two = FunctionPause(id=uuid.uuid4().hex, mode="skip", since_ms=NOW_MS)

    assert apps.set_paused({"fn ü": one}, seen=before.pauses)
    assert not apps.set_paused({"fn ü": two}, seen=before.pauses)

    after = pauses(world)
    assert (after.version, after.pauses, after.paused) == (before.version, before.pauses + 1, {"fn ü": one})
    assert apps.set_paused({}, seen=after.pauses)
    assert pauses(world).paused == {}


def test_a_sync_leaves_what_is_paused_as_it_is(world: World) -> None:
    apps = world.room.apps
    pause = FunctionPause(id=uuid.uuid4().hex, since_ms=NOW_MS)
    assert apps.set_paused({"fn": pause}, seen=apps.registered().pauses)
    before = apps.registered()

    put(apps, app())

    after = pauses(world)
    assert after == Registered(before.version + 1, before.pauses, {"fn": pause})
    assert apps.set_paused({}, seen=after.pauses)


def test_of_many_pauses_at_once_none_is_lost(ministack: World) -> None:
    names = [f"{uuid.uuid4().hex}" for _ in range(6)]

    def attempt(name: str) -> None:
        apps, pause = ministack.again().apps, FunctionPause(id=name, since_ms=NOW_MS)
        while True:
            seen = apps.registered()
            if name in seen.paused or apps.set_paused(with_pause(seen.paused, name, pause), seen=seen.pauses):
                return

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(attempt, names))

    there = pauses(ministack)
    assert set(names) <= set(there.paused)
    assert ministack.room.apps.set_paused({}, seen=there.pauses)
