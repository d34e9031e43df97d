"""How the topics of a cluster differ from what we rely on; see schemas.topics. More than that is no difference."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    TopicMetadata,
)
from confluent_kafka.cimpl import NewPartitions

from schemas import topics
from schemas.topics import Topic
from streams.consumer.clients import client_config, make_topics
from streams.consumer.unreachable import described, unreachable
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings, variable

CALL_S = 30.0
EXISTENCE = "the topic"
PARTITIONS = "partitions"
REPLICAS = "replicas"
ENDLESS = -1
POLL_S = 0.2
REFUSED = frozenset({  # what another try does not change
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.INVALID_CONFIG,
    KafkaError.INVALID_PARTITIONS,
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.INVALID_REQUEST,
    KafkaError.POLICY_VIOLATION,
    KafkaError.UNSUPPORTED_VERSION,
})  # fmt: skip

log = structlog.get_logger()


@dataclass(frozen=True)
class Drift:
    """One setting of one topic that is less than it should be."""

    topic: str
    setting: str
    found: str
    wanted: str

    @property
    def needs_asking(self) -> bool:
        """Whether mending it moves keys to other partitions."""
        return self.setting == PARTITIONS

    @property
    def needs_an_operator(self) -> bool:
        """Whether it is not ours to mend: replicas are moved with Kafka's own tools."""
        return self.setting == REPLICAS

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, should be {self.wanted}"


def find(settings: Settings) -> list[Drift]:
    """Every difference. Raises Unavailable, Refused where it may not be asked."""
    admin = AdminClient(client_config(settings))
    there = _result(settings, lambda: admin.list_topics(timeout=CALL_S)).topics
    wanted = topics.every(settings.retry_delays)
    present = [topic for topic in wanted if topic.name in there]
    missing = [Drift(topic.name, EXISTENCE, "missing", "there") for topic in wanted if topic.name not in there]
    configs = _configs_of(admin, [topic.name for topic in present], settings)
    return missing + [
        drift
        for topic in present
        for drift in (*_of_config(topic, configs[topic.name], settings), *_of_layout(there[topic.name], settings))
    ]


def retention_ms(settings: Settings, names: Sequence[str]) -> dict[str, int]:
    """How long each topic keeps its records; ENDLESS for ever. Raises Unavailable, Refused."""
    configs = _configs_of(AdminClient(client_config(settings)), names, settings)
    return {name: int(config["retention.ms"].value or ENDLESS) for name, config in configs.items()}


def mend(settings: Settings, drifts: Sequence[Drift], *, partitions: bool = False) -> list[Drift]:
    """Makes topics that are missing, and mends what can be; returns what was. Partitions are added only when asked.

    Raises Unavailable, Refused where it may not be done.
    """
    make_topics(settings)
    admin = AdminClient(client_config(settings))
    ours = [drift for drift in drifts if not drift.needs_an_operator and (partitions or not drift.needs_asking)]
    altered = [_altered(name, list(of_topic)) for name, of_topic in groupby(_configs(ours), lambda drift: drift.topic)]
    grown = [NewPartitions(drift.topic, int(drift.wanted)) for drift in ours if drift.needs_asking]
    futures = [
        *(admin.incremental_alter_configs(altered, request_timeout=CALL_S) if altered else {}).values(),
        *(admin.create_partitions(grown, request_timeout=CALL_S) if grown else {}).values(),
    ]
    for future in futures:
        _answer(settings, future)
    _wait_until_seen(settings, ours)
    return ours


def _wait_until_seen(settings: Settings, mended: Sequence[Drift]) -> None:
    """The controller answers before the brokers know. Raises Unavailable when they do not hear of it."""
    give_up_at = time.monotonic() + CALL_S
    while left := _not_seen(settings, mended):
        if time.monotonic() > give_up_at:
            raise Unavailable(f"the brokers have not taken what they were told: {left[0]}")
        time.sleep(POLL_S)


def _not_seen(settings: Settings, mended: Sequence[Drift]) -> list[Drift]:
    of_config = _configs(mended)
    configs = _configs_of(AdminClient(client_config(settings)), sorted({each.topic for each in of_config}), settings)
    places = {(each.topic, each.setting) for each in mended if each not in of_config}
    return [
        *(each for each in of_config if not _is_enough(configs[each.topic][each.setting].value or "", each.wanted)),
        *(each for each in find(settings) if (each.topic, each.setting) in places),
    ]


def verify(settings: Settings) -> None:
    """Raises Refused when a topic is less than we rely on, unless that is accepted; then it is logged.

    Partitions are only told: work is done with fewer as well. Raises Unavailable while a topic is not there.
    """
    drifts = find(settings)
    if missing := [drift for drift in drifts if drift.setting == EXISTENCE]:
        raise Unavailable(str(missing[0]))  # just made, and this broker has not heard of it yet
    weaker = [drift for drift in drifts if not drift.needs_asking]
    for drift in drifts if settings.kafka_accept_weaker_topics else [each for each in drifts if each.needs_asking]:
        log.warning("topic is less than it should be", **drift.__dict__)
    if weaker and not settings.kafka_accept_weaker_topics:
        more = f"; and {len(weaker) - 1} more" if len(weaker) > 1 else ""
        how = f"`packshot topics apply` mends it, {variable('kafka_accept_weaker_topics')}=true accepts it"
        raise Refused("topics_drifted", f"{weaker[0]}{more}: {how}", field=weaker[0].setting)


def _configs_of(admin: AdminClient, names: Sequence[str], settings: Settings) -> dict[str, dict[str, ConfigEntry]]:
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    described = admin.describe_configs(resources, request_timeout=CALL_S) if resources else {}
    return {resource.name: _answer(settings, config) for resource, config in described.items()}


def _of_config(topic: Topic, config: dict[str, ConfigEntry], settings: Settings) -> Iterable[Drift]:
    for name, wanted in topic.config(settings.kafka_replication).items():
        found = config[name].value if name in config else None
        if found is None or not _is_enough(found, wanted):
            yield Drift(topic.name, name, found or "unknown", wanted)


def _of_layout(topic: TopicMetadata, settings: Settings) -> Iterable[Drift]:
    name = str(topic.topic)
    count, replicas = len(topic.partitions), min(len(each.replicas) for each in topic.partitions.values())
    if count < settings.kafka_partitions:
        yield Drift(name, PARTITIONS, str(count), str(settings.kafka_partitions))
    if replicas < settings.kafka_replication:
        yield Drift(name, REPLICAS, str(replicas), str(settings.kafka_replication))


def _is_enough(found: str, wanted: str) -> bool:
    """Whether a number is as large at least, or endless; what is no number has to be the same."""
    try:
        have, need = int(found), int(wanted)
    except ValueError:
        return found == wanted
    return have == ENDLESS or (need != ENDLESS and have >= need)


def _configs(drifts: Sequence[Drift]) -> list[Drift]:
    of_config = [drift for drift in drifts if drift.setting not in (EXISTENCE, PARTITIONS, REPLICAS)]
    return sorted(of_config, key=lambda drift: drift.topic)


def _altered(topic: str, drifts: Sequence[Drift]) -> ConfigResource:
    entries = [ConfigEntry(each.setting, each.wanted, incremental_operation=AlterConfigOpType.SET) for each in drifts]
    return ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)


def _answer(settings: Settings, future: Future[Any]) -> Any:
    return _result(settings, lambda: future.result(timeout=CALL_S))


def _result(settings: Settings, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except KafkaException as error:
        if error.args[0].code() in REFUSED:
            raise Refused("topics_refused", described(settings, error)) from error
        raise unreachable(settings, error) from error
    except TimeoutError as error:
        raise unreachable(settings, error) from error
