"""Runs and steps as items. What conditions look at is an attribute of its own; the rest is JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import TypeAdapter

from chalicelib.aws import keys
from chalicelib.aws.marshalling import Item
from chalicelib.aws.payloads import Payloads
from chalicelib.core.bulk import Standing
from chalicelib.core.errors import Unreadable
from chalicelib.core.events import Event
from chalicelib.core.runs import Ending, Owner, RunHead, RunSeed, RunStatus
from chalicelib.core.steps import StepOutcome, StepPlan, StepRecord, StepStatus


def dump(model: Any, **options: Any) -> str:
    """Compact JSON without what is default: items are paid for by the kilobyte."""
    text: str = model.model_dump_json(exclude_defaults=True, **options)
    return text


def dump_all(events: Sequence[Event]) -> str:
    """Events as one JSON array."""
    return f"[{','.join(dump(event) for event in events)}]"


def read_events(text: str) -> tuple[Event, ...]:
    """What `dump_all` gave."""
    return _events.validate_json(text)


_logger = logging.getLogger("stepwell")
_events: TypeAdapter[tuple[Event, ...]] = TypeAdapter(tuple[Event, ...])


def head_item(seed: RunSeed, expires_at_s: int, *, gated: bool = False) -> Item:
    """The head of a new run."""
    return {
        **({"gated": True} if gated else {}),
        **({} if seed.not_before_ms is None else {"nb": seed.not_before_ms}),
        **({} if seed.start_by_ms is None else {"sb": seed.start_by_ms}),
        "seed": dump(seed, exclude={"run_id"}),
        "ver": 0,
        "expires_at": expires_at_s,
        "list_pk": keys.run_list(seed.fn_id, keys.run_list_shard(seed.run_id)),
        "list_sk": keys.run_position(seed.created_at_ms, seed.run_id),
        "open_pk": keys.open_runs(keys.open_shard(seed.run_id)),
        "open_sk": seed.run_id,
    }


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raises Unreadable for what has another form than this release knows."""
    try:
        yield
    except (KeyError, ValueError) as error:
        raise Unreadable(f"{what} cannot be read by this release: {error}") from error


def left_out(error: Unreadable) -> None:
    """Tell that one of many things is passed over."""
    _logger.error("left out, since it cannot be read", extra={"error": str(error)})


def read_head(item: Item, payloads: Payloads) -> RunHead:
    """Raises Unreadable."""
    with reading(f"run {item['pk']}"):
        return _read_head(item, payloads)


def _read_head(item: Item, payloads: Payloads) -> RunHead:
    seed = RunSeed.model_validate({**json.loads(item["seed"]), "run_id": item["pk"]})
    ending = payloads.read(item, "ending")
    owner = Owner(message_id=item["lo"], nonce=item["ln"]) if "lo" in item else None
    return RunHead(
        seed=seed,
        version=item.get("ver", 0),
        # Whoever takes a lease writes that the run has begun; of a gated one that is not so yet.
        begun_at_ms=None if "gated" in item else item.get("begun"),
        gated="gated" in item,
        owner=owner,
        lease_until_ms=item.get("lu", 0),
        starts=item.get("starts", 0),
        progress_mark=item.get("mark", 0),
        checkpointed=item.get("cps", 0),
        news_at_ms=item.get("news", 0),
        wake_at_ms=item.get("wake"),
        is_timed="timed" in item,
        stalled=item.get("stalled"),
        poked_at_ms=item.get("poked", 0),
        settled=item.get("settled", False),
        ending=None if ending is None else Ending.model_validate_json(ending),
        expires_at_s=item.get("expires_at", 0),
    )


STANDING = "pk, st, settled, ending"


def read_standing(item: Item) -> Standing:
    """From these attributes of a head. An ending that lies elsewhere is large, as that of a cancelled run never is."""
    ending = item.get("ending") if item.get("st") == RunStatus.CANCELLED.value else None
    cause = None if ending is None else Ending.model_validate_json(ending).cause
    return Standing(
        run_id=item["pk"],
        is_open="st" not in item,
        is_settled=item.get("settled", False),
        cancelled_by=None if cause is None else cause.id,
        status=RunStatus(item["st"]) if "st" in item else None,
    )


def step_item(step: StepRecord, payloads: Payloads, expires_at_s: int) -> Item:
    """A step without a lease."""
    item: Item = {
        "st": step.status.value,
        "n": len(step.plan.attempts),
        "expires_at": max(expires_at_s, step.expires_at_s),
        **payloads.fields("pl", dump(step.plan)),
    }
    if step.wake_at_ms is not None:
        item["wake"] = step.wake_at_ms
    if step.look_before is not None:
        item["look"] = step.look_before
    if step.place is not None:
        item["place"] = step.place
    if step.outcome is not None:
        item |= payloads.fields("res", dump(step.outcome))
    return item


def read_step(item: Item, payloads: Payloads) -> StepRecord:
    """Raises Unreadable."""
    with reading(f"step {keys.step_id(item['sk'])} of run {item['pk']}"):
        return _read_step(item, payloads)


def _read_step(item: Item, payloads: Payloads) -> StepRecord:
    plan, outcome = payloads.read(item, "pl"), payloads.read(item, "res")
    assert plan is not None
    return StepRecord(
        id=keys.step_id(item["sk"]),
        status=StepStatus(item["st"]),
        plan=StepPlan.model_validate_json(plan),
        wake_at_ms=item.get("wake"),
        look_before=item.get("look"),
        outcome=None if outcome is None else StepOutcome.model_validate_json(outcome),
        starts=item.get("starts", 0),
        lease_until_ms=item.get("lu"),
        place=item.get("place"),
        expires_at_s=item.get("expires_at", 0),
    )
