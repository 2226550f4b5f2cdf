"""What a sync changes of what is known of apps."""

from __future__ import annotations

import pytest

from chalicelib.core import limits
from chalicelib.core.apps import App, InvalidApp, merge, remove
from chalicelib.core.functions import EventTrigger, FunctionConfig

NOW_MS = 1_800_000_000_000


def function(an_id: str, event: str = "a") -> FunctionConfig:
    return FunctionConfig(id=an_id, name=an_id, triggers=(EventTrigger(event=event),), driver="http")


def app(*functions: str, app_id: str = "shop", url: str = "https://shop.example.com") -> App:
    return App(id=app_id, url=url, functions=tuple(function(one) for one in functions))


def synced(*apps: App, before: dict[str, App] | None = None, at_ms: int = NOW_MS) -> dict[str, App]:
    known = dict(before or {})
    for one in apps:
        known[one.id] = merge(known, (), one, at_ms)
    return known


def retired(known: dict[str, App], app_id: str = "shop") -> list[str]:
    assert all(one.config.retired for one in known[app_id].retired)
    return [one.config.id for one in known[app_id].retired]


def test_what_is_new_is_kept_with_the_time() -> None:
    found = merge({}, (), app("pay"), NOW_MS)
    assert found == app("pay").model_copy(update={"synced_at_ms": NOW_MS})


def test_the_same_again_changes_nothing() -> None:
    known = synced(app("pay"))
    assert merge(known, (), app("pay"), NOW_MS + 1) is known["shop"]


@pytest.mark.parametrize("other", [app("pay", "ship"), app("pay", url="https://new.example.com"), app("ship")])
def test_anything_else_does(other: App) -> None:
    known = synced(app("pay"))
    found = merge(known, (), other, NOW_MS + 1)
    assert found is not known["shop"]
    assert (found.functions, found.url, found.synced_at_ms) == (other.functions, other.url, NOW_MS + 1)


def test_a_function_that_is_gone_is_retired_and_stays_so() -> None:
    known = synced(app("pay", "ship"))
    known = synced(app("pay"), before=known, at_ms=NOW_MS + 1)
    assert retired(known) == ["ship"]
    known = synced(app("pack"), before=known, at_ms=NOW_MS + 2)
    assert retired(known) == ["pay", "ship"]
    assert merge(known, (), app("pack"), NOW_MS + 3) is known["shop"]


def test_one_that_comes_back_is_retired_no_more() -> None:
    known = synced(app("pay", "ship"), app("pay"), app("ship"))
    assert [config.id for config in known["shop"].functions] == ["ship"]
    assert not known["shop"].functions[0].retired
    assert retired(known) == ["pay"]


def test_what_is_retired_is_forgotten_when_no_run_of_it_can_live() -> None:
    known = synced(app("pay"), app("ship"))
    known = synced(app("pack"), before=known, at_ms=NOW_MS + limits.RETIRED_KEPT_MS)
    assert retired(known) == ["ship"]
    assert limits.RETIRED_KEPT_MS > limits.MAX_WAIT_MS


def test_of_many_that_are_retired_the_newest_are_kept() -> None:
    known: dict[str, App] = {}
    for number in range(limits.MAX_RETIRED_KEPT + 2):
        known = synced(app(f"f{number}"), before=known, at_ms=NOW_MS + number)
    assert len(retired(known)) == limits.MAX_RETIRED_KEPT
    assert retired(known)[0] == f"f{limits.MAX_RETIRED_KEPT}"
    assert "f0" not in retired(known)


def test_an_id_belongs_to_one_app() -> None:
    known = synced(app("pay"))
    with pytest.raises(InvalidApp, match='function "pay": the app "shop" already has a function of this id'):
        merge(known, (), app("pay", app_id="other"), NOW_MS)


def test_an_id_of_this_deployment_is_its_own() -> None:
    with pytest.raises(InvalidApp, match='function "pay": this deployment already has a function of this id'):
        merge({}, {"pay"}, app("ship", "pay"), NOW_MS)


def test_an_id_that_its_app_gave_up_is_free() -> None:
    known = synced(app("pay"), app("ship"), app("pay", app_id="other"))
    assert [config.id for config in known["other"].functions] == ["pay"]


def test_a_removed_app_has_only_retired_functions_and_can_come_back() -> None:
    known = synced(app("pay", "ship"))
    known["shop"] = remove(known["shop"], NOW_MS + 5)
    assert (known["shop"].functions, known["shop"].removed_at_ms) == ((), NOW_MS + 5)
    assert sorted(retired(known)) == ["pay", "ship"]

    known = synced(app("pay", "ship"), before=known, at_ms=NOW_MS + 6)
    assert known["shop"].removed_at_ms is None
    assert (len(known["shop"].functions), retired(known)) == (2, [])


def test_what_is_stored_is_read_with_what_a_later_version_adds() -> None:
    known = synced(app("pay"), app("ship"))["shop"]
    text = (
        known.dump()
        .replace('"id":"shop"', '"id":"shop","added_later":1')
        .replace('"name":"ship"', '"name":"ship","x":{}')
    )
    assert "added_later" in text
    assert App.read(text) == known == App.read(known.dump())
