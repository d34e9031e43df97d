"""`packshot audit`: reads everything there is, and compares.

On a running system things move while they are looked at. So the groups' committed offsets are read first and the topics
last: whatever moved in between stands behind an offset, and its product is left out of the comparisons.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from schemas import topics
from schemas.codec import Codec
from schemas.envelope import as_mapping
from schemas.records import TaskCompleted, TaskFailed
from schemas.text import KEY_MAX
from streams.blobs import NotFound, ObjectStore, open_store
from streams.consumer.letters import ORIGIN_TOPIC, Delivery, event_in
from streams.consumer.reading import read
from streams.consumer.registry import codec_of
from streams.facts import UNSENT_AFTER_S, Asset, Database
from streams.publishing import manifest as manifests
from streams.publishing.manifest import MANIFEST_NAME, Manifest
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.audit.announcements import Announcements
from streams.services.audit.findings import Finding, Report
from streams.services.audit.products import ProductView, disagreements, stuck
from streams.services.audit.standing import progress, standing
from streams.services.audit.tasks import TaskLedger
from streams.services.operating import retention
from streams.services.recovery.dead import DeadLetter, every

READING_THREADS = 8
KEY_BYTES_MAX = 4 * KEY_MAX
DAY_MS = 24 * 3600 * 1000
TASKS = frozenset(topic.name for topic in topics.TASKS.values())

Product = tuple[str, str]
Place = tuple[str, int]


def audit(settings: Settings, *, deep: bool = False) -> Report:
    """Counts and compares everything; `deep` reads every live file and checks its digest.

    Raises Unavailable, StoreError, or Refused for a manifest that is none.
    """
    offsets = progress(settings)
    facts = _Facts(settings)
    origin = _Origin(open_store(settings.origin, s3_endpoint=settings.s3_endpoint))
    log = _Log(offsets, _now_ms() - topics.RETENTION_DAYS * DAY_MS, codec_of(settings))
    log.read(settings)
    settled = [view for view in _views(facts, origin, log) if not log.moves((view.tenant, view.sku))]
    idle = [view for view in settled if not log.is_busy((view.tenant, view.sku))]
    findings = [
        *log.tasks.findings(),
        *(Finding("lost", loss.name, loss.text) for loss in facts.losses),
        *log.announcements.findings,
        *log.foreign(),
        *facts.standing(settings, offsets),
        *(finding for view in settled for finding in disagreements(view)),
        *(finding for view in settled for finding in origin.missing(view, deep=deep)),
        *(finding for view in idle for finding in stuck(view)),
        *_task_facts(facts, log),
        *_unsent(facts),
    ]
    return Report(log.counts() | origin.counts(), findings)


class _Facts:
    def __init__(self, settings: Settings) -> None:
        self._database = database = Database(settings.database)
        database.create_tables()
        self.losses = retention.noted(settings, database)
        with database.read() as facts:
            self.products = facts.products.every()
            self.task_states = facts.tasks.states()
            self.outbox = facts.outbox.backlog()
            self.assets: dict[Product, dict[str, Asset]] = {}
            self.reviewed: dict[Product, set[str]] = {}
            for tenant, sku, name in facts.cases.waiting_assets():
                self.reviewed.setdefault((tenant, sku), set()).add(name)
            for asset in facts.assets.every():
                self.assets.setdefault((asset.tenant, asset.sku), {})[asset.asset] = asset

    def standing(self, settings: Settings, offsets: Mapping[Place, int]) -> list[Finding]:
        """See streams.services.audit.standing."""
        found = list(standing(settings, self._database, offsets))
        self._database.close()
        return found


class _Origin:
    """The manifests, and the size of all that lies beside them."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._sizes = dict(store.sizes())
        keys = [key for key in self._sizes if key.endswith(f"/{MANIFEST_NAME}")]
        with ThreadPoolExecutor(READING_THREADS) as threads:
            loaded = [manifest for manifest in threads.map(self._load, keys) if manifest is not None]
        self.manifests = {(manifest.tenant, manifest.sku): manifest for manifest in loaded}

    def counts(self) -> dict[str, int]:
        """How much is live, and how many files no manifest names."""
        named = {key for manifest in self.manifests.values() for key in manifest.keys() | manifest.retired.keys()}
        files = {key for key in self._sizes if not key.endswith(f"/{MANIFEST_NAME}")}
        live = sum(len(manifest.assets) for manifest in self.manifests.values())
        return {"live": live, "unnamed_objects": len(files - named)}

    def missing(self, view: ProductView, *, deep: bool) -> Iterator[Finding]:
        """The live files of a product that are not there, or not as the manifest says."""
        for name, asset in view.live.items():
            for file in (asset.file, *asset.renditions):
                fault = self._fault(file.key, file.size_bytes, file.sha256 if deep else None)
                if fault:
                    text = f"{view.name} {name} v{asset.version}: {fault}"
                    yield Finding("missing_objects", file.key, text, view.tenant)

    def _fault(self, key: str, size_bytes: int, sha256: str | None) -> str:
        found = self._sizes.get(key)
        if found != size_bytes:
            return "not there" if found is None else f"{found} bytes instead of {size_bytes}"
        if sha256 is not None and hashlib.sha256(self._store.get(key).data).hexdigest() != sha256:
            return "other bytes than those that were published"
        return ""

    def _load(self, key: str) -> Manifest | None:
        try:
            return manifests.read(self._store.get(key).data, key)
        except NotFound:  # removed since it was listed
            return None


class _Log:
    """What the topics tell, read once."""

    def __init__(self, progress: Mapping[Place, int], horizon_ms: int, codec: Codec) -> None:
        self.tasks = TaskLedger(progress, horizon_ms, codec)
        self._codec = codec
        self.announcements = Announcements()
        self._progress = progress
        self._moving: set[bytes] = set()
        self._moving_tenants: set[str] = set()
        self._letters = self._open_letters = 0
        self._settled: set[str] = set()
        self._busy: set[Product] = set()
        self._foreign: dict[str, str] = {}

    def read(self, settings: Settings) -> None:
        """Reads everything; tasks first, so that what ended them is read after them."""
        for record in read(settings, sorted(TASKS)):
            self.tasks.written(record)
        retries = [topics.retry(delay_ms).name for delay_ms in settings.retry_delays]
        others = (
            topics.CATALOG,
            topics.CAMPAIGNS,
            topics.COMPLETED,
            topics.REPLIES,
            topics.DECISIONS,
            topics.PUBLISH,
            topics.PUBLISHED,
        )
        for record in read(settings, [*retries, *(topic.name for topic in others)]):
            self._note(record)
        self._busy |= self.tasks.busy()
        for letter in every(settings):  # one at a time: all that ever died may be more than fits into memory
            self._note_letter(letter)

    def moves(self, product: Product) -> bool:
        """Whether something about a product was not worked on yet when the audit began."""
        return topics.product_key(*product) in self._moving or product[0] in self._moving_tenants

    def is_busy(self, product: Product) -> bool:
        """Whether a task of a product is in flight, or a letter of it waits for a person."""
        return product in self._busy

    def foreign(self) -> Iterator[Finding]:
        """The records that are none of ours, but for those whose dead letters somebody has replayed or discarded."""
        for position, why in self._foreign.items():
            if position not in self._settled:
                yield Finding("foreign", position, why)

    def counts(self) -> dict[str, int]:
        """The figures of the topics."""
        return self.tasks.counts() | {
            "published": self.announcements.count,
            "dead_letters": self._letters,
            "dead_letters_open": self._open_letters,
            "moving": len(self._moving),
        }

    def _note_letter(self, letter: DeadLetter) -> None:
        is_open = letter.state == "open"
        self._letters += 1
        self._open_letters += is_open
        if letter.origin in TASKS:
            self.tasks.died(letter.record, is_open=is_open)
        if is_open:
            self._busy.add(topics.product_of(_held(letter.record.key)))
        elif letter.origin_position in self._foreign:
            self._settled.add(letter.origin_position)

    def _note(self, record: Delivery) -> None:
        if record.topic == topics.REPLIES.name:  # which no group reads: nothing of it is to be worked on
            self._tell(record)
            return
        if record.offset >= self._progress.get((record.topic, record.partition), 0):
            self._moving.add(_held(record.key))
            if topics.CAMPAIGNS.name in (record.topic, as_mapping(record.headers).get(ORIGIN_TOPIC)):
                self._moving_tenants.add(topics.product_of(_held(record.key))[0])
        if record.topic.startswith(topics.RETRY_PREFIX):
            self._note_retry(record)
        elif record.topic in (topics.PUBLISHED.name, topics.COMPLETED.name):
            self._tell(record)

    def _note_retry(self, record: Delivery) -> None:
        origin = as_mapping(record.headers).get(ORIGIN_TOPIC)
        if origin is None:
            self._foreign[record.position] = "it does not say where it came from"
        elif origin in TASKS:
            self.tasks.retried(record)

    def _tell(self, record: Delivery) -> None:
        try:
            event = event_in(record, self._codec)
        except Refused as refusal:
            if record.topic == topics.PUBLISHED.name:  # of others whoever reads them for work makes a dead letter
                self._foreign[record.position] = refusal.message
            return
        if isinstance(event, TaskCompleted | TaskFailed):
            self.tasks.note(event)
        elif record.topic == topics.PUBLISHED.name:
            self.announcements.note(event)


def _held(key: bytes | None) -> bytes:
    """A key as it is held against products' own: of one that is longer than any of those, no more than shows that."""
    return (key or b"")[: KEY_BYTES_MAX + 1]


def _views(facts: _Facts, origin: _Origin, log: _Log) -> Sequence[ProductView]:
    everyone = facts.products.keys() | origin.manifests.keys() | log.announcements.live.keys()
    return [
        ProductView(
            tenant=tenant,
            sku=sku,
            version=facts.products.get((tenant, sku), (None, False))[0],
            deleted=facts.products.get((tenant, sku), (None, False))[1],
            assets=facts.assets.get((tenant, sku), {}),
            manifest=origin.manifests.get((tenant, sku)),
            announced=log.announcements.live.get((tenant, sku), {}),
            reviewed=facts.reviewed.get((tenant, sku), set()),
        )
        for tenant, sku in sorted(everyone)
    ]


def _task_facts(facts: _Facts, log: _Log) -> Iterator[Finding]:
    for identity, entry in log.tasks.entries.items():
        noted = facts.task_states.get(identity, "unknown")
        if entry.stands_alone:
            continue
        if entry.outcomes and not entry.waiting and not log.moves(entry.product) and noted != entry.outcomes[-1]:
            text = f"{'|'.join(entry.product)}: {entry.outcomes[-1]} on the topic, {noted} in the facts"
            yield Finding("facts_differ", entry.name, text, entry.product[0])


def _unsent(facts: _Facts) -> Iterator[Finding]:
    waited_s = (_now_ms() - facts.outbox.oldest_ms) / 1000
    if facts.outbox.rows and waited_s > UNSENT_AFTER_S:
        yield Finding("unsent", "outbox", f"{facts.outbox.rows} records, the oldest for {waited_s:.0f} s")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
