"""engine.operator_ports.DeadLetters and Keys, on both emulators."""

from __future__ import annotations

import pytest

from chalicelib.core.signing import KeySet
from chalicelib.engine.operator_ports import Letter, SourceQueue
from chalicelib.engine.ports import QueueName
from tests.contract.conftest import World

SOURCES: tuple[SourceQueue, ...] = (QueueName.EVENTS, QueueName.WORK)

NEW, OLD = "a-new-event-key-0001", "an-old-event-key-0002"
SIGNING = "signkey-x-" + "0f" * 32


@pytest.fixture(autouse=True)
def _empty_queues(world: World) -> None:
    config = world.config
    for url in (config.queue_events_url, config.queue_work_url, config.dead_events_url, config.dead_work_url):
        world.receive(url)


def take(world: World, queue: SourceQueue, *, hidden_s: int = 30) -> list[Letter]:
    found: list[Letter] = []
    while some := world.room.dead_letters.receive(queue, 10, hidden_s=hidden_s, wait_s=0):
        found += some
    return found


@pytest.mark.parametrize("queue", SOURCES)
def test_a_letter_is_as_it_was_put(world: World, queue: SourceQueue) -> None:
    attributes = {"reason": "ü 🙂 'quoted'\nand more", "receives": "10"}
    world.room.dead_letters.put(queue, '{"a": 1}', attributes)

    (letter,) = take(world, queue)
    assert (letter.queue, letter.body, dict(letter.attributes)) == (queue, '{"a": 1}', attributes)
    assert letter.sent_at_ms > 0
    assert letter.payload_key is None


def test_a_letter_in_hand_is_hidden_until_it_is_shown_again(world: World) -> None:
    dead = world.room.dead_letters
    for number in range(13):
        dead.put(QueueName.WORK, f"{number}", {"reason": "x"})

    held = take(world, QueueName.WORK)
    assert len(held) == 13
    assert take(world, QueueName.WORK) == []
    dead.show_again(held)
    assert {letter.id for letter in take(world, QueueName.WORK)} == {letter.id for letter in held}


def test_letters_go_back_to_the_queues_they_came_from_as_they_were(world: World) -> None:
    dead, config = world.room.dead_letters, world.config
    bodies = {
        QueueName.EVENTS: [f"e{n}" + "x" * 100_000 for n in range(12)],
        QueueName.WORK: [f"w{n}" for n in range(11)],
    }
    for queue in SOURCES:
        for body in bodies[queue]:
            dead.put(queue, body, {"reason": "x"})
    held = take(world, QueueName.EVENTS) + take(world, QueueName.WORK)

    assert len(dead.send_back(held)) == 23
    dead.delete(held)

    assert sorted(world.receive(config.queue_events_url)) == sorted(bodies[QueueName.EVENTS])
    assert sorted(world.receive(config.queue_work_url)) == sorted(bodies[QueueName.WORK])
    assert world.receive(config.dead_events_url) + world.receive(config.dead_work_url) == []


def test_keys_are_read_in_one_call_and_a_missing_parameter_holds_none(world: World) -> None:
    path, ssm = world.config.keys_path, world.client("ssm")
    ssm.put_parameter(Name=f"{path}/event-keys", Value=f"{NEW}\n{OLD}\nnone\n", Type="SecureString", Overwrite=True)

    assert world.room.keys.read() == KeySet((NEW, OLD), (), ignored=1)
    ssm.put_parameter(Name=f"{path}/signing-keys", Value=SIGNING, Type="SecureString", Overwrite=True)
    try:
        assert world.room.keys.read() == KeySet((NEW, OLD), (SIGNING,), ignored=1)
    finally:
        ssm.delete_parameters(Names=[f"{path}/event-keys", f"{path}/signing-keys"])
