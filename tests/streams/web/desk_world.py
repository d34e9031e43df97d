"""A desk with something to see: sample products with their photographs, some live and some waiting for a person.

The cutouts are exact, for the sample catalogue knows the truth, so that nothing here needs a network. What is measured
of them is said, and not measured.
"""

import dataclasses
import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from msgspec.structs import replace
from PIL import Image

from infra.servers.process import free_port
from schemas.records import Blob, CampaignRequested, CatalogChanged, Cost, Event, PublishRequested, Source
from streams.blobs import Blobs, open_store
from streams.facts import Database
from streams.facts.sessions import Role
from streams.runtime.clock import now_ms
from streams.runtime.settings import Settings
from streams.services.access import keys, sessions
from streams.services.assessing import kept
from streams.services.display.showing import Showing
from streams.services.submitting import event_files
from streams.web.app import build
from streams.web.place import Place
from tests.streams.flow import Flow, Recorder, done, published, tasks
from tests.streams.web.assessed import assessment

ROOT = Path(__file__).parents[3]
CATALOGUE = ROOT / "loadtest" / "rendering" / "catalogue"
CAMPAIGN = "black-friday"
LONG_AGO_MS = 1_700_000_000_000
TENANT = "demo"
DOUBT = 0.47  # of a cutout that a person has to look at
SIDE_PX = 900
FILL = 0.85  # of the frame, which every channel takes
COST = Cost(engine_ms=38.0, cpu_ms=210.0, price_nanos=4_100_000)  # of a task
SURE = {"uncertainty": 0.05, "fill": FILL}
# What is measured of doubtful pictures, in turn: edges, colours, what is written, the place in the frame.
DOUBTS = (
    SURE | {"uncertainty": DOUBT},
    SURE | {"colour_difference_p95": 4.2},
    SURE | {"uncertainty": DOUBT},
    SURE | {"text_lost": 2.0},
    SURE | {"fill": 0.41},
)


@dataclass(frozen=True)
class DeskWorld:
    """A desk that runs at `base_url`, over facts that were planted."""

    base_url: str
    settings: Settings
    database: Database
    recorder: Recorder

    def link(self, role: Role = "operator", name: str = "ada") -> str:
        """A link that signs in."""
        return sessions.address(self.base_url, sessions.link(self.database, name, (TENANT,), role))

    def carry_out(self) -> None:
        """The flow hears of all that was written at the desk."""
        flow = Flow(self.database)
        for record in self.recorder.records:
            flow.deliver(record)


@contextmanager
def running(folder: Path, bootstrap: str = "127.0.0.1:1", doubtful: int | None = None) -> Iterator[DeskWorld]:
    """A desk over the sample catalogue, until the block ends; with `doubtful`, over as many doubtful products only."""
    port = free_port()
    settings = Settings(
        data_folder=folder,
        gateway_port=port,
        kafka_bootstrap_servers=bootstrap,
        source_file_roots=[str(ROOT)],
    )
    database = Database(settings.database)
    database.create_tables()
    world = DeskWorld(settings.gateway, settings, database, Recorder())
    _plant(world, doubtful)
    app = build(Place(settings, database, world.recorder, Showing(settings)))
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.05)
        yield world
    finally:
        server.should_exit = True
        thread.join()
        database.close()


def _plant(world: DeskWorld, doubtful: int | None) -> None:
    planting = _Planting(world)
    products = _products()
    if doubtful is None:
        for number, event in enumerate(products):
            planting.plant(event, SURE | ({"uncertainty": DOUBT} if number % 3 == 1 else {}))
        planting.campaign([each.sku for each in products[:3]])
        keys.create(world.database, "shop", (TENANT,))
        planting.assessment(products[0].sources[0])
        return
    for number in range(doubtful):
        event = products[number % len(products)]
        planting.plant(replace(event, sku=f"{event.sku}-{number:03}", channels=["web"]), DOUBTS[number % len(DOUBTS)])


def _products() -> list[CatalogChanged]:
    read, bad = event_files.read_events(CATALOGUE / "catalogue.jsonl")
    assert not bad
    found = [each.event for each in read if isinstance(each.event, CatalogChanged)]
    return [replace(each, sources=each.sources[:1]) for each in found]


class _Planting:
    def __init__(self, world: DeskWorld) -> None:
        settings = world.settings
        self._flow = Flow(world.database)
        self._blobs = Blobs(open_store(settings.blobs, s3_endpoint=None))
        self._origin = open_store(settings.origin, s3_endpoint=None)
        self._cutouts: dict[str, bytes] = {}

    def plant(self, event: CatalogChanged, measured: Mapping[str, float]) -> None:
        """A product of whose cutout and pictures this is measured: they are all live, or all wait."""
        self._complete(self._flow.say(event), event.sources[0], measured)

    def campaign(self, skus: Sequence[str]) -> None:
        """A campaign that is late."""
        event = CampaignRequested(
            tenant=TENANT,
            campaign=CAMPAIGN,
            skus=list(skus),
            channels=["instagram"],
            deadline_ms=LONG_AGO_MS,
            version=1,
        )
        self._flow.say(event)

    def assessment(self, source: Source) -> None:
        """What somebody found wrong with a shop, whose first picture was this photograph."""
        found = assessment("https://shop.example/feed.xml")
        before = (CATALOGUE / "photographs" / f"{Path(source.uri).stem}.jpg").read_bytes()
        found.mended[0] = dataclasses.replace(found.mended[0], before=before, after=self._packshot(source))
        kept.keep(self._blobs.store, TENANT, found, {kept.PAGE: b"<!doctype html>", kept.PAPER: b"%PDF-1.7"}, now_ms())

    def _complete(self, events: Sequence[Event], source: Source, measured: Mapping[str, float]) -> None:
        """Carries out every task that follows, and publishes what passes."""
        for task in tasks(events):
            is_cutout = task.step.operation == "cutout"
            picture = self._cutout(source) if is_cutout else self._packshot(source)
            own = {name: value for name, value in measured.items() if (name == "uncertainty") == is_cutout}
            stored = self._stored(picture, task.step.operation)
            ended = replace(done(task, **own), outputs=[stored], costs={"store": COST})
            self._complete(self._flow.say(ended), source, measured)
        for event in events:
            if isinstance(event, PublishRequested):
                self._publish(event)

    def _publish(self, request: PublishRequested) -> None:
        key = f"{request.tenant}/{request.sku}/{request.asset}.png"
        self._origin.put(key, self._blobs.get(request.file.digest), content_type="image/png")
        event = published(request)
        file = replace(event.file, key=key, media_type="image/png", width_px=SIDE_PX, height_px=SIDE_PX)
        self._flow.say(replace(event, file=file, published_at_ms=now_ms()))

    def _cutout(self, source: Source) -> bytes:
        name = Path(source.uri).stem
        if name not in self._cutouts:
            with (
                Image.open(CATALOGUE / "photographs" / f"{name}.jpg") as photograph,
                Image.open(CATALOGUE / "truth" / f"{name}.png") as truth,
            ):
                picture = photograph.convert("RGB")
                picture.putalpha(truth.convert("L"))
            self._cutouts[name] = _png(picture)
        return self._cutouts[name]

    def _packshot(self, source: Source) -> bytes:
        with Image.open(io.BytesIO(self._cutout(source))) as cutout:
            cropped = cutout.crop(cutout.getchannel("A").getbbox())
        cropped.thumbnail((SIDE_PX * 85 // 100,) * 2)
        made = Image.new("RGB", (SIDE_PX, SIDE_PX), "white")
        made.paste(cropped, ((SIDE_PX - cropped.width) // 2, (SIDE_PX - cropped.height) // 2), cropped)
        return _png(made)

    def _stored(self, data: bytes, role: str) -> Blob:
        with Image.open(io.BytesIO(data)) as opened:
            width_px, height_px = opened.size
        digest = self._blobs.put(data, "image/png")
        return Blob(
            role=role,
            digest=digest,
            media_type="image/png",
            width_px=width_px,
            height_px=height_px,
            size_bytes=len(data),
        )


def _png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=1)
    return written.getvalue()
