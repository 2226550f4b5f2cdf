"""Apps on an SDK are synced, shown and removed. A sync is one conditional write of the whole app: whatever dies in
between, the old app or the new one is there, and of two at once the later one wins whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.core import apps as rules
from chalicelib.core.apps import App
from chalicelib.core.errors import NotFound, TransactionConflict, UserError
from chalicelib.engine.app_ports import Apps
from chalicelib.engine.services import Services, logger

_TRIES = 10


class WrongServerKind(UserError):
    """The sync was meant for the other kind of server."""


@dataclass(frozen=True)
class Synced:
    """The app as it is now, and whether this sync changed it."""

    app: App
    modified: bool


def check_kind(ours: str, expected: str | None) -> None:
    """`expected`: what the app was asked to sync by, if it says. Raises WrongServerKind."""
    if expected is None or expected.strip().lower() in ("", ours):
        return
    kinds = {"cloud": "a deployed Stepwell", "dev": "a Stepwell in development (make dev)"}
    here, there = kinds[ours], kinds.get(expected.strip().lower(), f"a server of the kind {expected[:40]!r}")
    raise WrongServerKind(
        f"the app expects {there}, and this is {here}: check INNGEST_DEV and INNGEST_BASE_URL where the app runs"
    )


def register(s: Services, apps: Apps, incoming: App) -> Synced:
    """Store the app, unless it is stored so already. Raises InvalidApp when a function's id is another's."""
    deployed = s.catalog.deployed
    synced = _change(s, apps, lambda known: rules.merge(known, deployed, incoming, s.clock.now_ms()))
    app = synced.app
    if synced.modified:
        logger.info("app synced", extra={"app": app.id, "functions": len(app.functions), "url": app.url})
        for text in app.warnings:
            logger.warning("app is configured with what does not hold", extra={"app": app.id, "warning": text})
    return synced


def remove(s: Services, apps: Apps, app_id: str) -> App:
    """Its functions start nothing any more, and their runs go on. Raises NotFound."""

    def removed(known: dict[str, App]) -> App:
        app = known.get(app_id)
        if app is None or app.removed_at_ms is not None:
            raise _no_app(app_id)
        return rules.remove(app, s.clock.now_ms())

    gone = _change(s, apps, removed).app
    logger.info("app removed", extra={"app": app_id})
    return gone


def show_all(apps: Apps) -> list[App]:
    """By their ids."""
    return sorted((app for app in apps.all() if app.removed_at_ms is None), key=lambda app: app.id)


def show(apps: Apps, app_id: str) -> App:
    """Raises NotFound."""
    app = _known(apps).get(app_id)
    if app is None or app.removed_at_ms is not None:
        raise _no_app(app_id)
    return app


def _no_app(app_id: str) -> NotFound:
    return NotFound(f"there is no app {app_id!r}")


def _known(apps: Apps) -> dict[str, App]:
    return {app.id: app for app in apps.all()}


def _change(s: Services, apps: Apps, decide: Callable[[dict[str, App]], App]) -> Synced:
    """Write what is decided on what is there; when something else was written meanwhile, decide anew."""
    nonce = s.chance.entropy().hex()
    for _ in range(_TRIES):
        # The version first: what is decided on is at least as new, and the write holds only if nothing is newer.
        seen = apps.version()
        known = _known(apps) if seen else {}
        wanted = decide(known)
        modified = wanted is not known.get(wanted.id)
        if not modified or apps.put(wanted, seen=seen, nonce=nonce):
            return Synced(wanted, modified)
    raise TransactionConflict("other apps were synced all the while; sync again")
