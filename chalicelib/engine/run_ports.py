"""What the engine needs of the runs table. Each write says what makes it safe to repeat; all of them raise
InfrastructureError when AWS does not answer as it should."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chalicelib.core.events import Event
from chalicelib.core.pauses import Pause
from chalicelib.core.records import Effect, EventTimes, Resumed
from chalicelib.core.runs import Ending, LeaseResult, Owner, Run, RunHead, RunSeed
from chalicelib.core.steps import StepLease, StepOutcome, StepPlan, StepRecord


class Runs(Protocol):
    """The runs table: head, trigger event and steps of a run in one partition."""

    def create(
        self,
        seed: RunSeed,
        event: Event,
        pauses: Sequence[Pause],
        times: EventTimes | None = None,
        *,
        gated: bool = False,
        rest: Sequence[Event] = (),
    ) -> RunHead:
        """Put head and cancellation pauses, if absent, in one transaction; the head that is stored afterwards, with
        the very seed handed in if it was put. `times` are kept with the run's copy of its event. `gated`: its lease
        alone does not make it begun, `begin` does. `rest`: the other events of a batch."""
        ...

    def event_times(self, run_id: str) -> EventTimes | None:
        """When the stages of the run's trigger event were done, if that was kept."""
        ...

    def load(self, run_id: str) -> Run | None:
        """The whole run. Consistent item by item, but not a snapshot."""
        ...

    def head(self, run_id: str) -> RunHead | None:
        """The head alone. Consistent."""
        ...

    def heads(self, run_ids: Sequence[str]) -> list[RunHead]:
        """Many heads, in the order given; the missing are left out."""
        ...

    def trigger_event(self, run_id: str) -> Event | None:
        """The run's copy of the event that started it."""
        ...

    def trigger_events(self, run_id: str) -> tuple[Event, ...]:
        """The run's copies of all events that started it; none when there is no such run."""
        ...

    def take_lease(
        self, run_id: str, owner: Owner, *, until_ms: int, now_ms: int
    ) -> tuple[LeaseResult, RunHead | None]:
        """Take the run's lease, if it is free or has run out, and mark the run as begun, unless a throttle lets it
        begin later, or it should have begun before."""
        ...

    def begin(self, run_id: str, owner: Owner, now_ms: int) -> RunHead:
        """Mark a gated run as begun, if the lease is ours; the head. One that has ended stays as it is. Raises
        LeaseLost."""
        ...

    def park(self, run_id: str, owner: Owner, *, version: int, wake_at_ms: int, gate: bool = False) -> RunHead | None:
        """Give the lease back of a turn that did nothing yet: as `release`, but this start does not count. With `gate`
        the run has not begun by it, and is gated from now on."""
        ...

    def checkpoint(self, run_id: str, owner: Owner, steps: int) -> RunHead | None:
        """Tell the turn that holds the lease, live or not, that so many steps are about to be recorded for it; the
        head. None when the lease is another's or nobody's, or the run has ended. Raises NotFound."""
        ...

    def renew_lease(self, run_id: str, owner: Owner, *, until_ms: int, now_ms: int) -> bool:
        """Hold the lease for longer; False when it is not ours, has run out, or the run has ended."""
        ...

    def mark_progress(self, run_id: str, owner: Owner, mark: int) -> None:
        """Something was recorded since the last start that died: count starts anew."""
        ...

    def poke(self, run_id: str, now_ms: int) -> bool:
        """Tell the holder of a live lease that there is news; False when no lease is live."""
        ...

    def release(
        self, run_id: str, owner: Owner, *, version: int | None, wake_at_ms: int | None, is_timed: bool = False
    ) -> RunHead | None:
        """Give the lease back if it is ours and, unless `version` is None, the version is that. None when it was
        given back; else the head as it stands. `is_timed`: the message of its timeout was sent. Raises LeaseLost."""
        ...

    def put_step(self, run_id: str, step: StepRecord) -> StepRecord:
        """Record a step's end, if it has not ended and does not wait; what is recorded afterwards: the very record
        handed in, or the first one. One write unit."""
        ...

    def put_retry(self, run_id: str, step: StepRecord) -> bool:
        """Record a failed attempt (and drop the step's lease), if fewer are recorded and the step has not ended;
        whether it was recorded."""
        ...

    def get_step(self, run_id: str, step_id: str) -> StepRecord | None:
        """One step. Consistent."""
        ...

    def ended_plans(self, steps: Sequence[tuple[str, str]]) -> dict[tuple[str, str], StepPlan]:
        """Of these steps (run id and step id) those that have ended, with their plans. One that is not to be seen may
        be about to come: a batch of reads is no snapshot. Consistent item by item."""
        ...

    def register(self, run_id: str, owner: Owner, step: StepRecord, pauses: Sequence[Pause], now_ms: int) -> StepRecord:
        """Record a step as waiting or planned, with its pauses, if absent, while the lease is ours and the run has
        not ended; what is recorded afterwards: the very record handed in, or the first one. Raises LeaseLost."""
        ...

    def complete(self, run_id: str, step_id: str, outcome: StepOutcome, plan: StepPlan | None = None) -> StepRecord:
        """End a waiting step from outside; what is recorded afterwards, with the very outcome handed in if this call
        ended it. With `plan`, an absent step is ended, too."""
        ...

    def look_on(self, run_id: str, step_id: str, *, was: str, now: str | None) -> StepRecord:
        """A waiting step has looked back from one position to another, or with None to the end; what is recorded
        afterwards."""
        ...

    def put_place(self, run_id: str, step_id: str, place: int) -> int:
        """In which place the function is told of the step's end, put if absent; the place that is stored."""
        ...

    def lease_step(
        self, run_id: str, step_id: str, owner: Owner, plan: StepPlan, *, until_ms: int, now_ms: int
    ) -> StepLease:
        """Take a planned step's lease; the step is created as planned if it is absent."""
        ...

    def drop_step_lease(self, run_id: str, step_id: str, owner: Owner) -> None:
        """Give a planned step's lease back, if it is ours."""
        ...

    def park_step(self, run_id: str, step_id: str, owner: Owner, version: int) -> int | None:
        """Give a planned step's lease back that was not run yet, if it is ours and the version is that: None; or else
        the version that it has. This start does not count."""
        ...

    def poke_step(self, run_id: str, step_id: str, now_ms: int) -> bool:
        """Tell the holder of a planned step's live lease that there is news; False when no lease is live."""
        ...

    def resume(self, effect: Effect, outcome: StepOutcome) -> Resumed:
        """End a waiting step by an event, with its marker, in one transaction."""
        ...

    def end(self, run_id: str, ending: Ending, *, owner: Owner | None, unbegun: bool = False) -> RunHead | None:
        """End the run if it has not ended (and, with `owner`, the lease is ours; if `unbegun`, it has not begun); the
        head as it stands, with the very ending handed in if this call ended it. None when there is no such run. Raises
        LeaseLost."""
        ...

    def cancel_by(self, effect: Effect, ending: Ending) -> RunHead | None:
        """End the run by an event, with its marker, in one transaction; the head as it stands."""
        ...

    def mark_settled(self, run_id: str, expires_at_s: int) -> bool:
        """What follows from the end is done; the run is open no more. False when that was known."""
        ...

    def mark_stalled(self, run_id: str, reason: str) -> None:
        """Its message went to the dead letters."""
        ...

    def mark_poked(self, run_id: str, now_ms: int) -> None:
        """It was found forgotten and sent a turn."""
        ...

    def extend_expiry(self, run_id: str, expires_at_s: int) -> None:
        """Keep every item of the run at least until then."""
        ...

    def open_page(self, shard: int, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Runs that are not settled, of one shard, and where to go on."""
        ...

    def put_replay(self, original_run_id: str, run_id: str) -> None:
        """A run is about to be made that replays another one. Repeating it changes nothing."""
        ...

    def replays(self, original_run_id: str, limit: int) -> list[str]:
        """The runs that were to replay this one, newest first: of the latest some may have come to nothing.
        Consistent."""
        ...

    def page(self, fn_id: str, *, before: str, limit: int) -> list[str]:
        """Positions (`time#run id`) of a function's runs before a position, newest first."""
        ...
