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
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import faust
import structlog
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka

from streams.consumer import groups, reading
from streams.consumer.letters import Delivery, written_at_ms
from streams.consumer.reading import Place
from streams.consumer.standstill import Standing, Standstill
from streams.consumer.watchdog import StoodStill
from streams.errors import Unavailable
from streams.observability import tell_ready
from streams.private import private_folder
from streams.processing import CONSUMED, Processing
from streams.settings import Settings

BATCH_MAX = 100
BATCHES_BUFFERED = 8  # of each topic
HEARTBEAT_S = 0.5  # it is by a heartbeat that members hear of a rebalance, and all wait for the last to hear
EXIT_BATCH_FAILED = 70
EXIT_STOOD_STILL = 71
LOOK_EVERY_MAX_S = 30.0

log = structlog.get_logger()


def build_app(settings: Settings, processing: Processing) -> faust.App:
    """The app: one agent a topic, each working on one batch at a time."""
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
        datadir=str(settings.data_folder / "faust"),
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_buffer_maxsize=BATCHES_BUFFERED,
        stream_wait_empty=True,
        web_enabled=False,
    )
    app.transport = _Transport(app.conf.broker_consumer, app)
    # One thread: batches of different topics follow one another, as their facts do.
    executor = ThreadPoolExecutor(1, thread_name_prefix="processing")
    app.task()(_ready)
    for topic in CONSUMED:
        channel = app.topic(topic.name)
        app.agent(channel, name=topic.name, concurrency=1)(_agent(processing, executor))
    return app


async def _ready() -> None:
    tell_ready()


def run_app(app: faust.App, settings: Settings, processing: Processing) -> None:
    """Runs the app in this process until it is told to stop by a signal, or stands still."""
    threading.Thread(target=_watch, args=[app, settings, processing], name="liveness", daemon=True).start()
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
        """Of each partition its batches of records, in the place of Faust's single records."""
        read = await super().getmany(active_partitions, timeout)
        return {place: _batches(records) for place, records in read.items()}


class _Consumer(aiokafka.Consumer):
    def _new_consumer_thread(self) -> _ConsumerThread:
        thread = _ConsumerThread(self, loop=self.loop, beacon=self.beacon)
        self.transport.consumer_thread = thread
        return thread

    def _to_message(self, place: Any, batch: Sequence[Any]) -> Any:
        """A batch as Faust's message, at the place of its last record."""
        message = super()._to_message(place, batch[-1])
        message.key, message.value = None, batch
        return message

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


def _watch(app: faust.App, settings: Settings, processing: Processing) -> None:
    """Ends the process when a partition of this member stands still although the broker has records of it for us."""
    standstill = Standstill(settings.stalled_after_s, partial(reading.has_record, settings))
    while True:
        time.sleep(min(settings.stalled_after_s / 20, LOOK_EVERY_MAX_S))
        try:
            standstill.look({} if processing.is_waiting else _standings(settings, _assigned(app)))
        except StoodStill as stood:
            log.error("a partition is not read; leaving without a commit", reason=str(stood))
            os._exit(EXIT_STOOD_STILL)
        except Unavailable as away:
            log.warning("liveness not known", reason=str(away))
            standstill.look({})  # no answer is no stall
        except Exception:
            log.exception("liveness not known")
            standstill.look({})


def _standings(settings: Settings, places: set[Place]) -> dict[Place, Standing]:
    if not places:
        return {}
    committed = reading.committed(settings, groups.STREAMS, sorted({topic for topic, _ in places}))
    return {place: Standing(committed.get(place, 0), end) for place, end in reading.ends(settings, places).items()}


def _assigned(app: faust.App) -> set[Place]:
    """The partitions of this member, as its client has them: it is only read, and answers when its loop does not."""
    thread = app.transport.consumer_thread
    try:
        return {(place.topic, place.partition) for place in thread.assignment()} if thread else set()
    except ConsumerNotStarted:
        return set()


def _agent(processing: Processing, executor: ThreadPoolExecutor) -> Callable[[Any], Awaitable[None]]:
    async def work(stream: Any) -> None:
        async for event in stream.events():
            await _run_batch(processing, executor, [_delivery(record) for record in event.message.value])

    return work


async def _run_batch(processing: Processing, executor: ThreadPoolExecutor, batch: Sequence[Delivery]) -> None:
    """Returns, by whatever way, only when the batch is at its end: Faust acknowledges it then."""
    running = asyncio.get_running_loop().run_in_executor(executor, processing.run, batch)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        _leave_if_failed(running.exception(), batch)
        raise
    except BaseException as error:
        _leave_if_failed(error, batch)


def _leave_if_failed(error: BaseException | None, batch: Sequence[Delivery]) -> None:
    if error is not None:
        log.error("a batch failed; leaving without a commit", deliveries=len(batch), exc_info=error)
        os._exit(EXIT_BATCH_FAILED)


def _batches(records: list[Any]) -> list[list[Any]]:
    return [records[first : first + BATCH_MAX] for first in range(0, len(records), BATCH_MAX)]


def _delivery(record: Any) -> Delivery:
    """A record of aiokafka's as a Delivery. One without a value counts as empty bytes."""
    place = (record.topic, record.partition, record.offset)
    return Delivery(*place, record.key, record.value or b"", list(record.headers), written_at_ms(record.timestamp))


def _broker_urls(settings: Settings) -> list[str]:
    return [f"aiokafka://{server.strip()}" for server in settings.bootstrap_servers.split(",")]


def _credentials(settings: Settings) -> Any:
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return None
    context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_file) if protocol.endswith("SSL") else None
    if not protocol.startswith("SASL"):
        return faust.SSLCredentials(context)
    return faust.SASLCredentials(
        username=settings.kafka_sasl_username,
        password=settings.sasl_password,
        mechanism=settings.kafka_sasl_mechanism,
        ssl_context=context,
    )
