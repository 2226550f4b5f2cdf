"""Each function is called by the driver that its configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from chalicelib.core.calls import CallRequest, ErrorInfo, Raised, Reply
from chalicelib.core.functions import FunctionConfig
from chalicelib.engine.ports import Catalog


class AppDriver(Protocol):
    """Calls functions whose code is elsewhere."""

    def call(self, config: FunctionConfig, request: CallRequest) -> Reply:
        """Enter the function once."""
        ...


class InProcess(Protocol):
    """Calls functions of this deployment."""

    def call(self, request: CallRequest) -> Reply:
        """Enter the function once."""
        ...


class Dispatcher:
    """Implements engine.ports.Driver. What no driver knows is left to the one in process, which says so."""

    def __init__(self, catalog: Catalog, in_process: InProcess, apps: Mapping[str, AppDriver]) -> None:
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
