"""A whole installation in memory, at the mercy of a seed: topics, streams, workers, publisher, people.

The processors and the publication are the real ones. Who does something next, how far one topic runs ahead of another,
what is done twice and what fails for a while, the seed decides; times only tell in what order records were written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

import msgspec
from msgspec.structs import replace

from gpu_workers.models.manifest import load_manifest
from schemas import channels, codec, topics
from schemas.channels import version_number
from schemas.codec import HASHED
from schemas.envelope import as_mapping
from schemas.identity import content_id
from schemas.records import (
    AssetWithheld,
    Blob,
    CampaignCancelled,
    CampaignRequested,
    CatalogChanged,
    ChannelReleased,
    Cost,
    DefaultsReleased,
    Event,
    Lane,
    ModelAdded,
    ModelReleased,
    PublishRequested,
    RecipeReleased,
    ReplanRequested,
    RetractRequested,
    Source,
    Task,
    TaskCompleted,
    TaskFailed,
)
from schemas.releases import split_of
from streams.blobs import Blobs
from streams.consumer.groups import CONSUMED
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing, replayed, returned
from streams.facts import Database, ProductStates
from streams.flow.processing import Processing
from streams.publishing.publication import Publication
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.operating.replanning import Selection, select
from streams.services.recovery.dead import DeadLetter
from tests.memory_store import MemoryStore
from tests.streams.flow import GOOD
from tests.streams.installation_people import Desk

PARTITIONS = 2
RULES = (Path(channels.__file__).parent / "amazon.yaml").read_text()
POLICY = RetryPolicy((1000, 5000), random_share=lambda: 0.0)
RETRIES = tuple(topics.retry(delay_ms).name for delay_ms in POLICY.delays_ms)
SKUS = ("A", "B", "C")
WORKED = (
    *(topic.name for topic in CONSUMED),
    *(topic.name for topic in topics.TASKS.values()),
    *RETRIES,
    topics.PUBLISH.name,
)
Place = tuple[str, int]


@cache
def _manifest(model: str) -> str:
    """One that says what the network that ships does, under another name."""
    name, _, version = model.partition("@")
    made = replace(load_manifest("u2netp@1"), name=name, version=version, published=None)
    return msgspec.yaml.encode(made).decode()


@dataclass
class Installation:
    """The installation. `send` writes records as the processors do."""

    codec = HASHED
    database: Database
    random: Random
    now_ms: int = 1_000_000
    log: dict[Place, list[Delivery]] = field(default_factory=dict)
    read_up_to: dict[Place, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.processing = Processing(self.database, self, POLICY)
        self.origin = MemoryStore()
        self.blobs = Blobs(MemoryStore())
        self.publication = Publication(
            self.origin, self.blobs, ProductStates(self.database), "http://cdn", lambda: self.now_ms
        )
        self.engine = 1
        self.made_by: dict[str, str] = {}
        self.recalls: list[ModelReleased] = []
        self.channel_versions = {"amazon": 0, "bazaar": 0}
        self.recipe_versions = {"marketplace": 1, "campaign": 1, "spring": 0, "demo": 0}
        self.lineages: dict[str, set[str | None]] = {}
        self.retouched: dict[str, int] = {}
        self.desk = Desk(self)

    # topics

    def send(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            place = record.topic, sum(record.key or b"") % PARTITIONS
            self.now_ms += self.random.choice((0, 0, 1, 5))
            partition = self.log.setdefault(place, [])
            read = Delivery(*place, len(partition), record.key, record.value, list(record.headers), self.now_ms)
            partition.append(read)

    def say(self, event: Event) -> None:
        self.send([outgoing(event, "installation")])

    def on(self, *names: str) -> list[Delivery]:
        return [record for (name, _), records in sorted(self.log.items()) if name in names for record in records]

    def dead_letters(self) -> list[DeadLetter]:
        return [DeadLetter(record) for record in self.on(topics.DEAD.name)]

    def _waiting(self, *names: str) -> list[Place]:
        return [
            p for p, records in sorted(self.log.items()) if p[0] in names and self.read_up_to.get(p, 0) < len(records)
        ]

    # roles

    def run(self, acts: list[Callable[[], None]]) -> None:
        """Lets everybody work in an order that the seed decides, until all acts are done and nothing waits."""
        roles = [self._streams, self._worker, self._publisher, self._retrier, self.desk.person, self._operator]
        while True:
            for role in self.random.sample(roles, len(roles)):
                role()
            idle = not self._waiting(*WORKED) and not self.desk.undecided() and not self.recalls
            if acts and (idle or self.random.random() < 0.15):
                acts.pop(0)()
            elif idle and not acts:
                return

    def _take(self, most: int, *names: str) -> list[Delivery]:
        """The next records of one partition; now and then they come again later: the commit was lost."""
        places = self._waiting(*names)
        if not places or self.random.random() < 0.3:
            return []
        place = self.random.choice(places)
        start = self.read_up_to.get(place, 0)
        batch = self.log[place][start : start + self.random.randint(1, most)]
        if self.random.random() >= 0.1:
            self.read_up_to[place] = start + len(batch)
        return batch

    def _streams(self) -> None:
        names = [topic.name for topic in CONSUMED]
        batch = self._take(3, self.random.choice(names))
        if batch:
            self.processing.run(batch)

    def _retrier(self) -> None:
        for letter in self._take(1, *RETRIES):
            self.send([returned(letter)])

    def _publisher(self) -> None:
        for record in self._take(1, topics.PUBLISH.name):
            request = codec.decode(record.value)
            assert isinstance(request, PublishRequested | AssetWithheld | RetractRequested)
            self.now_ms += 1
            announced = self.publication.apply(request, record.position, None, record.timestamp_ms)
            if (
                self.read_up_to.get((record.topic, record.partition), 0) > record.offset
            ):  # else the transaction was aborted
                self.send([outgoing(event, "installation") for event in announced])

    def _worker(self) -> None:
        names = [topic.name for topic in topics.TASKS.values()]
        for record in self._take(1, *names):
            self.now_ms += 2
            self._work(record)

    def _work(self, record: Delivery) -> None:
        task = codec.decode(record.value)
        assert isinstance(task, Task)
        stale = self._stale(task)
        uri = task.source.uri if task.source else ""
        if stale:
            self.say(TaskCompleted(task=task, outcome=stale))  # type: ignore[arg-type]
        elif "gone" in uri and not ("back" in uri and record.attempt):
            refusal = Refused("source_not_found", "404", transient="back" in uri)
            letter = POLICY.letter(record, refusal, self.now_ms)
            failed = TaskFailed(task=task, kind="permanent", code=refusal.code, message="404")
            died = letter.topic == topics.DEAD.name
            self.send([letter, *([outgoing(failed, "installation")] if died else [])])
        else:
            self.say(self._made(task))

    def _stale(self, task: Task) -> str:
        with self.database.read() as facts:
            product = facts.products.get(task.tenant, task.sku)
            campaign = facts.campaigns.get(task.tenant, task.campaign) if task.campaign else None
        if product is None or product.deleted or product.version > task.version:
            return "superseded"
        return "cancelled" if campaign is not None and campaign[1] else ""

    def _made(self, task: Task) -> TaskCompleted:
        """The result depends on what goes in and on the engine; some are doubtful, and one that is known costs less."""
        source = task.source.uri if task.source else ""
        model = self._model(task) if task.source else None
        inputs = [each.digest for each in task.inputs]
        step = task.step
        result = content_id(source, model, inputs, step.operation, step.channel, step.parameters, self.engine)
        digest = self.blobs.put(result.encode())
        self.lineages.setdefault(digest, set()).add(task.way)
        made = Blob(role="x", digest=digest, media_type="image/jpeg", width_px=9, height_px=9, size_bytes=64)
        doubtful = task.step.asset is not None and int(result[:2], 16) < 90
        unsure = {"uncertainty": 0.5 if int(result[2:4], 16) < 100 else 0.05, "person_share": 0.0}
        measures = GOOD | ({"fill": 0.5} if doubtful else {}) | (unsure if task.source else {})
        self.retouched[digest] = task.origin.retouch if task.origin else 0
        fields: dict[str, object] = {
            "outputs": [made],
            "measures": measures,
            "result_id": result,
            "engine": f"engine-{self.engine}",
            "model": model,
        }
        making = Cost(engine_ms=int(result[:4], 16) / 7, cpu_ms=3.0, price_nanos=int(result[:6], 16))
        if self.made_by.setdefault(result, task.task_id) == task.task_id:
            fields["costs"] = {"store": making}
        else:
            fields |= {"costs": {"lookup": Cost(cpu_ms=0.1)}, "saved": making, "cached": True}
        return TaskCompleted(task=task, outcome="done", **fields)  # type: ignore[arg-type]

    def _model(self, task: Task) -> str | None:
        with self.database.read() as facts:
            return split_of(facts.models.releases("cutout"), ["u2netp@1"]).choose(task.tenant, task.sku)

    def _operator(self) -> None:
        """Has the products made again that a recalled model made, once the recall is noted."""
        with self.database.read() as facts:
            noted = [event for event in self.recalls if event in facts.models.releases("cutout")]
        for event in noted:
            self.recalls.remove(event)
            products = select(Selection(model=event.model), self.database, Settings())
            for tenant, sku in products:
                self.say(ReplanRequested(tenant=tenant, sku=sku))

    # acts

    def release(self) -> None:
        """An operator lets one of two models work, on trial or for all, or recalls it."""
        model = self.random.choice(("keen@1", "keen@2"))
        stage = self.random.choice(("stable", "canary", "withdrawn"))
        recall = stage == "withdrawn" and self.random.random() < 0.8
        self.say(ModelAdded(operation="cutout", model=model, manifest=_manifest(model), added_at_ms=1))
        event = ModelReleased(
            operation="cutout",
            model=model,
            stage=stage,  # type: ignore[arg-type]
            share=0.5,
            recall=recall,
            released_at_ms=self.now_ms,
        )
        self.say(event)
        self.recalls += [event] if recall else []

    def release_recipe(self) -> None:
        """An operator changes a recipe or the tenant's defaults: for one channel, for all, or what there is of them."""
        name = self.random.choice(sorted(self.recipe_versions))
        self.recipe_versions[name] += self.random.choice((1, 1, 1, 2, 0))
        version, padding = self.recipe_versions[name], f"0.{self.random.randint(1, 3)}"
        channels = self.random.choice(("each: channel", "channels: [amazon, instagram]", "channels: [google]"))
        steps = f"      - {{operation: packshot, {channels}, parameters: {{padding: {padding}}}}}\n"
        if self.random.random() < 0.5:
            steps += "      - {operation: transparent, channel: web}\n"
        if self.random.random() < 0.3:
            steps += "      - {operation: packshot, each: channel, asset: warm, parameters: {shadow.mode: soft}}\n"
        speckles = self.random.choice(("", "    parameters: {speckle_share: 0.01}\n"))
        if name == "demo":
            text = f"tenant: demo\nversion: {version}\ndefaults:\n"
            text += f"  - {{operation: packshot, channels: [zalando, google], parameters: {{padding: {padding}}}}}\n"
            self.say(DefaultsReleased(tenant=name, version=max(version, 1), text=text, released_at_ms=self.now_ms))
            return
        text = f"name: {name}\nversion: {version}\nsteps:\n  - operation: cutout\n{speckles}    next:\n{steps}"
        self.say(RecipeReleased(recipe=name, version=max(version, 1), text=text, released_at_ms=self.now_ms))

    def release_channel(self) -> None:
        """Somebody lets a channel's rules count in their next version; `bazaar` is its own channel."""
        name = self.random.choice(("amazon", "bazaar"))
        self.channel_versions[name] += 1
        version = f"2026-11.{self.channel_versions[name]}"
        text = RULES.replace("name: amazon", f"name: {name}").replace('"2026-11"', f'"{version}"')
        number = version_number(version)
        self.say(ChannelReleased(channel=name, version=number, text=text, released_at_ms=self.now_ms))

    def upsert(self, sku: str, version: int) -> None:
        photo = self.random.choice(("a", "b", "c", "gone", "gone-back"))
        channels = self.random.sample(["amazon", "zalando", "google"], self.random.randint(1, 2))
        lane: Lane = self.random.choice(("urgent", "standard", "bulk"))
        if self.random.random() < 0.1:
            channels.append("bazaar")
        self.say(
            CatalogChanged(
                tenant="demo",
                sku=sku,
                version=version,
                sources=[Source(uri=f"https://x/{photo}{sku}.jpg")],
                channels=channels,
                priority=lane,
            )
        )

    def act(self) -> Callable[[], None]:
        """Something that a PIM, marketing or an operator does."""
        sku, version = self.random.choice(SKUS), self.random.randint(1, 6)
        skus = [self.random.choice(SKUS), self.random.choice((*SKUS, "D"))]
        campaign = self.random.choice(("spring", "sale"))
        wanted = {"skus": skus, "channels": ["instagram"], "recipe": self.random.choice(("campaign", "spring"))}
        acts: list[Callable[[], None]] = [
            lambda: self.upsert(sku, version),
            lambda: self.upsert(sku, version),
            lambda: self._say_again(),
            lambda: self.say(CatalogChanged(change="delete", tenant="demo", sku=sku, version=version)),
            lambda: self.say(CampaignRequested(tenant="demo", campaign=campaign, **wanted)),  # type: ignore[arg-type]
            lambda: self.say(CampaignCancelled(tenant="demo", campaign=campaign, reason="off")),
            lambda: self.say(ReplanRequested(tenant="demo", sku=sku)),
            lambda: self._replay_dead(),
            lambda: setattr(self, "engine", self.engine + 1),
            lambda: self.release(),
            lambda: self.release(),
            lambda: self.release_recipe(),
            lambda: self.release_recipe(),
            lambda: self.desk.undo(),
            lambda: self.desk.undo(),
            lambda: self.desk.undo_case(),
            lambda: self.desk.retouch(),
            lambda: self.release_channel(),
        ]
        return self.random.choice(acts)

    def _say_again(self) -> None:
        events = self.on(topics.CATALOG.name)
        if events:
            record = self.random.choice(events)
            self.send([Outgoing(record.topic, record.key, record.value, record.headers)])

    def _replay_dead(self) -> None:
        done = {as_mapping(r.headers).get("packshot-replayed-letter") for records in self.log.values() for r in records}
        letters = [letter for letter in self.dead_letters() if letter.record.position not in done]
        if letters:
            self.send([replayed(self.random.choice(letters).record)])

    # what an audit would say
