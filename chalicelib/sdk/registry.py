"""The functions of a deployment, found by importing their package."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from chalicelib.core.checking import checked_before
from chalicelib.core.errors import InvalidFunction
from chalicelib.core.functions import FunctionConfig
from chalicelib.sdk.function import Function

FUNCTIONS_PACKAGE = "chalicelib.functions"


class Registry:
    """Functions by their ids, failure handlers among them."""

    def __init__(self, functions: Iterable[Function[Any]] = ()) -> None:
        self._functions: dict[str, Function[Any]] = {}
        for item in functions:
            self.register(item)

    def register(self, item: Function[Any]) -> None:
        """Add a function and its failure handler. Raises InvalidFunction when another one has its id."""
        known = self._functions.setdefault(item.fn_id, item)
        if known is not item:
            raise InvalidFunction(
                f"two functions have the fn_id {item.fn_id!r}: one in {known.module}, one in {item.module}; "
                "give one of them another id"
            )
        if item.on_failure is not None:
            self.register(item.on_failure)

    def get(self, fn_id: str) -> Function[Any] | None:
        """The function with this id."""
        return self._functions.get(fn_id)

    def configs(self) -> tuple[FunctionConfig, ...]:
        """What the engine needs to know of each function, in order of their ids."""
        return tuple(self._functions[fn_id].config for fn_id in sorted(self._functions))


def discover(package_name: str = FUNCTIONS_PACKAGE, *, fresh: bool = False, packaged: bool = False) -> Registry:
    """Import every module of the package, and of the folders in it, and register the functions found there.

    With `fresh`, modules imported earlier are imported anew; if that fails, the earlier ones stay. With `packaged`,
    conditions are not compiled: they were when the package was made (app.py). Raises InvalidFunction naming the
    module and what is wrong with it.
    """
    if packaged:
        with checked_before():
            return _discover(package_name)
    if not fresh:
        return _discover(package_name)
    earlier = _forget(package_name)
    try:
        return _discover(package_name)
    except InvalidFunction:
        _forget(package_name)
        sys.modules.update(earlier)
        raise


def _forget(package_name: str) -> dict[str, ModuleType]:
    importlib.invalidate_caches()
    names = [name for name in sys.modules if name == package_name or name.startswith(f"{package_name}.")]
    return {name: sys.modules.pop(name) for name in names}


def _discover(package_name: str) -> Registry:
    registry = Registry()
    package = _import(package_name)
    for module in (package, *map(_import, _module_names(package))):
        for value in list(vars(module).values()):
            if isinstance(value, Function):
                registry.register(value)
    return registry


def _module_names(package: ModuleType) -> Iterator[str]:
    """The modules below the package, in order; folders need no __init__.py."""
    for root in map(Path, getattr(package, "__path__", ())):
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            if parts and parts[-1] != "__main__" and all(part.isidentifier() for part in parts):
                yield ".".join((package.__name__, *parts))


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except InvalidFunction as error:
        raise InvalidFunction(f"module {name}: {error}") from error
    except (Exception, SystemExit) as error:
        raise InvalidFunction(
            f"module {name} cannot be imported: {type(error).__name__}: {error}{_place(error)}"
        ) from error


def _place(error: BaseException) -> str:
    """Where the module failed, for an error that does not say so itself."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    if isinstance(error, SyntaxError) or not frames or frames[-1].filename == __file__:
        return ""
    return f" ({frames[-1].filename}, line {frames[-1].lineno})"
