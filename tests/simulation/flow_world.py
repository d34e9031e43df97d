"""The streams role at the mercy of a seed: two processes on real facts, killed or stopped wherever it hurts.

Processing, the processors, the relay and the facts (on SQLite in memory) are the real ones; topics, workers, retrier
and publisher are models that keep to their contracts. A process may die before the facts are kept, behind that and
before anything is sent, between two records, behind the last and before its rows are taken away or its offset is
committed; or it stands still there, others take over, and it goes on. Campaigns come with their versions out of order,
recipes are released and replays asked for, a product a step, and some records are poison.
"""

import hashlib
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from schemas import codec, topics
from schemas.codec import HASHED
from schemas.records import (
    AssetRetracted,
    AssetWithheld,
    CampaignCancelled,
    CampaignRequested,
    CatalogChanged,
    Event,
    PublicationFailed,
    PublishRequested,
    RecipeReleased,
    RetractRequested,
    Source,
    Task,
    TaskCompleted,
    TaskFailed,
)
from streams.consumer.groups import CONSUMED
from streams.consumer.letters import Delivery, Outgoing, outgoing, returned
from streams.facts import Database, ProductState
from streams.facts.database import ProductStates
from streams.facts.states import SETTLED
from streams.services.operating import replanning as command
from tests.simulation import flow_people
from tests.simulation.broker import Violation
from tests.simulation.member import Killed, Member
from tests.streams.flow import done, published

Place = tuple[str, int]
PARTITIONS = 2
PROCESSES = 2
SKUS = ("A", "B", "C")
RETRY = topics.retry(1000).name
TASKS = tuple(topic.name for topic in topics.TASKS.values())
STREAMS = tuple(topic.name for topic in CONSUMED)
FATES = ("before_commit", "after_commit", "in_between", "after_send", "after_offset", "stopped")
ROUNDS_MAX = 900
RECIPE = """\
name: marketplace
version: {version}
steps:
  - operation: cutout
    next:
      - {{operation: packshot, each: channel, parameters: {{padding: {padding}}}}}
"""


class FlowWorld:
    """Everything there is. `rng` decides what the steps leave open."""

    codec = HASHED

    def __init__(self, rng: Random, database: Database) -> None:
        self.rng = rng
        self.database = database
        self.log: dict[Place, list[Delivery]] = {}
        self.read_up_to: dict[Place, int] = {}
        self.owner: dict[Place, int] = {}
        self.members = [Member(self, index) for index in range(PROCESSES)]
        self.live: dict[tuple[str, str], PublishRequested] = {}
        self.versions = dict.fromkeys(SKUS, 0)
        self.words: list[CampaignRequested | CampaignCancelled] = []
        self.unsaid: list[CampaignRequested | CampaignCancelled] = []
        self.releases = 0
        self.poison = 0
        self.is_calm = False
        self.now_ms = 1000
        self.overtaken = ""  # not raised where it is found: the relay would take it for an error of the broker
        self._seen: set[int] = set()
        self._newest_sent: dict[tuple[str, bytes | None], int] = {}
        self._states = ProductStates(database)

    # topics

    def append(self, record: Outgoing, row: int = 0) -> None:
        """Writes a record; `row` is its place in the outbox. Records of a key are seen in order for the first time."""
        if row and row not in self._seen:
            self._seen.add(row)
            key = record.topic, record.key
            if row < self._newest_sent.get(key, 0) and record.topic == topics.PUBLISH.name:
                self.overtaken = f"{record.topic} {record.key!r}: row {row} by {self._newest_sent[key]}"
            self._newest_sent[key] = max(row, self._newest_sent.get(key, 0))
        place = record.topic, sum(record.key or b"") % PARTITIONS
        partition = self.log.setdefault(place, [])
        self.now_ms += 1
        read = Delivery(*place, len(partition), record.key, record.value, list(record.headers), self.now_ms)
        partition.append(read)

    def say(self, event: Event) -> None:
        self.append(outgoing(event, "simulation"))

    def on(self, *names: str) -> Iterator[Delivery]:
        return (record for place, records in self.log.items() if place[0] in names for record in records)

    def _waiting(self, names: Sequence[str]) -> list[Place]:
        return [p for p, its in self.log.items() if p[0] in names and self.read_up_to.get(p, 0) < len(its)]

    def _next(self, *names: str) -> Delivery | None:
        places = self._waiting(names)
        if not places:
            return None
        place = self.rng.choice(places)
        offset = self.read_up_to.get(place, 0)
        if self.is_calm or self.rng.random() < 0.9:
            self.read_up_to[place] = offset + 1
        return self.log[place][offset]

    # what may happen

    def upsert(self) -> None:
        """A product changes, or goes; now and then the event is poison."""
        sku = self.rng.choice(SKUS)
        self.versions[sku] += 1
        if self.rng.random() < 0.1:
            self.say(CatalogChanged(change="delete", tenant="demo", sku=sku, version=self.versions[sku]))
            return
        photo = self.rng.choice(("good", "good", "gone"))
        title = "poison" if self.rng.random() < 0.1 else ""
        self.poison += title == "poison"
        self.say(
            CatalogChanged(
                tenant="demo",
                sku=sku,
                version=self.versions[sku],
                title=title,
                sources=[Source(uri=f"https://x/{photo}.jpg")],
                channels=["amazon"],
            )
        )

    def garbage(self) -> None:
        """Somebody writes what is no event."""
        self.poison += 1
        topic = self.rng.choice(STREAMS)
        self.append(Outgoing(topic, b"demo|A", bytes([self.poison]) * self.rng.randint(1, 9), []))

    def campaign(self) -> None:
        """Marketing thinks of a word, and says one that it thought of, in whatever order and now and then twice."""
        version, name = len(self.words) + 1, "bf"
        skus = self.rng.sample([*SKUS, "D"], self.rng.randint(1, 3))
        word = CampaignRequested(tenant="demo", campaign=name, skus=skus, channels=["instagram"], version=version)
        off = CampaignCancelled(tenant="demo", campaign=name, version=version)
        self.words.append(off if self.words and self.rng.random() < 0.3 else word)
        self.unsaid.append(self.words[-1])
        self._say_word(self.rng.choice(self.unsaid))

    def release(self) -> None:
        """A recipe is released: all that is made by it is made again, by what it says now."""
        self.releases += 1
        version = self.releases + 1
        text = RECIPE.format(version=version, padding=_padding(self.releases))
        self.say(RecipeReleased(recipe="marketplace", version=version, text=text, released_at_ms=self.now_ms))

    def replay(self) -> None:
        """An operator has everything made again."""
        with patch.object(command, "FEW_SKUS_MAX", 0):
            command.replan([("demo", sku) for sku in SKUS], "bulk", "again", self)

    def send(self, records: Sequence[Outgoing]) -> None:
        """See streams.flow.relay.Sender; an operator's."""
        for record in records:
            self.append(record)

    def _say_word(self, word: CampaignRequested | CampaignCancelled) -> None:
        if self.is_calm or self.rng.random() < 0.8:
            self.unsaid.remove(word)
        if isinstance(word, CampaignRequested) and len(word.skus) > 1:
            numbered = self.rng.sample([*enumerate(word.skus, start=1)], len(word.skus))
            for number, sku in numbered:
                self.say(replace(word, skus=[sku], part=number, parts=len(word.skus)))
        else:
            self.say(word)

    def streams(self, fate: str = "") -> None:
        """A process works on a batch of one of its partitions, and may meet its fate in it."""
        places = self._waiting(STREAMS)
        if places:
            place = self.rng.choice(places)
            self._run(self.members[self.owner.setdefault(place, self.rng.randrange(PROCESSES))], place, fate)

    def _run(self, member: Member, place: Place, fate: str) -> None:
        offset = self.read_up_to.get(place, 0)
        batch = self.log[place][offset : offset + self.rng.randint(1, 3)]
        member.fate = fate
        try:
            member.processing.run(batch)
            if self.members[member.index] is not member:
                return  # others have its partitions; its commit is refused
            self.read_up_to[place] = max(self.read_up_to.get(place, 0), offset + len(batch))
            if fate == "after_offset":
                raise Killed
        except Killed:
            self._start_anew(member)
        member.fate = ""

    def meanwhile(self, member: Member) -> None:
        """A process stands still: its partitions are given to the other one, which works on."""
        member.fate = ""
        self._start_anew(member)
        for _ in range(self.rng.randint(1, 6)):
            self.rng.choice([self.streams, self.streams, self.work, self.publish, self.tend])()

    def _start_anew(self, member: Member) -> None:
        if self.members[member.index] is member:
            self.members[member.index] = Member(self, member.index)
            self.owner = {place: 1 - index if index == member.index else index for place, index in self.owner.items()}

    def strike(self) -> None:
        """A process works on a batch and dies in it, or stands still."""
        self.streams(self.rng.choice(FATES))

    def tend(self) -> None:
        """A process looks after the outbox."""
        self.rng.choice(self.members).processing.tend()

    def move(self) -> None:
        """Partitions change hands."""
        for place in self.owner:
            self.owner[place] = self.rng.randrange(PROCESSES)

    def work(self) -> None:
        """A worker does a task."""
        record = self._next(*TASKS)
        if record is None:
            return
        task = codec.decode(record.value)
        assert isinstance(task, Task)
        with self.database.read() as facts:
            product = facts.products.get(task.tenant, task.sku)
        if product is None or product.deleted or product.version > task.version:
            self.say(TaskCompleted(task=task, outcome="superseded"))
        elif (task.source and "gone" in task.source.uri) or (not task.source and task.task_id[0] in "01"):
            self.say(TaskFailed(task=task, kind="permanent", code="gone"))
        else:
            self.say(done(task, **flow_people.doubts_about(task)))

    def publish(self) -> None:
        """The publisher carries out a request, as the facts allow."""
        record = self._next(topics.PUBLISH.name)
        if record is None:
            return
        event = codec.decode(record.value)
        product = self._states.state_of("demo", event.sku)  # type: ignore[union-attr]
        assert product is not None
        if isinstance(event, RetractRequested):
            self._retract(event, product)
        elif isinstance(event, PublishRequested):
            self._go_live(event, product)

    def _go_live(self, event: PublishRequested, product: ProductState) -> None:
        if product.deleted or product.version != event.version or event.asset not in product.plan:
            return
        if _draw(event.asset, event.version) < 0.2:
            about = {"tenant": "demo", "sku": event.sku, "asset": event.asset, "version": event.version}
            self.say(PublicationFailed(**about, code="blob_missing"))  # type: ignore[arg-type]
        else:
            self.live[event.sku, event.asset] = event
            self.say(published(event))

    def _retract(self, event: RetractRequested, product: ProductState) -> None:
        for (sku, asset), live in list(self.live.items()):
            meant = sku == event.sku and (event.assets is None or asset in event.assets)
            if meant and live.version <= event.version and (product.deleted or asset not in product.plan):
                del self.live[sku, asset]
                about = {"tenant": "demo", "sku": sku, "asset": asset, "version": event.version, "reason": ""}
                self.say(AssetRetracted(**about, urls=[], retracted_at_ms=1))  # type: ignore[arg-type]

    def give_back(self) -> None:
        """A retry letter comes back."""
        record = self._next(RETRY)
        if record is not None:
            self.append(returned(record))

    # the end

    def settle(self) -> None:
        """Nothing bad happens any more; when all is quiet, all that must hold is checked."""
        self.is_calm = True
        while self.unsaid:
            self._say_word(self.unsaid[0])
        for sku in SKUS:  # all that was ever said of a product has been answered by then
            self.versions[sku] += 1
            source = [Source(uri="https://x/good.jpg")]
            about = {"tenant": "demo", "sku": sku, "version": self.versions[sku], "channels": ["amazon"]}
            if self.rng.random() < 0.5:
                self.say(CatalogChanged(**about, sources=source))  # type: ignore[arg-type]
        for _ in range(ROUNDS_MAX):
            for step in (self.streams, self.work, self.publish, self.give_back):
                step()
            if not self._waiting((*STREAMS, *TASKS, RETRY, topics.PUBLISH.name)) and not flow_people.decide(self):
                self.tend()
                if not self._waiting((*STREAMS, *TASKS, RETRY, topics.PUBLISH.name)):
                    self._check()
                    return
        raise Violation("it never came to an end")

    def _check(self) -> None:
        if self.overtaken:
            raise Violation(f"overtaken: {self.overtaken}")
        for member in self.members:
            member.processing.tend()
        with self.database.read() as facts:
            if facts.outbox.backlog().rows:
                raise Violation(f"{facts.outbox.backlog()} left in the outbox")
            assets = {sku: facts.assets.of("demo", sku) for sku in SKUS}
            gone = {sku for sku in SKUS if (known := facts.products.get("demo", sku)) is None or known.deleted}
            left = [*facts.campaigns.left("demo", "bf", 9), *facts.replans.take("demo", 9)]
        if left:
            raise Violation(f"nobody goes on with {left}")
        self._check_release({sku: self._known_version(sku) for sku in SKUS if sku not in gone})
        self._check_live(assets)
        self._check_withheld(assets)
        self._check_campaign(assets, gone)
        flow_people.check(self)
        dead = {record.value for record in self.on(topics.DEAD.name)}
        lost = self.poison - sum(_is_poison(value) for value in dead)
        if lost:
            raise Violation(f"{lost} of {self.poison} poisonous records are no dead letters")

    def _check_live(self, assets: dict[str, list[Any]]) -> None:
        states = {(sku, each.asset): each.state for sku, its in assets.items() for each in its}
        for key in self.live:
            if key not in states or states[key] == "leaving":
                raise Violation(f"{key} is live and in no plan: {states.get(key)}")
        for key, state in states.items():
            if state not in SETTLED:
                raise Violation(f"{key} stays {state}")
            if state == "published" and key not in self.live:
                raise Violation(f"{key} is said to be published, and is not live")

    def _check_withheld(self, assets: dict[str, list[Any]]) -> None:
        event = [codec.decode(record.value) for record in self.on(topics.PUBLISH.name)]
        withheld = {(each.sku, each.asset, each.version) for each in event if isinstance(each, AssetWithheld)}
        for sku, its in assets.items():
            for each in its:
                if each.state == "failed" and (sku, each.asset, each.version) not in withheld:
                    raise Violation(f"{sku} {each.asset} failed, and nobody was told")

    def _known_version(self, sku: str) -> int:
        with self.database.read() as facts:
            known = facts.products.get("demo", sku)
        assert known is not None
        return known.version

    def _check_release(self, products: dict[str, int]) -> None:
        """Each product is made as the newest release says, whatever it was before that."""
        tasks = [task for task in map(_decoded, self.on(*TASKS)) if isinstance(task, Task)]
        fields = {(task.sku, task.version, step.parameters.get("padding")) for task in tasks for step in task.step.next}
        for sku, version in products.items() if self.releases else ():
            if (sku, version, str(_padding(self.releases))) not in fields:
                raise Violation(f"nobody made {sku} as release {self.releases} says")

    def _check_campaign(self, assets: dict[str, list[Any]], gone: set[str]) -> None:
        """The newest word counts, whenever it came."""
        newest = self.words[-1] if self.words else None
        wanted = set(newest.skus) & set(SKUS) - gone if isinstance(newest, CampaignRequested) else set()
        planned = {sku for sku, its in assets.items() if any(each.campaign for each in its)}
        is_heard = not isinstance(newest, CampaignCancelled) or any(
            isinstance(word, CampaignRequested) for word in self.words
        )
        if is_heard and planned != wanted:
            raise Violation(f"the campaign is planned for {planned}, and {newest} was the last word")


def _padding(release: int) -> float:
    return 0.02 + release / 1000


def _decoded(record: Delivery) -> Event:
    return codec.decode(record.value)


def _draw(asset: str, version: int) -> float:
    return hashlib.sha256(f"{asset} {version}".encode()).digest()[0] / 256


def _is_poison(value: bytes) -> bool:
    try:
        event = codec.decode(value)
    except codec.WireError:
        return True
    return isinstance(event, CatalogChanged) and event.title == "poison"
