"""Functions and the apps that they belong to. All of it raises InfrastructureError when AWS does not answer as it
should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from chalicelib.core.apps import App
from chalicelib.core.function_pauses import FunctionPause, Paused, Registered
from chalicelib.core.functions import FunctionConfig


class Catalog(Protocol):
    """The functions there are: those of this deployment, and those of synced apps."""

    @property
    def deployed(self) -> frozenset[str]:
        """The ids of this deployment's own."""
        ...

    def catch_up(self, accepted_at_ms: int) -> None:
        """Whatever was synced before an event that was accepted then, by the clock of whoever accepted it, is known
        from now on."""
        ...

    def get(self, fn_id: str) -> FunctionConfig | None:
        """Also one that is retired. What was synced a few seconds ago may not be known yet, unless nothing else is
        known of it."""
        ...

    def configs(self) -> Sequence[FunctionConfig]:
        """All that start something. What was synced a few seconds ago may not be known yet."""
        ...

    def pause_of(self, fn_id: str, *, anew: bool = False) -> FunctionPause | None:
        """Whether the function is paused, and how. What was changed a few seconds ago may not be known yet, unless it
        is read `anew`."""
        ...


class AppCaller(Protocol):
    """Asks an app for its functions."""

    def put(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Signs and sends the request, following no redirect; status, headers with names in lower case, and body.

        Raises NotSynced when there is no answer, or none that may be trusted.
        """
        ...


class Apps(Protocol):
    """The functions table: synced apps, and a version that counts every change of any of them."""

    def version(self) -> int:
        """Consistent; one small read. 0 before the first sync."""
        ...

    def registered(self) -> Registered:
        """The version, and what is paused. Consistent; one small read."""
        ...

    def set_paused(self, paused: Paused, *, seen: int) -> bool:
        """Which functions are paused from now on, if nobody has changed that since it was counted so; whether it was
        written. A False may be our own success whose answer was lost: decide anew on what is there."""
        ...

    def all(self) -> list[App]:
        """Consistent app by app; at least as new as a version that was read before. Removed ones, too."""
        ...

    def put(self, app: App, *, seen: int, nonce: str) -> bool:
        """Store the whole app and raise the version, both or neither, if the version is still the one seen; whether
        it was. `nonce` tells our own success whose answer was lost."""
        ...
