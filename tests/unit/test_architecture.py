"""The rooms of docs/ARCHITECTURE.md: imports run one way, entry points are thin, and nothing grows out of hand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]
}

# What each room may import of ours. A name stands for itself and everything below it.
ALLOWED: dict[str, set[str]] = {
    "chalicelib.core": {"chalicelib.core"},
    "chalicelib.engine": {"chalicelib.core", "chalicelib.engine"},
    "chalicelib.sdk": {"chalicelib.core", "chalicelib.sdk"},
    "chalicelib.functions": {"chalicelib.sdk", "chalicelib.functions"},
    "chalicelib.drivers": {
        "chalicelib.core",
        "chalicelib.sdk",
        "chalicelib.drivers",
        "chalicelib.engine.ports",
    },
    "chalicelib.aws": {
        "chalicelib.core",
        "chalicelib.aws",
        "chalicelib.engine.ports",
        "chalicelib.engine.operator_ports",
        "chalicelib.engine.flow_ports",
        "chalicelib.engine.line_ports",
        "chalicelib.engine.collect",
        "chalicelib.engine.index",
        "chalicelib.engine.side_by_side",
    },
    "chalicelib.config": {"chalicelib.core"},
    "chalicelib.web": {
        "chalicelib.config",
        "chalicelib.core",
        "chalicelib.engine",
        "chalicelib.web",
        "chalicelib.wiring",
    },
    "chalicelib.deliveries": {"chalicelib.core", "chalicelib.engine", "chalicelib.wiring", "chalicelib.aws.queues"},
    "chalicelib.wiring": {
        "chalicelib.aws.metrics",
        "chalicelib.aws.room",
        "chalicelib.config",
        "chalicelib.core",
        "chalicelib.drivers",
        "chalicelib.engine",
        "chalicelib.sdk.registry",
    },
    "app": {
        "chalicelib.config",
        "chalicelib.deliveries",
        "chalicelib.engine.collect",
        "chalicelib.engine.metrics",
        "chalicelib.engine.tick",
        "chalicelib.sdk.registry",
        "chalicelib.web.function_url",
        "chalicelib.web.routes",
        "chalicelib.wiring",
    },
}
# The stubs are for the type checker alone.
AWS = {
    "boto3",
    "botocore",
    *(f"mypy_boto3_{name}" for name in ("cloudwatch", "dynamodb", "events", "lambda", "s3", "sqs", "ssm")),
}
# What of others each room may import besides the standard library; the rooms not named here: anything but AWS.
THIRD_PARTY: dict[str, set[str]] = {
    "chalicelib.core": {"pydantic", "cronsim", "lark", "celpy", "re2"},
    "chalicelib.engine": {"pydantic"},
    "chalicelib.sdk": {"pydantic"},
    "chalicelib.functions": set(),
    "chalicelib.drivers": {"urllib3"},
    "chalicelib.aws": {"pydantic", "aws_lambda_powertools", *AWS},
    "chalicelib.config": set(),
    "chalicelib.web": {"chalice", "pydantic"},
    "chalicelib.deliveries": set(),
    "chalicelib.wiring": {"aws_lambda_powertools"},
    "app": {"chalice"},
}
LONGEST_MODULE = 300
# Modules that are longer, and why.
LONG_MODULES = {
    "chalicelib.core.expressions.builder": "one method per construct of the language",
    "chalicelib.testing.kit": "tests only",
}
LONGEST_FUNCTION = 60


def room_of(module: str) -> str | None:
    """The room that a module belongs to; None for the test kit, which may see everything."""
    if module == "chalicelib" or module.startswith("chalicelib.testing"):
        return None
    rooms = [room for room in ALLOWED if module == room or module.startswith(f"{room}.")]
    assert rooms, f"{module} belongs to no room: name it in ALLOWED"
    return rooms[0]


def imports_of(path: Path) -> Iterator[str]:
    """Full names of what a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full in MODULES or (ROOT / Path(*full.split("."))).is_dir() else base


def is_within(name: str, allowed: set[str]) -> bool:
    return any(name == item or name.startswith(f"{item}.") for item in allowed)


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) is not None])
def test_imports_run_one_way(module: str) -> None:
    room = room_of(module)
    assert room is not None
    for name in imports_of(MODULES[module]):
        top = name.split(".")[0]
        if top == "chalicelib":
            assert is_within(name, ALLOWED[room]), f"{module} imports {name}"
        elif top not in sys.stdlib_module_names:
            assert top in THIRD_PARTY[room], f"{module} imports {name}"


def test_only_the_aws_room_speaks_to_aws() -> None:
    found = {module for module, path in MODULES.items() for name in imports_of(path) if name.split(".")[0] in AWS}
    assert {name for name in found if not name.startswith(("chalicelib.aws.", "chalicelib.testing."))} == set()


def uses_environment(path: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_only_config_reads_the_environment() -> None:
    found = {module for module, path in MODULES.items() if uses_environment(path)}
    assert {name for name in found if not name.startswith("chalicelib.testing.")} == {"chalicelib.config"}


def test_the_clock_and_chance_come_from_outside() -> None:
    """Rules take the time as a value: neither core nor engine ask the machine for it, but for the clocks."""
    asks = {"time", "time_ns", "monotonic", "now", "utcnow", "today", "uuid4", "urandom", "token_hex"}
    for module, path in MODULES.items():
        if room_of(module) not in ("chalicelib.core", "chalicelib.engine") or module == "chalicelib.engine.clock":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                asked = (
                    owner in ("time", "datetime", "date", "uuid", "os", "secrets", "random") and node.func.attr in asks
                )
                assert not asked, f"{module}, line {node.lineno}: {owner}.{node.func.attr}"


def test_importing_app_is_cheap() -> None:
    """Cold starts pay for what is imported: AWS, expressions and logging come when they are needed."""
    code = "import sys, app; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {"boto3", "botocore", "urllib3", "celpy", "lark", "re2", "aws_lambda_powertools", "cronsim", "moto"}
    assert set(done.stdout.split()) & heavy == set()


@pytest.mark.parametrize("module", list(MODULES))
def test_nothing_grows_out_of_hand(module: str) -> None:
    text = MODULES[module].read_text()
    lines = len(text.splitlines())
    assert lines <= LONGEST_MODULE or module in LONG_MODULES, f"{module} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{module}.{node.name} has {length} lines"


def test_long_modules_are_still_long() -> None:
    for module in LONG_MODULES:
        assert len(MODULES[module].read_text().splitlines()) > LONGEST_MODULE, f"{module} need not be listed"
