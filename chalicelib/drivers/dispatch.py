"""Each function is called by the driver that its configuration names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from chalicelib.core.calls import CallRequest, ErrorInfo, Raised, Reply
from chalicelib.core.functions import FunctionConfig


class AppDriver(Protocol):
    """Calls functions whose code is elsewhere."""

    def call(self, config: FunctionConfig, request: CallRequest) -> Reply:
        """Enter the function once."""
        ...


class Late:
    """An AppDriver that is made when it is first needed: what it imports costs a cold start a tenth of a second."""

    def __init__(self, make: Callable[[], AppDriver]) -> None:
        self._make = make
        self._made: AppDriver | None = None
        self._lock = threading.Lock()

    def call(self, config: FunctionConfig, request: CallRequest) -> Reply:
        """Enter the function once."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
        return self._made.call(config, request)


class InProcess(Protocol):
    """Calls functions of this deployment."""

    def call(self, request: CallRequest) -> Reply:
        """Enter the function once."""
        ...


class Known(Protocol):
    """The functions there are (engine.app_ports.Catalog)."""

    def get(self, fn_id: str) -> FunctionConfig | None: ...


class Dispatcher:
    """Implements engine.ports.Driver. What no driver knows is left to the one in process, which says so."""

    def __init__(self, catalog: Known, in_process: InProcess, apps: Mapping[str, AppDriver]) -> None:
        self._catalog = catalog
        self._in_process = in_process
        self._apps = apps

    def call(self, request: CallRequest) -> Reply:
        config = self._catalog.get(request.fn_id)
        if config is None or config.driver == "in_process":
            return self._in_process.call(request)
        driver = self._apps.get(config.driver)
        if driver is None:
            text = f"the app of function {request.fn_id!r} is called by {config.driver}, which this deployment cannot"
            return Raised(ErrorInfo.of("DriverMissing", text), retriable=True)
        return driver.call(config, request)
