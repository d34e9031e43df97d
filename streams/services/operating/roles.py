"""The roles, each a process of its own in production: what it is made of, and how it runs until it is told to stop."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import structlog
from confluent_kafka import Consumer

from schemas import topics
from schemas.operations.base import Pool
from schemas.records import LANES, Lane
from streams.blobs import Blobs, open_store
from streams.consumer import drift, groups, reach, reading
from streams.consumer.clients import (
    AcknowledgedProducer,
    consumer_config,
    make_topics,
    membership,
    open_member,
    producer_config,
)
from streams.consumer.isolation import Isolation
from streams.consumer.letters import RetryPolicy
from streams.consumer.loop import ConsumerLoop
from streams.consumer.reader import OnCommit, OpenConsumer
from streams.consumer.registry import codec_of
from streams.consumer.retrier import Retrier
from streams.consumer.work import Executor
from streams.facts import Connectors, Database, ProductStates, Trials, Webhooks
from streams.facts.resealing import reseal
from streams.facts.sealing import Sealer
from streams.flow.processing import Processing
from streams.runtime import admin, observability
from streams.runtime.clock import now_ms
from streams.runtime.control_groups import allowed_cores
from streams.runtime.exits import Exit
from streams.runtime.health import NOT_JOINED, STOPPING, Health
from streams.runtime.settings import Settings, SettingsError
from streams.runtime.waiting import Stopped, until, wait_out
from streams.services.operating import retention
from streams.services.reports import last_day, review_ages
from streams.services.reports.setting_views import changed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


log = structlog.get_logger()


def run(role: str, pool: Pool | None, settings: Settings) -> None:
    """Runs a role until SIGTERM or SIGINT. Waits for a broker and a database that are away."""
    health = begin(settings, f"{role}-{pool}" if pool else role)
    if role == "cdn":
        run_cdn(settings, health)
        return
    stop = stop_on_signals()
    health.need(STOPPING, lambda: not stop.is_set())
    database = Database(settings.database)
    if role == "scaler":  # it makes nothing, and goes on while the facts are away
        run_scaler(settings, database, Process(stop, health))
        return
    try:
        wait_out(lambda: _prepare_topics(settings), until(stop))
        wait_out(lambda: prepare_tables(settings, database), until(stop))
        wait_out(lambda: retention.note_gaps(settings, database, _groups(role, pool)), until(stop))
    except Stopped:
        return
    if not stop.is_set():
        _run(role, pool, settings, database, Process(stop, health))


class Process(NamedTuple):
    """What a role knows of its process: when it is to stop, and whom it tells how it is."""

    stop: threading.Event
    health: Health


def _run(role: str, pool: Pool | None, settings: Settings, database: Database, process: Process) -> None:
    match role:
        case "streams":
            run_streams(settings, database, process.health)
        case "worker":
            assert pool is not None
            run_worker(pool, settings, database, process)
        case "publisher":
            run_publisher(settings, database, process)
        case "retrier":
            run_retrier(settings, database, process)
        case "webhooks":
            run_webhooks(settings, database, process)
        case "connectors":
            run_connectors(settings, database, process)


def begin(settings: Settings, name: str) -> Health:
    """Sets up logs, traces, metrics and probes of a role's process; who hears from now on how it is."""
    observability.set_up(settings, name)
    health = Health(settings.stalled_after_s)
    log.info("starting", metrics_port=admin.serve(settings, health.probes, health.pages), settings=changed(settings))
    return health


def run_streams(settings: Settings, database: Database, health: Health) -> None:
    """The Faust app; it handles the signals itself."""
    from streams.flow.app import build_app, run_app

    policy = RetryPolicy(settings.retry_delays, originals=_blobs(settings))
    processing = Processing(database, AcknowledgedProducer(settings), policy, settings.tenant_quota_per_hour)
    isolation = Isolation("streams", Trials(database))
    run_app(build_app(settings, processing, isolation, health), settings, processing, isolation)


def run_worker(pool: Pool, settings: Settings, database: Database, process: Process) -> None:
    """A worker of one pool: a consumer group for each of its lanes."""
    from gpu_workers.metering import Prices
    from gpu_workers.models.fetch import fetch_all
    from gpu_workers.pools import registry
    from gpu_workers.results import Results
    from gpu_workers.threads import one_thread_each
    from gpu_workers.worker import Worker

    one_thread_each()
    if pool == "cutout":
        fetch_all(settings.weights_folder, log.info)
    blobs = _blobs(settings)
    with registry.open_pool(pool, settings, blobs, s3_client(settings), database) as work:
        producer = AcknowledgedProducer(settings)
        handler = Worker(pool, work, Results(blobs), database, Prices.of(settings), producer.codec)
        isolation = Isolation(f"worker-{pool}", Trials(database))
        policy = RetryPolicy(settings.retry_delays, originals=blobs)
        executor = Executor(
            f"worker-{pool}", handler, producer, policy, isolation, settings.threads, urgent_threads=allowed_cores()
        )
        members: list[Consumer] = []
        lanes = {
            lane: (_member(settings, groups.worker(pool, lane), members), topics.TASKS[pool, lane].name)
            for lane in LANES
        }
        loop = _loop(f"worker-{pool}", lanes, executor, settings, process.health)
        reach.watch(settings, members)
        log.info("ready", pool=pool)
        process.health.start()
        _or_exit(f"worker-{pool}", partial(loop.run, process.stop))
        producer.close()


def run_publisher(settings: Settings, database: Database, process: Process) -> None:
    """The publisher."""
    from streams.publishing.publication import Publication
    from streams.publishing.publisher import DEAD_AT_ONCE, Publisher
    from streams.publishing.signing.keys import key_of
    from streams.publishing.signing.signer import Signing
    from streams.publishing.sweep import Sweep, sweep_at_intervals

    origin = open_store(settings.origin, s3_endpoint=settings.s3_endpoint)
    blobs = _blobs(settings)
    key = key_of(settings)
    signing = None if key is None else Signing(key, blobs.store)
    if signing is not None:
        signing.check()  # ends here, and not at a picture, where the key is no good
        log.info("signing", key=signing.key.id, self_made=signing.key.is_self_made)
    facts = ProductStates(database)
    publication = Publication(origin, blobs, facts, settings.cdn, now_ms, settings.replaced_grace_s, signing)
    if settings.sweep_interval_s:
        arguments = (Sweep(origin, now_ms), blobs.store, settings.sweep_interval_s, now_ms, process.stop)
        threading.Thread(target=sweep_at_intervals, args=arguments, name="sweep", daemon=True).start()
    isolation = Isolation("publisher", Trials(database))
    letters = replace(DEAD_AT_ONCE, originals=blobs)
    consumer, producer = consumer_config(settings, groups.PUBLISHER) | membership(settings), producer_config(settings)
    names = settings.names_folder
    turned = process.health.loop("publisher")
    publisher = Publisher(consumer, producer, publication, isolation, names, letters, codec_of(settings), turned)
    process.health.need(NOT_JOINED, lambda: publisher.has_joined)
    reach.watch(settings, [publisher.member])
    process.health.start()
    publisher.run(process.stop)


def run_retrier(settings: Settings, database: Database, process: Process) -> None:
    """The retrier, which looks after the retention of all topics, too."""
    producer = AcknowledgedProducer(settings)
    isolation = Isolation("retrier", Trials(database))
    consumer = open_member(settings, groups.RETRIER)
    reach.watch(settings, [consumer])
    turned, blobs = process.health.loop("retrier"), _blobs(settings)
    retrier = Retrier(consumer, producer, settings.retry_delays, isolation, blobs, turned)
    process.health.need(NOT_JOINED, lambda: retrier.has_joined)
    arguments = (settings, database, process.stop)
    threading.Thread(target=retention.look_at_intervals, args=arguments, name="retention", daemon=True).start()
    for look in (review_ages.LOOK, last_day.LOOK):
        look.start(process.stop, database)
    process.health.start()
    retrier.run(process.stop)
    producer.close()


def run_webhooks(settings: Settings, database: Database, process: Process) -> None:
    """Notes what is published for those who asked for it, and tells them."""
    from streams.webhooks.dispatcher import Dispatcher
    from streams.webhooks.noting import DEAD_AT_ONCE as LETTERS
    from streams.webhooks.noting import Noting

    sealer, producer = Sealer(settings.sealing_keys), AcknowledgedProducer(settings)
    reseal(database, sealer)  # ends here, and not at a delivery, where the keys of their secrets are missing
    webhooks = Webhooks(database, sealer)
    letters = replace(LETTERS, originals=_blobs(settings))
    isolation = Isolation("webhooks", Trials(database))
    executor = Executor("webhooks", Noting(webhooks, time, producer.codec), producer, letters, isolation, threads=1)
    members: list[Consumer] = []
    lanes: dict[Lane, tuple[OpenConsumer, str]] = {
        "standard": (_member(settings, groups.WEBHOOKS, members), topics.PUBLISHED.name)
    }
    loop = _loop("webhooks", lanes, executor, settings, process.health)
    reach.watch(settings, members)
    networks = tuple(settings.webhook_private_networks)
    turned = process.health.loop("the sender")
    sending = partial(_or_exit, "webhooks", partial(Dispatcher(webhooks).run, process.stop, networks, turned))
    sender = threading.Thread(target=sending, name="webhooks-sender")
    sender.start()
    process.health.start()
    _or_exit("webhooks", partial(loop.run, process.stop))
    sender.join()
    producer.close()


def run_connectors(settings: Settings, database: Database, process: Process) -> None:
    """Notes what shops say and what is published, and works for every connector."""
    from streams.connectors.noting import DEAD_AT_ONCE as LETTERS
    from streams.connectors.noting import Noting
    from streams.connectors.running import Runner
    from streams.connectors.showing import Showing
    from streams.connectors.taking import Taking

    sealer, producer = Sealer(settings.sealing_keys), AcknowledgedProducer(settings)
    reseal(database, sealer)
    connectors = Connectors(database, sealer)
    letters = replace(LETTERS, originals=_blobs(settings))
    isolation = Isolation("connectors", Trials(database))
    executor = Executor(
        "connectors", Noting(connectors, now_ms, producer.codec), producer, letters, isolation, threads=1
    )
    members: list[Consumer] = []
    lanes: dict[Lane, tuple[OpenConsumer, str]] = {
        "urgent": (_member(settings, groups.CONNECTORS_IN, members), topics.INBOUND.name),
        "standard": (_member(settings, groups.CONNECTORS_OUT, members), topics.PUBLISHED.name),
    }
    loop = _loop("connectors", lanes, executor, settings, process.health)
    reach.watch(settings, members)
    showing = Showing(connectors, open_store(settings.origin, s3_endpoint=settings.s3_endpoint))
    networks = settings.connector_private_networks
    runner = Runner(connectors, Taking(database, connectors, producer), showing, networks, settings.s3_endpoint)
    work = partial(runner.run, process.stop, process.health.loop("the connectors' runner"))
    working = threading.Thread(target=partial(_or_exit, "connectors", work), name="connectors")
    working.start()
    process.health.start()
    _or_exit("connectors", partial(loop.run, process.stop))
    working.join()
    producer.close()


def run_scaler(settings: Settings, database: Database, process: Process) -> None:
    """Says how many workers there are to be, until it is told to stop."""
    try:
        from streams.scaling import serving
    except ModuleNotFoundError as error:
        raise SettingsError(f"the scaler needs packshot's extra `scaler`: {error.name} is not installed") from error
    from streams.scaling.board import Board
    from streams.scaling.scaler import KEPT_LOOKS, Scaler

    board = Board(time, KEPT_LOOKS * settings.scaler_interval_s)
    process.health.say("/replicas", board.view)
    process.health.need("it has not seen every pool yet", lambda: board.has_all)
    server, _ = serving.serve(board, settings.scaler_host, settings.scaler_port)
    turned = process.health.loop("the scaler")
    process.health.start()
    _or_exit("scaler", partial(Scaler(settings, database, board).run, process.stop, turned))
    board.close()
    server.stop(serving.GRACE_S).wait()


def run_cdn(settings: Settings, health: Health) -> None:
    """The local CDN."""
    from aiohttp import web

    from streams.cdn.server import build_app

    app = build_app(open_store(settings.origin, s3_endpoint=settings.s3_endpoint))

    def serves(line: str) -> None:
        log.info(line)
        health.start()

    web.run_app(app, host=settings.cdn_host, port=settings.cdn_port, print=serves)


def _loop(
    role: str,
    lanes: Mapping[Lane, tuple[OpenConsumer, str]],
    executor: Executor,
    settings: Settings,
    health: Health,
) -> ConsumerLoop:
    """The loop of a role, which tells how it is."""
    has_record = partial(reading.has_record, settings)
    loop = ConsumerLoop(
        role,
        lanes,
        executor,
        has_record,
        settings.stalled_after_s,
        turned=health.loop("the loop of consumers"),
        drain_s=settings.drain_s,
    )
    health.need(NOT_JOINED, lambda: loop.has_joined)
    return loop


def _groups(role: str, pool: Pool | None) -> list[str]:
    """The groups that a role reads in."""
    if pool is not None:
        return [groups.worker(pool, lane) for lane in LANES]
    return _GROUPS[role]


_GROUPS = {
    "streams": [groups.STREAMS],
    "publisher": [groups.PUBLISHER],
    "retrier": [groups.RETRIER],
    "webhooks": [groups.WEBHOOKS],
    "connectors": [groups.CONNECTORS_IN, groups.CONNECTORS_OUT],
}


def _prepare_topics(settings: Settings) -> None:
    if settings.provisioning == "roles":
        make_topics(settings)
    drift.verify(settings)


def prepare_tables(settings: Settings, database: Database) -> None:
    """Makes the tables that are missing, where roles do so. Raises Unavailable where another is to, and has not yet."""
    if settings.provisioning == "roles":
        database.create_tables()
    else:
        database.check_tables()


def _blobs(settings: Settings) -> Blobs:
    return Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint))


def s3_client(settings: Settings) -> "S3Client | None":
    """The client for s3: sources, where any bucket is allowed as a source."""
    if not settings.source_buckets:
        return None
    import boto3

    return boto3.client("s3", endpoint_url=settings.s3_endpoint)


def _member(settings: Settings, group: str, members: list[Consumer]) -> OpenConsumer:
    def open_noted(on_commit: OnCommit) -> Consumer:
        members.append(open_member(settings, group, on_commit=on_commit))
        return members[-1]

    return open_noted


def _or_exit(role: str, run: Callable[[], None]) -> None:
    """Runs it. Where it fails the process ends at once, uncommitted; a thread that hangs is not waited for."""
    try:
        run()
    except Exception:
        log.exception("it cannot go on", role=role)
        os._exit(Exit.BROKE)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM or SIGINT sets."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
