"""The Faust app: which topic goes to the processors, and when its offsets may move. The only module that knows Faust.

Faust acknowledges an event even when its agent raised. So nothing is raised here: a batch that cannot be brought to
its end ends the process, uncommitted, and whoever supervises the process starts it again.

A message is to Faust what was read of one partition at once: its records are worked on together, and the offset that is
acknowledged is the last one's. Faust itself would spend more on each record than the work on it costs.

Faust has also been seen to fetch nothing of a partition after a rebalance, and to lose agents, without a word. So a
thread that needs nothing of Faust's loops asks the broker, and ends the process where records are not read.
"""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import faust
import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.consumer import fetcher
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka
from faust.types import ConsumerMessage
from prometheus_client import Counter

from schemas import topics
from streams.consumer import groups, reading
from streams.consumer.clients import tls_context
from streams.consumer.groups import CONSUMED
from streams.consumer.isolation import Isolation
from streams.consumer.letters import Delivery, written_at_ms
from streams.consumer.reading import Place
from streams.consumer.stalled import Progress, StalledPartitions, unread
from streams.consumer.tokens import tokens
from streams.consumer.watchdog import Stalled
from streams.flow import telling
from streams.flow.processing import Work
from streams.runtime.errors import Unavailable
from streams.runtime.exits import Exit
from streams.runtime.health import Health
from streams.runtime.private import private_folder
from streams.runtime.settings import Settings
from streams.runtime.waiting import AWAY_WAIT_S, Stopped

BATCH_MAX = 100
BATCHES_BUFFERED = 8  # of each topic
HEARTBEAT_S = 0.5  # it is by a heartbeat that members hear of a rebalance, and all wait for the last to hear
LOOK_EVERY_MAX_S = 30.0
# Longer than all that is buffered takes; work on a batch itself may take as long as `stalled_after_s`. Chosen by eye.
UNREAD_AFTER_S = 180.0
TEND_EVERY_S = 1.0

log = structlog.get_logger()
tombstones = Counter("packshot_tombstones_total", "Records of the catalogue topic without a value, which are ignored")


def build_app(settings: Settings, processing: Work, isolation: Isolation, health: Health | None = None) -> faust.App:
    """The app: one agent a topic, each working on one batch at a time; `health` hears how it is."""
    private_folder(settings.data_folder)  # Faust makes its own folder in it, but not this one
    app = faust.App(
        groups.STREAMS,
        broker=_broker_urls(settings),
        broker_credentials=_credentials(settings),
        broker_session_timeout=settings.kafka_session_timeout_ms / 1000,
        broker_heartbeat_interval=min(HEARTBEAT_S, settings.kafka_session_timeout_ms / 10_000),
        broker_commit_interval=0.5,
        broker_max_poll_interval=600.0,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.kafka_group_instance_id,
        datadir=str(settings.data_folder / "faust"),
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_buffer_maxsize=BATCHES_BUFFERED,
        stream_wait_empty=True,
        web_enabled=False,
    )
    app.transport = _Transport(app.conf.broker_consumer, app, settings)
    # One thread: batches of different topics follow one another, as their facts do.
    executor = ThreadPoolExecutor(1, thread_name_prefix="processing")
    telling.follow(app, health or Health(), processing.stopping, TEND_EVERY_S)
    for topic in CONSUMED:
        channel = app.topic(topic.name)
        app.agent(channel, name=topic.name, concurrency=1)(_agent(processing, isolation, executor))
    app.timer(TEND_EVERY_S)(_tending(processing, executor))
    app.on_before_shutdown.connect(_stopping(processing, isolation), weak=False)
    app.on_partitions_revoked.connect(_leaving(isolation, app.transport.handed), weak=False)
    return app


class _Unread(NamedTuple):
    """The offsets of what aiokafka cannot read of a batch."""

    first: int
    behind: int


class _Placeholder(NamedTuple):
    """Stands in a batch for all its records, at the place of the last; as a record of aiokafka's."""

    offset: int
    value: _Unread | None = None
    timestamp: int = 0
    timestamp_type: int = 0
    key: bytes | None = None
    checksum: int | None = None
    headers: tuple[()] = ()


class _Batch:
    """A batch of aiokafka's. It decodes the names of headers as UTF-8, and would end the consumer at another one."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return iter([_Placeholder(self._batch.next_offset - 1)])


class _Batches:
    def __init__(self, records: Any) -> None:
        self._records = records

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> _Batch:
        return _Batch(self._records.next_batch())


class _PartitionRecords(fetcher.PartitionRecords):
    """What was fetched of a partition; a batch that cannot be read is one record there, whose value says which."""

    def __init__(self, tp: Any, records: Any, *rest: Any) -> None:
        super().__init__(tp, _Batches(records), *rest)

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        if isinstance(record, _Placeholder):
            record = record._replace(value=_Unread(self.next_fetch_offset, record.offset + 1))
        return super()._consumer_record(tp, record)


fetcher.PartitionRecords = _PartitionRecords


def run_app(app: faust.App, settings: Settings, processing: Work, isolation: Isolation) -> None:
    """Runs the app in this process until it is told to stop by a signal, or stands still."""
    arguments = [app, settings, lambda: processing.is_waiting or isolation.is_waiting]
    threading.Thread(target=_watch, args=arguments, name="liveness", daemon=True).start()
    worker = faust.Worker(
        app, loglevel="WARNING", quiet=True, redirect_stdouts=False, daemon=True, override_logging=False
    )
    worker.spinner = None  # or the log begins with a terminal's control characters
    worker.execute_from_commandline()


class _ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust's own is read_uncommitted: facts would be made of announcements that are never made.
        consumer._isolation_level = "read_committed"
        return consumer

    async def getmany(self, active_partitions: Any, timeout: float) -> Any:
        """Of each partition its batches of deliveries, in the place of Faust's single records."""
        read = await super().getmany(active_partitions, timeout)
        deliveries = {place: await self._deliveries(records) for place, records in read.items()}
        return {place: _batches(records) for place, records in deliveries.items() if records}

    async def _deliveries(self, records: Sequence[Any]) -> list[Delivery]:
        return [delivery for record in records for delivery in await self._of(record)]

    async def _of(self, record: Any) -> list[Delivery]:
        """A record as a Delivery; where it stands for others that aiokafka cannot read, these, by another client."""
        if not isinstance(record.value, _Unread):
            return [_delivery(record)]
        place, (first, behind) = (record.topic, record.partition), record.value
        log.warning("read by another client", topic=place[0], partition=place[1], first=first, behind=behind)
        settings = self.consumer.transport.settings
        while True:
            try:
                return await asyncio.to_thread(reading.between, settings, place, first, behind)
            except Unavailable as away:
                log.warning("waiting", reason=str(away))
                await asyncio.sleep(AWAY_WAIT_S)


class _Consumer(aiokafka.Consumer):
    def _new_consumer_thread(self) -> _ConsumerThread:
        thread = _ConsumerThread(self, loop=self.loop, beacon=self.beacon)
        self.transport.consumer_thread = thread
        return thread

    def _to_message(self, place: Any, batch: Sequence[Delivery]) -> Any:
        """A batch as Faust's message, at the place of its last record."""
        where = (place.topic, place.partition, batch[-1].offset)
        self.transport.handed[place.topic, place.partition] = batch[-1].offset + 1
        generation = self.app.consumer_generation_id
        return ConsumerMessage(*where, 0.0, 0, [], None, batch, None, 0, 0, place, generation_id=generation)

    def _new_offset(self, place: Any) -> int | None:
        """What may be committed: all up to the last batch that has ended, for those of a partition end in order.

        Faust itself looks for gaps between the offsets of messages, and finds none behind offset 0.
        """
        ended = self._acked[place]
        if not ended:
            return None
        behind: int = max(ended) + 1
        ended.clear()
        self._acked_index[place].clear()
        return behind

    async def _add_gap(self, *_place_and_offsets: Any) -> None:
        """Between two batches there is none."""


class _Transport(aiokafka.Transport):
    Consumer = _Consumer
    consumer_thread: _ConsumerThread | None = None

    def __init__(self, url: Any, app: faust.App, settings: Settings) -> None:
        super().__init__(url, app)
        self.settings = settings
        self.handed: dict[Place, int] = {}  # behind the last record of each partition that the agents have


def _watch(app: faust.App, settings: Settings, is_waiting: Callable[[], bool]) -> None:
    """Ends the process when a partition of this member stands still although the broker has records of it for us."""
    has_record = partial(reading.has_record, settings)
    unended = StalledPartitions(settings.stalled_after_s, has_record)
    unfetched = StalledPartitions(min(settings.stalled_after_s, UNREAD_AFTER_S), has_record)

    def look(progress: dict[Place, Progress]) -> None:
        unended.look(progress)
        unfetched.look(unread(progress, app.transport.handed))

    while True:
        time.sleep(min(settings.stalled_after_s / 20, LOOK_EVERY_MAX_S))
        try:
            look({} if is_waiting() else _progress(settings, _assigned(app)))
        except Stalled as stalled:
            log.error("a partition is not read; leaving without a commit", reason=str(stalled))
            os._exit(Exit.STUCK)
        except Unavailable as away:
            log.warning("liveness not known", reason=str(away))
            look({})  # no answer is no stall
        except Exception:
            log.exception("liveness not known")
            look({})


def _progress(settings: Settings, places: set[Place]) -> dict[Place, Progress]:
    if not places:
        return {}
    committed = reading.committed(settings, groups.STREAMS, sorted({topic for topic, _ in places}))
    return {place: Progress(committed.get(place, 0), end) for place, end in reading.ends(settings, places).items()}


def _assigned(app: faust.App) -> set[Place]:
    """The partitions of this member, as its client has them: it is only read, and answers when its loop does not."""
    thread = app.transport.consumer_thread
    try:
        return {(place.topic, place.partition) for place in thread.assignment()} if thread else set()
    except ConsumerNotStarted:
        return set()


def _leaving(isolation: Isolation, handed: dict[Place, int]) -> Callable[..., Awaitable[None]]:
    async def left(_app: faust.App, revoked: Collection[Any], **_more: Any) -> None:
        places = [(place.topic, place.partition) for place in revoked]
        isolation.left(places)
        for place in places:
            handed.pop(place, None)

    return left


def _agent(processing: Work, isolation: Isolation, executor: ThreadPoolExecutor) -> Callable[[Any], Awaitable[None]]:
    async def work(stream: Any) -> None:
        async for event in stream.events():
            read = event.message.value
            await _run_batch(partial(_work_on, read, processing, isolation), executor, read)

    return work


def _work_on(read: Sequence[Delivery], processing: Work, isolation: Isolation) -> None:
    batch = _without_tombstones(read)
    if batch:
        isolation.work(batch, processing.run, processing.bury)


def _tending(processing: Work, executor: ThreadPoolExecutor) -> Callable[[], Awaitable[None]]:
    async def tend() -> None:
        with suppress(Stopped):  # what was left there is sent by whoever starts next
            await asyncio.get_running_loop().run_in_executor(executor, processing.tend)

    return tend


def _stopping(processing: Work, isolation: Isolation) -> Callable[..., Awaitable[None]]:
    async def stop(_app: faust.App, **_: Any) -> None:
        """Or a batch that waits for a database would hold up the end of the process for as long as that is away."""
        processing.stopping.set()
        isolation.stopping.set()

    return stop


async def _run_batch(work: Callable[[], None], executor: ThreadPoolExecutor, batch: Sequence[Delivery]) -> None:
    """Returns, by whatever way, only when the batch is at its end: Faust acknowledges it then."""
    running = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        _leave_if_failed(running.exception(), batch)
        raise
    except BaseException as error:
        _leave_if_failed(error, batch)


def _leave_if_failed(error: BaseException | None, batch: Sequence[Delivery]) -> None:
    if isinstance(error, Stopped):
        log.info("told to stop; leaving without a commit", deliveries=len(batch))
        os._exit(Exit.OK)
    if error is not None:
        log.error("a batch failed; leaving without a commit", deliveries=len(batch), exc_info=error)
        os._exit(Exit.BROKE)


def _without_tombstones(batch: Sequence[Delivery]) -> list[Delivery]:
    """The batch without the records of `catalog` that have no value: some connectors write one behind each delete.

    It says no more than the delete did, and has no version to be held against.
    """
    events = [each for each in batch if each.value or each.topic != topics.CATALOG.name]
    tombstones.inc(len(batch) - len(events))
    return events


def _batches(records: list[Delivery]) -> list[list[Delivery]]:
    """A campaign's records stand for many products each: others have their turn behind every one."""
    size = 1 if records and records[0].topic == topics.CAMPAIGNS.name else BATCH_MAX
    return [records[first : first + size] for first in range(0, len(records), size)]


def _delivery(record: Any) -> Delivery:
    """A record of aiokafka's as a Delivery. One without a value counts as empty bytes."""
    place = (record.topic, record.partition, record.offset)
    return Delivery(*place, record.key, record.value or b"", list(record.headers), written_at_ms(record.timestamp))


def _broker_urls(settings: Settings) -> list[str]:
    return [f"aiokafka://{server.strip()}" for server in settings.bootstrap_servers.split(",")]


class _TokenProvider(AbstractTokenProvider):
    def __init__(self, settings: Settings) -> None:
        self._tokens = tokens(settings)

    async def token(self) -> str:
        """The newest token. Raises Unavailable."""
        return (await asyncio.to_thread(self._tokens.newest))[0]


def _credentials(settings: Settings) -> Any:
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return None
    context = tls_context(settings) if protocol.endswith("SSL") else None
    if not protocol.startswith("SASL"):
        return faust.SSLCredentials(context)
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        return faust.OAuthCredentials(oauth_cb=_TokenProvider(settings), ssl_context=context)
    return faust.SASLCredentials(
        username=settings.kafka_sasl_username,
        password=settings.sasl_password,
        mechanism=settings.kafka_sasl_mechanism,
        ssl_context=context,
    )
