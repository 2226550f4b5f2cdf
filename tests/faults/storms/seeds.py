"""A seed: which scenarios are played in one world, what goes wrong, and what was found at the end."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from tests.faults import observe
from tests.faults.emulator import Emulator
from tests.faults.scenarios import SCENARIOS, SETTINGS, Scenario, enter
from tests.faults.storms import invariants
from tests.faults.storms.monitor import Errors
from tests.faults.storms.seen import Pictures, Seen
from tests.faults.storms.transport import StormWorld
from tests.faults.storms.weather import CALM, Fault, Weather, gentle, rough

# Their scripts or functions count on being alone in their world.
_ALONE = frozenset(
    {
        "cancel by api",
        "replayed",
        "many replayed",
        "begun by an app",
        "left by an app",
        "apps synced",
        "collected",
        "cancelled in bulk",
        "cancel between steps",
        "cancel overtakes",
        # It starts a run each hour, for as long as something else in its world goes on.
        "cron",
        "concurrency",
        "concurrency of steps side by side",
        "two limits",
    }
)
# Which of two events is first decides how they end, and nobody says which is: clocks differ; or which of two that came
# before is looked back at, as one may be held back.
_RACES = frozenset(
    {
        "timeout, start",
        "throttle, cancelled",
        "look back",
        "look back, then wait",
        "look back side by side",
        "look back in small parts",
        "first of several, before",
        "cancel between steps",
    }
)
_MIXABLE = [name for name in SCENARIOS if name not in _ALONE]


@dataclass(frozen=True)
class Seed:
    """What is played. One scenario, disturbed gently, ends as if undisturbed; of others what always holds must hold."""

    number: int
    scenarios: tuple[str, ...]
    is_rough: bool

    @property
    def replay(self) -> str:
        """The command that plays it again."""
        names = " ".join(f"--scenario '{name}'" for name in self.scenarios)
        return f'make soak ARGS="--seed {self.number} {names}{" --rough" if self.is_rough else ""}"'

    def weather(self) -> Weather:
        """What goes wrong."""
        return (rough if self.is_rough else gentle)(self.random("weather"))

    def random(self, purpose: str) -> Random:
        """Chance of its own for each purpose, the same each time."""
        return Random(f"{self.number} {purpose}")


def drawn(number: int) -> Seed:
    """The seed of a number: half of them are a scenario by itself, disturbed gently."""
    rng = Random(f"{number} what")
    if rng.random() < 0.5:
        return Seed(number, (rng.choice(list(SCENARIOS)),), is_rough=False)
    if rng.random() < 0.3:
        return Seed(number, (rng.choice(list(SCENARIOS)),), is_rough=True)
    return Seed(number, tuple(rng.sample(_MIXABLE, rng.randint(2, 3))), is_rough=True)


@dataclass
class Found:
    """What came of a seed."""

    seed: Seed
    problems: list[str] = field(default_factory=list)
    faults: Counter[Fault] = field(default_factory=Counter)
    history: list[str] = field(default_factory=list)


class Baselines:
    """How scenarios end in calm weather, each played once."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._known: dict[str, Pictures] = {}

    def of(self, name: str) -> Pictures:
        if name not in self._known:
            world = _play(self._emulator, Seed(0, (name,), is_rough=False), CALM)
            self._known[name] = world.pictures
        return self._known[name]


def try_seed(emulator: Emulator, baselines: Baselines, seed: Seed) -> Found:
    """Play it, and look whether everything is as it must be."""
    is_compared = not seed.is_rough and len(seed.scenarios) == 1 and seed.scenarios[0] not in _RACES
    wanted = baselines.of(seed.scenarios[0]) if is_compared else None
    found = Found(seed)
    with _errors_seen() as errors:

        def made(world: StormWorld) -> None:
            errors.is_disturbed = lambda: any(frame.disturbed for frame in world.frames[-1:])
            found.faults, found.history = world.history.faults, world.history.lines

        try:
            world = _play(emulator, seed, seed.weather(), made)
            seen = Seen.of(world, [SCENARIOS[name] for name in seed.scenarios], errors, wanted)
            found.problems = invariants.broken(seen)
        except Exception:
            found.problems = [traceback.format_exc(limit=-8)]
    return found


def _play(
    emulator: Emulator, seed: Seed, weather: Weather, made: Callable[[StormWorld], None] = lambda _: None
) -> StormWorld:
    scenarios = [SCENARIOS[name] for name in seed.scenarios]
    waiting, order = scenarios[1:], seed.random("order")

    def begin_next(world: StormWorld) -> None:
        if waiting and order.random() < 0.4:
            play_next(world)

    def play_next(world: StormWorld) -> None:
        scenario = waiting.pop(0)
        world.tell(f"script: {scenario.name}")
        scenario.script(world)

    world = StormWorld(
        emulator,
        _functions(scenarios),
        weather=weather,
        rng=seed.random("storm"),
        begin_next=begin_next,
        remaining_ms=min(scenario.remaining_ms for scenario in scenarios),
        settings={**SETTINGS, "PARTIAL_BATCHES": str(seed.random("batches").randint(0, 1))},
        app=[function for scenario in scenarios for function in scenario.app],
    )
    made(world)
    enter(world)
    world.tell(f"script: {scenarios[0].name}")
    scenarios[0].script(world)
    while waiting:
        play_next(world)
    is_pictured = len(scenarios) == 1 and not seed.is_rough
    if is_pictured:
        world.settle()
        world.pictures.append(observe.picture(world, scenarios[0].inert))
    world.come_to_rest()
    if is_pictured:
        world.pictures.append(observe.picture(world, scenarios[0].inert))
    return world


def _functions(scenarios: Sequence[Scenario]) -> list[object]:
    found = {function.fn_id: function for scenario in scenarios for function in scenario.functions}
    return list(found.values())


@contextmanager
def _errors_seen() -> Iterator[Errors]:
    """What the platform logs as an error is looked at, and not shown."""
    logger, handler = logging.getLogger("stepwell"), Errors()
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
