"""The functions of endpoints, beside those that are registered. A module of its own: what runs of endpoints need
besides would be loaded at each cold start."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.core.endpoints import config_of
from chalicelib.core.function_pauses import FunctionPause
from chalicelib.core.functions import FunctionConfig
from chalicelib.engine.app_ports import Catalog


class WithEndpoints:
    """Implements engine.ports.Catalog: what is registered, and the functions of endpoints, which nobody lists."""

    def __init__(self, registered: Catalog) -> None:
        self._registered = registered

    @property
    def deployed(self) -> frozenset[str]:
        return self._registered.deployed

    def catch_up(self, accepted_at_ms: int) -> None:
        self._registered.catch_up(accepted_at_ms)

    def get(self, fn_id: str) -> FunctionConfig | None:
        return self._registered.get(fn_id) or config_of(fn_id)

    def configs(self) -> Sequence[FunctionConfig]:
        return self._registered.configs()

    def pause_of(self, fn_id: str, *, anew: bool = False) -> FunctionPause | None:
        return self._registered.pause_of(fn_id, anew=anew)
