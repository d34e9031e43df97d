"""`packshot check`: is everything reachable and sane?"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas import topics
from streams.blobs import StoreError, open_store
from streams.consumer import backlog, drift
from streams.consumer.clients import client_config
from streams.consumer.reading import has_members
from streams.consumer.unreachable import described
from streams.facts import UNSENT_AFTER_S, Database, Loss
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.masking import masked
from streams.runtime.settings import Settings, SettingsError
from streams.services.audit.standing import progress, standing
from streams.services.operating import retention
from streams.services.releases import policy_folder
from streams.services.releases.channel_folder import unreleased


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    text: str


class CheckFailed(Exception):
    """What was looked at is not as it must be."""


def check_everything(settings: Settings) -> list[Finding]:
    """Looks at each part; none of them keeps the others from being looked at."""
    parts: dict[str, Callable[[Settings], str]] = {
        "broker": _broker,
        "topics": _topics,
        "backlog": _backlog,
        "readers": _readers,
        "database": _database,
        "outbox": _outbox,
        "partitions": _partitions,
        "blobs": lambda its: _store(its.blobs, its),
        "origin": lambda its: _store(its.origin, its),
        "weights": _weights,
        "engine": _engine,
        "rules": _rules,
    }
    return [_look(name, part, settings) for name, part in parts.items()]


def _look(name: str, part: Callable[[Settings], str], settings: Settings) -> Finding:
    from gpu_workers.engines import EngineError
    from gpu_workers.models.manifest import ModelError

    try:
        return Finding(name, True, part(settings))
    except (CheckFailed, SettingsError, StoreError, Unavailable, Refused, ModelError, EngineError) as error:
        return Finding(name, False, str(error))


def _broker(settings: Settings) -> str:
    running = json.loads(settings.running_file.read_text()) if settings.running_file.exists() else {}
    try:
        brokers = AdminClient(client_config(settings)).list_topics(timeout=5).brokers
    except KafkaException as error:
        raise CheckFailed(described(settings, error)) from error
    text = f"{len(brokers)} at {settings.bootstrap_servers}"
    return (
        f"{running['broker']}, {text}. {running['promises']}"
        if running and not settings.kafka_bootstrap_servers
        else text
    )


def _topics(settings: Settings) -> str:
    try:
        there = AdminClient(client_config(settings)).list_topics(timeout=5).topics
    except KafkaException as error:
        raise CheckFailed(described(settings, error)) from error
    wanted = topics.every(settings.retry_delays)
    missing = [topic.name for topic in wanted if topic.name not in there]
    if missing:
        raise CheckFailed(f"missing: {', '.join(missing)}; any role makes them when it starts")
    if drifts := drift.find(settings):
        raise CheckFailed(f"{'; '.join(map(str, drifts))}: see `packshot topics plan`")
    return f"all {len(wanted)} are there, and as they should be"


def _backlog(settings: Settings) -> str:
    if lost := _losses(settings):
        lines = "; ".join(f"{each.name}: {each.text}" for each in lost)
        raise CheckFailed(f"{lines}; `packshot topics recover` has made again what hung on them")
    unread = backlog.find(settings)
    oldest = max(unread, key=lambda each: each.share, default=None)
    if oldest is None:
        return "nothing is unread"
    text = f"{oldest.name}: the oldest unread record has used {oldest.share:.0%} of its retention"
    if oldest.share > backlog.WARN_SHARE:
        raise CheckFailed(f"{text}; a retrier has it kept for longer, as does `packshot topics apply`")
    return text


def _readers(settings: Settings) -> str:
    """Groups that have something to read and nobody in them: a role that is down says nothing of itself."""
    unread: dict[str, int] = {}
    for each in backlog.find(settings):
        unread[each.group] = unread.get(each.group, 0) + each.behind
    alone = [group for group in sorted(unread) if not has_members(settings, group)]
    if alone:
        names = ", ".join(f"{group} (up to {unread[group]} records)" for group in alone)
        raise CheckFailed(f"there is something to read, and nobody at work: {names}")
    return f"{len(unread)} groups have something to read, and each has members"


def _losses(settings: Settings) -> list[Loss]:
    database = Database(settings.database)
    database.create_tables()
    found = retention.noted(settings, database)
    database.close()
    return found


def _database(settings: Settings) -> str:
    database = Database(settings.database)
    database.create_tables()
    count = len(database.products())
    database.close()
    return f"{masked(settings.database)}, {count} products"


def _outbox(settings: Settings) -> str:
    """What follows from facts and nobody sends: with a streams role at work it is gone within seconds."""
    database = Database(settings.database)
    database.create_tables()
    with database.read() as facts:
        backlog = facts.outbox.backlog()
    database.close()
    waited_s = (time.time_ns() // 1_000_000 - backlog.oldest_ms) / 1000 if backlog.rows else 0
    if waited_s > UNSENT_AFTER_S:
        message = f"{backlog.rows} records that follow from facts are not sent, the oldest for {waited_s:.0f} s"
        raise CheckFailed(f"{message}; any streams role that runs sends them")
    return f"{backlog.rows} records under way"


def _partitions(settings: Settings) -> str:
    database = Database(settings.database)
    database.create_tables()
    found = [f"{each.name}: {each.text}" for each in standing(settings, database, progress(settings))]
    database.close()
    if found:
        raise CheckFailed("; ".join(found))
    return "none stands"


def _store(url: str, settings: Settings) -> str:
    open_store(url, s3_endpoint=settings.s3_endpoint).check()
    return url


def _weights(settings: Settings) -> str:
    from gpu_workers.models.loader import model_path
    from gpu_workers.models.manifest import shipped

    return ", ".join(model_path(model, settings.weights_folder).name for model in shipped().values())


def _engine(settings: Settings) -> str:
    from gpu_workers.engines import choose_engine

    choice = choose_engine(settings.engine)
    rejected = "".join(f"; not {name}: {why}" for name, why in choice.rejected.items())
    return f"{choice.name}{rejected}"


def _rules(settings: Settings) -> str:
    """By the facts, as every role has them."""
    database = Database(settings.database)
    database.create_tables()
    with database.read() as facts:
        cookbook = facts.recipes.cookbook()
    database.close()
    waiting = [made.rule_version for _, made in unreleased(settings, cookbook.rules)]
    if waiting:
        message = f"{', '.join(waiting)} of {settings.channels} count for nobody yet"
        raise CheckFailed(f"{message}; `packshot channels release` lets them")
    if texts := [made.ref for _, made in policy_folder.unreleased(settings, cookbook.policy)]:
        message = f"{', '.join(texts)} of {settings.policies} count for nobody yet"
        raise CheckFailed(f"{message}; `packshot policies release` lets them")
    versions = [cookbook.rules.load(name).rule_version for name in cookbook.rules.names()]
    return f"{', '.join(versions)}; recipes {', '.join(sorted(cookbook.recipes))}"
