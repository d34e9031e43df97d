"""SIGKILL of the streams role between what people said, or what was released, and the facts: nothing is forgotten."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas import topics, uncertainty
from schemas.channels.rulebook import parse
from schemas.records import ChannelReleased, Event, OpinionGiven, PublishRequested, Task
from streams.consumer.letters import outgoing
from streams.facts import Database
from streams.services import cases, channels, local, weighing
from streams.services.cases import Decision, Wanted
from tests.e2e.dying_system import DyingSystem
from tests.streams.case_flow import UNSURE, made
from tests.streams.flow import upsert

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

WITHIN_S = 600.0
APPROVE, REJECT = Decision(outcome="approve"), Decision(outcome="reject", reason="the handle")
BEHIND = "behind Processing.run 1"  # the facts are kept, and the broker was not told how far that went
TASKS = tuple(topic.name for topic in topics.TASKS.values())


class Desk:
    """The streams role alone, and people, a PIM and workers who say what they have to say."""

    def __init__(self, folder: Path) -> None:
        self.system = DyingSystem(folder, roles=("streams",), broker="memory")

    def run(self) -> "Iterator[Desk]":
        """Runs it until the generator goes on."""
        with self.system, local.connect(self.system.settings) as (self.database, self.producer):
            yield self

    def say(self, *events: Event) -> None:
        self.producer.send([outgoing(event, "test", codec=self.producer.codec) for event in events])

    def until(self, holds: Callable[[], object]) -> None:
        give_up_at = time.monotonic() + WITHIN_S
        while not holds():
            assert time.monotonic() < give_up_at, self.system.log("streams")
            time.sleep(0.2)

    def dies(self, moment: str, said: Callable[[], object]) -> None:
        """The streams role is killed at a moment of hearing what is said, and started again."""
        self.system.die(moment)
        said()
        self.system.await_death("streams")

    def case(self, sku: str) -> str:
        """A product's cutout is in doubt, and all of its pictures wait for that."""
        self.say(upsert(sku=sku, photo=f"{sku}.jpg"))
        done: set[str] = set()

        def work() -> bool:
            for task in self._tasks(sku, done):
                self.say(made(task) if task.step.asset else made(task, **UNSURE))
                done.add(task.task_id)
            return len(done) > 2 and cases.every(self.database, Wanted(sku=sku))[:1] != []

        self.until(work)
        self.until(lambda: cases.every(self.database, Wanted(sku=sku))[0].waiting == len(done) - 1)
        return cases.every(self.database, Wanted(sku=sku))[0].case_id

    def decide(self, case_id: str, decision: Decision, by: str) -> None:
        cases.decide(self.database, self.producer, "demo", case_id, decision, by, twice_share=1.0)

    def opinions(self, case_id: str) -> dict[str, bool]:
        """What each person said of a case, as the facts have it."""
        with self.database.read() as facts:
            case = facts.cases.get(case_id)
            assert case is not None
            return {each.decided_by: each.approved for each in facts.opinions.standing(case)}

    def published(self, sku: str) -> Counter[str]:
        """How often each asset was asked to go live."""
        found = self.system.written(topics.PUBLISH.name)
        return Counter(each.asset for each in found if isinstance(each, PublishRequested) and each.sku == sku)

    def _tasks(self, sku: str, done: set[str]) -> list[Task]:
        found = [each for each in self.system.written(*TASKS) if isinstance(each, Task) and each.sku == sku]
        return list({each.task_id: each for each in found if each.task_id not in done}.values())


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    yield from Desk(tmp_path_factory.mktemp("desk")).run()


@pytest.mark.parametrize("moment", ["before Opinions.put 1", "behind Opinions.put 1", BEHIND])
def test_what_two_people_said_is_known_and_the_third_decides(moment: str, desk: Desk) -> None:
    sku = f"{moment[:6].upper()}-{moment[7:11].upper()}"
    case_id = desk.case(sku)
    desk.dies(moment, lambda: desk.decide(case_id, APPROVE, "ada"))
    desk.until(lambda: desk.opinions(case_id) == {"ada": True})
    assert desk.published(sku) == {}
    desk.dies(moment, lambda: desk.decide(case_id, REJECT, "bob"))
    desk.until(lambda: desk.opinions(case_id) == {"ada": True, "bob": False})
    assert desk.published(sku) == {}
    desk.dies(BEHIND, lambda: desk.decide(case_id, APPROVE, "cleo"))
    desk.until(lambda: cases.get(desk.database, "demo", case_id).summary.state == "approved")
    desk.until(lambda: desk.published(sku) and set(desk.published(sku).values()) == {1})
    given = [each for each in desk.system.written(topics.DECISIONS.name) if isinstance(each, OpinionGiven)]
    assert [each.decided_by for each in given if each.case == case_id] == ["ada", "bob"]


@pytest.mark.parametrize("moment", ["before Recipes.put 1", "behind Recipes.put 1", BEHIND])
def test_weights_that_were_released_count(moment: str, desk: Desk) -> None:
    with desk.database.read() as facts:
        counting = facts.recipes.cookbook().rules.load("amazon")
        known = [each for each in facts.recipes.releases() if isinstance(each, ChannelReleased)]
    text = known[-1].text if known else channels._shipped("amazon")
    weights = replace(uncertainty.SHIPPED, bias=-6.0 - len(known))
    written = weighing._with_weights(text, counting.version, weights)
    event = ChannelReleased(channel="amazon", version=parse(written).number, text=written, released_at_ms=1)
    desk.dies(moment, lambda: desk.say(event))
    desk.until(lambda: at_work(desk.database) == weights)


def at_work(database: Database) -> uncertainty.Weights | None:
    """The weights by which amazon's pictures are judged."""
    with database.read() as facts:
        return facts.recipes.cookbook().rules.load("amazon").uncertainty_weights
