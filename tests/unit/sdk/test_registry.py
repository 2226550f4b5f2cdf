"""Finding functions in a package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.sdk import Function, InvalidFunction, Registry, TriggerEvent, discover, function

PACKAGE = "stepwell_test_functions"
HEAD = "from chalicelib.sdk import TriggerEvent, function\n"


def source(*fn_ids: str, prefix: str = "fn") -> str:
    return HEAD + "".join(
        f"@function(fn_id={fn_id!r}, trigger=TriggerEvent(event='e'))\ndef {prefix}{index}(ctx): return {fn_id!r}\n"
        for index, fn_id in enumerate(fn_ids)
    )


class Project:
    """A package of functions in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root / PACKAGE
        self.write("__init__.py", "")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def ids(self, *, fresh: bool = False) -> list[str]:
        return [config.id for config in discover(PACKAGE, fresh=fresh).configs()]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Project(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_every_module_of_every_folder_is_found(project: Project) -> None:
    project.write("__init__.py", source("root"))
    project.write("one.py", source("a", "b"))
    project.write("sub/__init__.py", "")
    project.write("sub/two.py", source("c"))
    project.write("no_init/deep/three.py", source("d"))
    project.write("__main__.py", "raise SystemExit")
    project.write("not-a-module.py", "raise ValueError")
    project.write("notes.txt", "x")

    assert project.ids() == ["a", "b", "c", "d", "root"]


def test_a_function_imported_by_another_module_counts_once(project: Project) -> None:
    project.write("one.py", source("a"))
    project.write("two.py", f"from {PACKAGE}.one import fn0\n" + source("b", prefix="other"))

    assert project.ids() == ["a", "b"]


def test_failure_handlers_are_registered(project: Project) -> None:
    project.write("one.py", source("a").replace("'e')", "'e'), on_failure=lambda ctx: None"))

    assert project.ids() == ["a", "a-failure"]


def test_two_functions_of_one_id_are_named_with_their_modules(project: Project) -> None:
    project.write("one.py", source("same"))
    project.write("two.py", source("same"))

    with pytest.raises(InvalidFunction, match=rf"fn_id 'same': one in {PACKAGE}.one, one in {PACKAGE}.two"):
        project.ids()


def test_a_function_whose_name_is_used_again_in_its_module_is_not_lost_silently(project: Project) -> None:
    project.write("one.py", source("a", "b").replace("fn1", "fn0"))

    with pytest.raises(InvalidFunction, match="already has a function named fn0"):
        project.ids()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError"),
        ("raise SystemExit(2)", "SystemExit: 2"),
        (source("bad id"), "function 'bad id'|fn_id 'bad id' cannot be used"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_the_cause(project: Project, text: str, message: str) -> None:
    project.write("broken.py", text)

    with pytest.raises(InvalidFunction, match=message) as caught:
        project.ids()
    assert f"module {PACKAGE}.broken" in str(caught.value)


def test_the_place_of_the_error_is_told(project: Project) -> None:
    project.write("broken.py", "x = 1\n\n1 / 0\n")

    with pytest.raises(InvalidFunction, match=r"broken\.py, line 3\)"):
        project.ids()


def test_a_package_that_is_not_there() -> None:
    with pytest.raises(InvalidFunction, match="module no_such_package cannot be imported"):
        discover("no_such_package")


def test_fresh_discovery_sees_changes(project: Project) -> None:
    project.write("one.py", source("a"))
    first = discover(PACKAGE)
    project.write("one.py", source("a", "b"))
    project.write("two.py", source("c"))

    assert project.ids(fresh=True) == ["a", "b", "c"]
    assert [config.id for config in first.configs()] == ["a"]

    (project.root / "two.py").unlink()
    assert project.ids(fresh=True) == ["a", "b"]


def test_a_changed_id_of_the_same_function_is_no_clash(project: Project) -> None:
    project.write("one.py", source("a"))
    project.ids()
    project.write("one.py", source("renamed"))

    assert project.ids(fresh=True) == ["renamed"]


def test_a_failed_fresh_discovery_leaves_the_earlier_modules(project: Project) -> None:
    project.write("one.py", source("a"))
    project.ids()
    before = sys.modules[f"{PACKAGE}.one"]
    project.write("one.py", "1 / 0")

    with pytest.raises(InvalidFunction):
        project.ids(fresh=True)
    assert sys.modules[f"{PACKAGE}.one"] is before


def made(fn_id: str) -> Function[Any]:
    return function(fn_id=fn_id, trigger=TriggerEvent(event="e"))(lambda _ctx: None)


def test_a_registry_gives_functions_by_id() -> None:
    one, two = made("one"), made("two")
    registry = Registry([two, one])
    registry.register(one)

    assert registry.get("one") is one
    assert registry.get("three") is None
    assert registry.configs() == (one.config, two.config)


def test_the_examples_are_found() -> None:
    assert [config.id for config in discover().configs()] == ["hello", "onboarding", "trial"]


BROKEN = (
    HEAD + "@function(fn_id='f', trigger=TriggerEvent(event='e', expression='event.data.id =='))\ndef f(ctx): pass\n"
)


def test_a_broken_condition_is_found_when_the_package_is_made(project: Project) -> None:
    project.write("broken.py", BROKEN)

    with pytest.raises(InvalidFunction, match="ends too early"):
        discover(PACKAGE)


def test_a_packaged_deployment_does_not_compile_its_conditions_again(project: Project) -> None:
    project.write("broken.py", BROKEN)

    (config,) = discover(PACKAGE, packaged=True).configs()

    assert config.id == "f"
    with pytest.raises(InvalidFunction):  # Only there: whatever is made later is checked.
        discover(PACKAGE, fresh=True)
