"""What the commands do on this machine: connect, read, decide, and run the whole system."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from schemas import topics
from schemas.records import DecisionUndone, Event, RetractionDecided, ReviewDecided
from streams.consumer import drift, groups, reading
from streams.consumer.clients import AcknowledgedProducer, make_topics
from streams.consumer.letters import event_in
from streams.consumer.registry import codec_of
from streams.embedded import choose_broker
from streams.facts import EVERY, Database, Review, schema
from streams.facts.resealing import reseal
from streams.facts.sealing import Sealer
from streams.runtime import observability
from streams.runtime.errors import Refused
from streams.runtime.health import tell_ready
from streams.runtime.settings import Settings, SettingsError, variable
from streams.runtime.supervisor import Supervisor, environment, only_one, write_running_file
from streams.services.access import sessions
from streams.services.operating import decisions
from streams.services.operating.double_review import check_alone
from streams.services.recovery.rebuilding import Rebuilt, rebuild
from streams.services.reports.status import open_database, tenants_of

NOTED_WITHIN_S = 15.0
Say = Callable[[str], None]

log = structlog.get_logger()


@dataclass(frozen=True)
class Upgraded:
    """The revisions of the tables before an upgrade, None where there was none, and after it."""

    before: str | None
    after: str


def upgraded(settings: Settings) -> Upgraded:
    """Brings the database's tables forward to this version's, and seals their secrets.

    Raises SchemaMismatch, Unsealable.
    """
    database = Database(settings.database)
    try:
        before = database.upgrade()
        reseal(database, Sealer(settings.sealing_keys))
        return Upgraded(before, schema.HEAD)
    finally:
        database.close()


@contextlib.contextmanager
def connect(settings: Settings) -> Iterator[tuple[Database, AcknowledgedProducer]]:
    """The facts, and a producer on topics that are there."""
    observability.set_up(settings, "command")
    make_topics(settings)
    with open_database(settings) as database:
        producer = AcknowledgedProducer(settings)
        try:
            yield database, producer
        finally:
            producer.close()


def noted(is_noted: Callable[[], bool]) -> bool:
    """Waits until the streams role has noted what it was told; False when it has not by the time that is given it."""
    give_up_at = time.monotonic() + NOTED_WITHIN_S
    while not is_noted():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.1)
    return True


def decide(settings: Settings, shortened: str, **decision: Any) -> ReviewDecided:
    """Sends a person's decision on the pending review whose id begins with `shortened`. Raises Refused."""
    with connect(settings) as (database, producer):
        with database.read() as facts:
            review = _one_review(facts.reviews.every(), shortened, "pending")
            check_alone(review, facts, settings.review_twice_share)
            is_live = decisions.live([review], facts) != []
        return decisions.decide(review, producer, is_live=is_live, **decision)


def undo(settings: Settings, shortened: str, reason: str, decided_by: str) -> DecisionUndone:
    """Takes back the decision on the review whose id begins with `shortened`. Raises Refused for one without."""
    with connect(settings) as (database, producer):
        with database.read() as facts:
            decided = [each for each in facts.reviews.every(pending=False) if decisions.standing(each) is not None]
        review = _one_review(decided, shortened, "decided")
        return decisions.undo(review, producer, reason, decided_by)


def retract(
    settings: Settings, sku: str, assets: Sequence[str], tenant: str | None, reason: str, decided_by: str
) -> RetractionDecided:
    """Sends a person's decision to take assets of a product off the shop, all of them when none is named.

    Raises Refused for a product or an asset that nobody knows, and for a SKU that several tenants have.
    """
    with connect(settings) as (database, producer):
        tenants = tenants_of(database, sku, tenant)
        if len(tenants) > 1:
            raise Refused("ambiguous_sku", f"{', '.join(tenants)} have the SKU {sku}: say --tenant", field="tenant")
        return decisions.retract(database, producer, tenants[0], sku, assets, reason, decided_by)


def rebuild_facts(settings: Settings, say: Say) -> list[Rebuilt]:
    """Makes the facts anew while nobody else writes them, with a broker of our own where none is named.

    Raises Refused while the streams role is at work, AlreadyRunning while a `packshot up` is.
    """
    if settings.kafka_bootstrap_servers:
        _check_stopped(settings)
        return rebuild(settings)
    with only_one(settings.data_folder), _broker(settings, say) as (bootstrap_servers, *_):
        return rebuild(replace(settings, kafka_bootstrap_servers=bootstrap_servers))


def _check_stopped(settings: Settings) -> None:
    if reading.has_members(settings, groups.STREAMS):
        raise Refused("streams_running", "the streams role is at work: stop it first, or it would write facts as well")


def published_events(settings: Settings, *, follow: bool) -> Iterator[Event]:
    """The events for listing services from the first on; ends at the topic's end unless `follow`."""
    codec = codec_of(settings)
    for each in reading.read(settings, [topics.PUBLISHED.name], follow=follow):
        try:
            yield event_in(each, codec)
        except Refused as refusal:
            log.warning("no event", position=each.position, code=refusal.code, reason=refusal.message)


@contextlib.contextmanager
def running_system(settings: Settings, say: Say, warn: Say) -> Iterator[tuple[Settings, Supervisor]]:
    """The whole system, stopped when the block ends. `warn` is told of roles that died."""
    from gpu_workers.models.fetch import fetch_all  # engines and all: what no other command of this module needs

    is_own = settings.kafka_bootstrap_servers is None
    with (
        only_one(settings.data_folder),
        _free_ports(settings),
        _broker(settings, say) as (bootstrap_servers, name, promises, frees_partitions),
    ):
        settings = replace(settings, kafka_bootstrap_servers=bootstrap_servers)
        upgraded(settings)
        with open_database(settings):
            drift.mend(settings, drift.find(settings)) if is_own else make_topics(settings)
        fetch_all(settings.weights_folder, say)
        around, logs = environment(settings, bootstrap_servers), settings.data_folder / "logs"
        supervisor = Supervisor(around, logs, warn, named_members=not frees_partitions)
        write_running_file(
            settings,
            bootstrap_servers=bootstrap_servers,
            broker=name,
            promises=promises,
            cdn=settings.cdn,
            gateway=settings.gateway,
        )
        try:
            yield settings, supervisor
        finally:
            supervisor.stop()
            settings.running_file.unlink(missing_ok=True)


def run_until_stopped(settings: Settings, say: Say, warn: Say, announce: Callable[[Settings], None]) -> None:
    """`packshot up`; `announce` is called once every role is ready."""
    observability.set_up(settings, "up")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with running_system(settings, say, warn) as (running, supervisor):
        say("starting the roles …")
        if supervisor.wait_until_ready(stop):
            announce(running)
            tell_ready()
            supervisor.watch(stop)
        say("stopping …")


@contextlib.contextmanager
def _broker(settings: Settings, say: Say) -> Iterator[tuple[str, str, str, bool]]:
    """The brokers to use: those of the settings, or one that is started for as long as the block lasts."""
    if settings.kafka_bootstrap_servers:
        yield settings.kafka_bootstrap_servers, "your brokers", "", True
        return
    broker = choose_broker(settings.data_folder, settings.cache_folder, settings.embedded_broker)
    say(f"starting {broker.name} …")
    broker.start()
    try:
        yield broker.bootstrap_servers, broker.name, broker.promises, broker.frees_partitions
    finally:
        broker.stop()


def desk_link(settings: Settings) -> str:
    """A link to the desk for whoever runs the system here: they may do everything anyway."""
    with open_database(settings) as database:
        return sessions.address(settings.gateway, sessions.link(database, "here", (EVERY,), "operator"))


def _one_review(reviews: list[Review], shortened: str, which: str) -> Review:
    found = [review for review in reviews if review.review_id.startswith(shortened)]
    if len(found) != 1:
        count = "no" if not found else f"{len(found)}"
        raise Refused("unknown_review", f"{count} {which} reviews begin with {shortened!r}", field="review_id")
    return found[0]


@contextlib.contextmanager
def _free_ports(settings: Settings) -> Iterator[None]:
    """Raises SettingsError before anything is started, where somebody else has the CDN's port, or the API's."""
    _check_free("127.0.0.1", settings.cdn_port, "cdn_port")
    _check_free(settings.gateway_host, settings.gateway_port, "gateway_port")
    yield


def _check_free(host: str, port: int, field: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise SettingsError(f"port {port} of {host} is taken; name another in {variable(field)}") from None
