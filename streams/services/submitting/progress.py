"""What becomes of products, as it happens: one reader of the topics for any number of listeners.

It begins some minutes back, so that a listener who was cut off goes on where it was, after a restart too; who was away
for longer is told so, and asks how things stand. Repeats have the same id.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from schemas import topics
from schemas.decoding import prepare
from schemas.records import (
    AssetPublished,
    AssetRetracted,
    Event,
    ProductPublished,
    ReviewRequested,
    TaskCompleted,
    TaskFailed,
)
from streams.consumer import reading
from streams.consumer.letters import Delivery, event_in
from streams.consumer.registry import codec_of
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

TOLD_ON = (topics.COMPLETED, topics.REVIEWS, topics.PUBLISHED)
BACK_MS = 10 * 60 * 1000
KEPT_MAX = 20_000
AWAY_WAIT_S = 2.0
BEGINNING = "0"  # an id that stands before all that is kept

log = structlog.get_logger()


class News(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a product: `type` is the record's name, `detail` why or where."""

    type: str
    tenant: str
    sku: str
    version: int
    asset: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class NewsItem:
    """News, and its id: where its record stands."""

    id: str
    news: News


Listener = Callable[[NewsItem | None], None]
"""Is called from another thread with each piece of news; with None when no more comes."""


class Progress:
    """Reads from the first listener on. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._codec = codec_of(settings)
        self._kept: deque[NewsItem] = deque(maxlen=KEPT_MAX)
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def listen(self, listener: Listener, after: str | None) -> tuple[bool, str]:
        """Tells a listener all that comes, first what came behind `after`. Whether that is known still, and the id that
        all that comes behind it is behind of: BEGINNING where there was nothing yet."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, name="progress", daemon=True)
                self._thread.start()
            kept = list(self._kept)
            first = self._behind(after, kept)
            for entry in kept[len(kept) if first is None else first :]:
                listener(entry)
            self._listeners.add(listener)
            if self._is_closed:
                listener(None)
            return first is not None, kept[-1].id if kept else BEGINNING

    @staticmethod
    def _behind(after: str | None, kept: Sequence[NewsItem]) -> int | None:
        """The place of what came behind `after` in what is kept; None where it is not known any more."""
        if after is None:
            return len(kept)
        if after == BEGINNING and len(kept) < KEPT_MAX:
            return 0
        return next((place + 1 for place, entry in enumerate(kept) if entry.id == after), None)

    def leave(self, listener: Listener) -> None:
        """Tells a listener no more."""
        with self._lock:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Tells every listener that no more comes."""
        with self._lock:
            self._is_closed = True
            for listener in self._listeners:
                listener(None)

    @property
    def is_closed(self) -> bool:
        """Whether no more comes."""
        return self._is_closed

    def tell(self, record: Delivery) -> None:
        """Tells the listeners of a record."""
        try:
            news = news_of(event_in(record, self._codec))
        except Refused as refusal:
            log.warning("no event", position=record.position, code=refusal.code)
            return
        if news is None:
            return
        entry = NewsItem(record.position, news)
        with self._lock:
            self._kept.append(entry)
            for listener in self._listeners:
                listener(entry)

    def _read(self) -> None:
        since_ms = time.time_ns() // 1_000_000 - BACK_MS
        while not self._is_closed:
            try:
                for record in reading.read(
                    self._settings, [each.name for each in TOLD_ON], since_ms=since_ms, follow=True
                ):
                    since_ms = record.timestamp_ms
                    self.tell(record)
            except Exception as error:
                log.warning("progress waits", reason=str(error))
                time.sleep(AWAY_WAIT_S)


def news_of(event: Event) -> News | None:
    """What a record tells of a product, if it does."""
    match event:
        case TaskCompleted() | TaskFailed():
            task = event.task
            why = f"{event.code}: {event.message}" if isinstance(event, TaskFailed) else event.outcome
            about = (task.tenant, task.sku, task.version, task.step.asset, f"{task.step.operation} {why}")
        case ReviewRequested():
            task = event.completed.task
            about = (task.tenant, task.sku, task.version, task.step.asset, event.reason)
        case AssetPublished():
            about = (event.tenant, event.sku, event.version, event.asset, event.file.url)
        case AssetRetracted():
            about = (event.tenant, event.sku, event.version, event.asset, event.reason)
        case ProductPublished():
            about = (event.tenant, event.sku, event.version, None, event.manifest_url)
        case _:
            return None
    tenant, sku, version, asset, detail = about
    return News(type=type(event).__name__, tenant=tenant, sku=sku, version=version, asset=asset, detail=detail)


prepare(News)
