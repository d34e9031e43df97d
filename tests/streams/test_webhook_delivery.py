"""What is published reaches every endpoint, in order by product, whoever is killed, dead, slow or flooded."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from streams.facts import Database, Message, Secret, Webhooks, tables
from streams.facts.sealing import Sealer
from streams.facts.webhooks import LEASE_MS
from streams.webhooks.dispatcher import Dispatcher, Sending
from streams.webhooks.schedule import Answer
from streams.webhooks.slots import Slots
from tests.streams.webhook_world import START_S, World, endpoint, kills, message

GOOD = (Answer(204), 0.1)
HOUR_S = 3600.0


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/facts.db" if sqlite else request.getfixturevalue("postgres_url")
    opened = Database(url)
    opened.create_tables()
    yield opened
    opened.drop_tables()
    opened.close()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    """Where a statement that waits for a lock fails in the end."""
    opened = Database(f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=-c%20lock_timeout%3D60s")
    opened.create_tables()
    yield opened
    opened.drop_tables()
    opened.close()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/facts.db")
    opened.create_tables()
    yield opened
    opened.close()


def said(world: World, name: str, *, successes: bool = True) -> list[str]:
    return [each for each, _, is_success in world.heard[name] if is_success or not successes]


def firsts(messages: list[str]) -> list[str]:
    return list(dict.fromkeys(messages))


def test_every_endpoint_hears_what_it_asked_for_once_and_in_order(database: Database) -> None:
    world = World(database, [endpoint("a"), endpoint("b")], lambda *_: GOOD)
    world.topic += [(message(number), ["a", "b"]) for number in range(8)]
    world.run(30)
    assert said(world, "a") == said(world, "b") == [f"msg_{number:04}" for number in range(8)]
    assert world.webhooks.counts("a") == {"delivered": 8}
    assert world.webhooks.backlog(0).count == 0


def test_a_message_that_is_noted_twice_is_sent_once(database: Database) -> None:
    world = World(database, [endpoint("a")], lambda *_: GOOD)
    world.topic += [(message(1), ["a"])] * 3
    world.run(5)
    assert said(world, "a") == ["msg_0001"]


def test_one_that_fails_holds_up_its_product_and_no_other(database: Database) -> None:
    def answers(_name: str, message: str, now_s: float) -> tuple[Answer, float]:
        return (Answer(500), 0.1) if message == "msg_0000" and now_s < 200 else GOOD

    world = World(database, [endpoint("a")], answers)
    world.topic += [(message(0, "A"), ["a"]), (message(1, "A"), ["a"]), (message(2, "B"), ["a"])]
    world.run(100)
    assert said(world, "a") == ["msg_0002"]
    world.run(400)
    assert said(world, "a") == ["msg_0002", "msg_0000", "msg_0001"]


def test_a_delivery_goes_by_the_schedule_and_ends_failed_and_the_next_one_has_its_turn(memory: Database) -> None:
    def answers(_name: str, message: str, _now_s: float) -> tuple[Answer, float]:
        return (Answer(None, "no answer"), 0.0) if message == "msg_0000" else GOOD

    world = World(memory, [endpoint("a")], answers)
    world.topic += [(message(0), ["a"]), (message(1), ["a"])]
    world.run(76 * HOUR_S)
    tries = [at_s for event, at_s, _ in world.heard["a"] if event == "msg_0000"]
    assert tries == [0, 5, 305, 2105, 9305, 27305, 63305, 113705, 185705, 272105]
    assert said(world, "a") == ["msg_0001"]
    failed = world.webhooks.deliveries("a", state="failed")
    assert [(each.message, len(each.log)) for each in failed] == [("msg_0000", 10)]


def test_410_disables_and_what_waits_stays_until_it_is_resumed(database: Database) -> None:
    gone = True

    def answers(*_: object) -> tuple[Answer, float]:
        return (Answer(410), 0.1) if gone else GOOD

    world = World(database, [endpoint("a")], answers)
    world.topic += [(message(0, "A"), ["a"]), (message(1, "A"), ["a"])]
    world.run(HOUR_S)
    [found] = world.webhooks.endpoints()
    assert (found.state, found.why, len(world.heard["a"])) == ("disabled", "it answered 410 Gone", 1)
    gone = False
    world.webhooks.set_state("a", "active", "")
    world.run(HOUR_S + 10)
    assert said(world, "a") == ["msg_0001"]


def test_what_a_paused_endpoint_misses_waits_for_it(database: Database) -> None:
    world = World(database, [endpoint("a")], lambda *_: GOOD)
    world.webhooks.set_state("a", "paused", "a move")
    world.topic += [(message(number), ["a"]) for number in range(3)]
    world.run(10)
    assert world.heard["a"] == []
    world.webhooks.set_state("a", "active", "")
    world.run(20)
    assert len(said(world, "a")) == 3


def test_a_dead_endpoint_is_left_alone_and_slows_no_other(memory: Database) -> None:
    def answers(name: str, _event: str, _now_s: float) -> tuple[Answer, float]:
        return GOOD if name == "well" else (Answer(None, "no answer"), 15.0)

    dead = [endpoint(f"dead-{number}", tenant=f"t{number % 2}") for number in range(20)]
    world = World(memory, [*dead, endpoint("well")], answers, slots=lambda: Slots(total=16, of_tenant=8, of_endpoint=2))
    for number in range(12):
        everybody = [each.endpoint for each in dead]
        world.topic.append((message(number, f"S{number}"), everybody))
    world.run(300)
    began = world.clock.now_s - START_S
    world.topic += [(message(100 + number, f"S{number}"), ["well"]) for number in range(50)]
    world.run(began + 60)
    assert len(said(world, "well")) == 50
    assert max(at_s for _, at_s, _ in world.heard["well"]) - began < 15  # less than one time-out of the others
    for each in dead:  # once in a while, not once for each delivery
        assert len(world.heard[each.endpoint]) <= 12


def test_a_tenants_flood_does_not_delay_another(memory: Database) -> None:
    slow = (Answer(204), 5.0)

    def answers(name: str, _event: str, _now_s: float) -> tuple[Answer, float]:
        return slow if name.startswith("flood") else GOOD

    flood = [endpoint(f"flood-{number}", tenant="flood") for number in range(30)]
    world = World(memory, [*flood, endpoint("small")], answers, slots=lambda: Slots(16, 8, 2))
    for number in range(20):
        world.topic.append((message(number, f"S{number}"), [each.endpoint for each in flood]))
    world.topic.append((message(500, "X"), ["small"]))
    world.run(3)
    assert said(world, "small") == ["msg_0500"]


def test_a_replay_sends_what_ended_once_more_with_its_id_and_its_log(database: Database) -> None:
    world = World(database, [endpoint("a")], lambda *_: GOOD)
    world.topic += [(message(number), ["a"]) for number in range(3)]
    world.run(10)
    now_ms = round(world.clock.now_s * 1000)
    assert [world.webhooks.note(message(number), ["a"], now_ms, anew=True) for number in (1, 2, 7)] == [1, 1, 1]
    assert world.webhooks.note(message(1), ["a"], now_ms, anew=True) == 0  # it waits already
    world.run(20)
    assert said(world, "a")[3:] == ["msg_0001", "msg_0002", "msg_0007"]
    logs = {each.message: len(each.log) for each in world.webhooks.deliveries("a")}
    assert logs == {"msg_0000": 1, "msg_0001": 2, "msg_0002": 2, "msg_0007": 1}


def test_who_is_removed_hears_nothing_more_and_an_answer_to_it_changes_nothing(database: Database) -> None:
    world = World(database, [endpoint("a")], lambda *_: (Answer(204), 5.0))
    world.topic += [(message(number, f"S{number}"), ["a"]) for number in range(9)]
    world.run(2)
    world.webhooks.remove("a")
    world.run(30)
    assert len(world.heard["a"]) == 4
    assert world.webhooks.endpoints() == []


def test_while_another_process_has_an_endpoint_it_is_not_served_twice(database: Database) -> None:
    world = World(database, [endpoint("a")], lambda *_: GOOD)
    world.webhooks.note(message(0), ["a"], round(world.clock.now_s * 1000))
    other = World(database, [], lambda *_: GOOD, clock=world.clock)
    assert len(world.dispatcher.begin()) == 1
    assert other.dispatcher.begin() == []
    world.clock.now_s += 61  # it was killed; its lease is over
    assert [each.delivery.message for each in other.dispatcher.begin()] == ["msg_0000"]


def test_processes_share_the_endpoints_and_none_waits_for_what_another_holds(postgres: Database) -> None:
    """The row of `a` is held by another's transaction: whoever waited for it would run into the time limit."""
    world = World(postgres, [endpoint("a"), endpoint("b")], lambda *_: GOOD)
    world.webhooks.note(message(0), ["a", "b"], round(world.clock.now_s * 1000))
    held = select(tables.webhook_endpoints).where(tables.webhook_endpoints.c.endpoint == "a").with_for_update()
    with postgres.transaction() as connection:
        connection.execute(held)
        assert [each.endpoint.endpoint for each in world.dispatcher.begin()] == ["b"]
    assert [each.endpoint.endpoint for each in world.dispatcher.begin()] == ["a"]


def test_processes_that_begin_at_the_same_time_begin_nothing_twice(postgres: Database) -> None:
    world = World(postgres, [endpoint(f"e{number}") for number in range(24)], lambda *_: GOOD)
    names = [each.endpoint for each in world.endpoints]
    world.webhooks.note(message(0), names, round(world.clock.now_s * 1000))
    together = threading.Barrier(4)

    def process(_: int) -> list[Sending]:
        dispatcher = Dispatcher(Webhooks(postgres, Sealer()), Slots(of_endpoint=1), world.clock)
        together.wait()
        return dispatcher.begin()

    with ThreadPoolExecutor(4) as pool:
        begun = [each for several in pool.map(process, range(4)) for each in several]
    begun += world.dispatcher.begin()  # what nobody took, each having skipped what the others held
    assert sorted(each.endpoint.endpoint for each in begun) == sorted(names)


def test_endpoints_without_room_do_not_stand_in_the_way_of_others(database: Database) -> None:
    """`a` is first in turn, and was away once; others of its requests are in flight when its pause is over."""
    world = World(database, [endpoint("a"), endpoint("b")], lambda *_: GOOD)
    slots, clock = Slots(), world.clock
    dispatcher = Dispatcher(world.webhooks, slots, clock, jitter=lambda: 0.0)
    for number in range(3):
        world.webhooks.note(message(number, f"S{number}"), ["a"], round(clock.now_s * 1000))
    first, *_ = dispatcher.begin()
    clock.sleep(1)
    world.webhooks.note(message(3), ["b"], round(clock.now_s * 1000))
    for each in (first, *dispatcher.begin()):
        dispatcher.end(each, Answer(None, "no answer") if each is first else Answer(204))
    clock.sleep(LEASE_MS / 1000)
    world.webhooks.note(message(4), ["b"], round(clock.now_s * 1000))
    taken = world.webhooks.take("another", round(clock.now_s * 1000), slots, most=1)
    assert [each.endpoint for each, _ in taken] == ["b"]


def test_two_secrets_sign_while_one_is_rotated_and_one_afterwards() -> None:
    both = endpoint("a", secrets=(Secret("whsec_bmV3"), Secret("whsec_b2xk", until_ms=1000)))
    assert both.valid_secrets(999) == ["whsec_bmV3", "whsec_b2xk"]
    assert both.valid_secrets(1000) == ["whsec_bmV3"]


def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(database: Database) -> None:
    webhooks = Webhooks(database, Sealer())
    world = World(database, [endpoint("a"), endpoint("b", state="paused")], lambda *_: GOOD)
    world.topic.append((message(0), ["a", "b"]))
    world.run(5)
    assert webhooks.forget(round(world.clock.now_s * 1000) + 1) == 1
    assert (webhooks.counts("a"), webhooks.counts("b")) == ({}, {"waiting": 1})


def course(seed: int, memory: Database, most_kills: int) -> World:
    """Twelve messages about three products to three endpoints that fail now and then; kills at steps of the seed."""
    rng = random.Random(seed)
    failure_shares = {name: rng.choice([0.0, 0.2, 0.6]) for name in "abc"}

    def answers(name: str, _event: str, now_s: float) -> tuple[Answer, float]:
        if now_s < 4000 and rng.random() < failure_shares[name]:
            return rng.choice([Answer(None), Answer(500), Answer(301), Answer(429, retry_after_s=9)]), rng.random() * 15
        return Answer(200), rng.random()

    world = World(memory, [endpoint(each) for each in "abc"], answers, kills(seed, most_kills, 150))
    world.topic += [(message(number, rng.choice("XYZ")), list("abc")) for number in range(12)]
    world.run(20_000)
    return world


@pytest.mark.parametrize("seed", range(40))
def test_killed_between_any_two_steps_nothing_is_lost_and_first_deliveries_are_in_order(
    seed: int, memory: Database
) -> None:
    world = course(seed, memory, most_kills=4)
    assert world.deaths > 0
    for name in "abc":
        first = firsts(said(world, name))
        assert sorted(first) == [f"msg_{number:04}" for number in range(12)], world.webhooks.deliveries(name)
        for sku in "XYZ":
            its = [event.message for event, _ in world.topic if event.sku == sku]
            assert [each for each in first if each in its] == its
        assert world.webhooks.counts(name) == {"delivered": 12}


def test_without_kills_nobody_is_called_twice(memory: Database) -> None:
    world = course(5, memory, most_kills=0)
    for name in "abc":
        assert len(said(world, name)) == 12


def test_each_single_step_may_be_the_last(memory: Database) -> None:
    """Kills at every step of a short course, one after the other."""
    steps = World(memory, [endpoint("count")], lambda *_: GOOD)
    steps.topic += [(message(number), ["count"]) for number in range(3)]
    steps.run(10)
    for at in range(1, steps.steps + 1):
        name = f"e{at}"
        world = World(memory, [endpoint(name)], lambda *_: GOOD, frozenset({at}))
        world.topic += [(_other(at, number), [name]) for number in range(3)]
        world.run(100)
        assert world.deaths == 1, at
        assert firsts(said(world, name)) == [_other(at, number).message for number in range(3)], at


def _other(at: int, number: int) -> Message:
    return Message(f"msg_{at}_{number}", "A", "asset.published", "{}")
