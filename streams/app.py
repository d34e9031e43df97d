"""The Faust app: which topic goes to the processors, and when its offsets may move. The only module that knows Faust.

Faust acknowledges an event even when its agent raised. So nothing is raised here: a batch that cannot be brought to
its end ends the process, uncommitted, and whoever supervises the process starts it again.
"""

import asyncio
import inspect
import os
import ssl
import types
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import faust
import structlog
from faust.transport.drivers import aiokafka
from mode.services import WaitResults

from streams.consumer import groups
from streams.consumer.letters import Delivery
from streams.processing import CONSUMED, Processing
from streams.settings import Settings

BATCH_MAX = 100
BATCH_WITHIN_S = 0.05
HEARTBEAT_S = 0.5  # it is by a heartbeat that members hear of a rebalance, and all wait for the last to hear
EXIT_BATCH_FAILED = 70

log = structlog.get_logger()


def build_app(settings: Settings, processing: Processing) -> faust.App:
    """The app: one agent a topic, each working on one batch at a time."""
    settings.data_folder.mkdir(parents=True, exist_ok=True)  # Faust makes its own folder only
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
        stream_wait_empty=True,
        web_enabled=False,
    )
    app.transport = _Transport(app.conf.broker_consumer, app)
    # One thread: batches of different topics follow one another, as their facts do.
    executor = ThreadPoolExecutor(1, thread_name_prefix="processing")
    for topic in CONSUMED:
        channel = app.topic(topic.name, key_type=bytes, value_type=bytes)
        app.agent(channel, name=topic.name, concurrency=1)(_agent(processing, executor))
    return app


def run_app(app: faust.App) -> None:
    """Runs the app in this process until it is told to stop by a signal."""
    faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False, daemon=True).execute_from_commandline()


class _ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust's own is read_uncommitted: facts would be made of announcements that are never made.
        consumer._isolation_level = "read_committed"
        return consumer


class _Consumer(aiokafka.Consumer):
    async def wait_first(self, *waited: Any, timeout: Any = None) -> Any:
        """Faust waits thus for each message to be handed to its stream, with four tasks, and mostly has not to wait."""
        if len(waited) != 2 or not all(map(inspect.iscoroutine, waited)):
            return await super().wait_first(*waited, timeout=timeout)
        handing, suspended = waited
        try:
            awaited = handing.send(None)
        except StopIteration as end:
            suspended.close()
            stopped = self._stopped.is_set() or self._crashed.is_set()
            return WaitResults([], [], True) if stopped else WaitResults([handing], [end.value], False)
        except BaseException:
            suspended.close()
            raise
        return await super().wait_first(_resumed(handing, awaited), suspended, timeout=timeout)

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


async def _resumed(begun: Any, awaited: Any) -> Any:
    """What is left of a coroutine whose first step has been made and awaits `awaited`."""
    return await _rest(begun, awaited)


@types.coroutine
def _rest(begun: Any, awaited: Any) -> Generator[Any, Any, Any]:
    while True:
        try:
            sent = yield awaited
        except BaseException as error:
            step = partial(begun.throw, error)
        else:
            step = partial(begun.send, sent)
        try:
            awaited = step()
        except StopIteration as end:
            return end.value


class _Transport(aiokafka.Transport):
    Consumer = _Consumer


def _agent(processing: Processing, executor: ThreadPoolExecutor) -> Callable[[Any], Awaitable[None]]:
    async def work(stream: Any) -> None:
        async for events in stream.take_events(BATCH_MAX, within=BATCH_WITHIN_S):
            await _run_batch(processing, executor, [_delivery(event.message) for event in events])

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


def _delivery(message: Any) -> Delivery:
    headers = message.headers.items() if isinstance(message.headers, dict) else message.headers or []
    timestamp_ms = round((message.timestamp or 0) * 1000)
    value = message.value or b""
    return Delivery(message.topic, message.partition, message.offset, message.key, value, list(headers), timestamp_ms)


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
        password=settings.kafka_sasl_password,
        mechanism=settings.kafka_sasl_mechanism,
        ssl_context=context,
    )
