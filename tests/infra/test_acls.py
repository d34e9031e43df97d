"""The table of rights: every topic and group of ours is in it, and nothing else."""

import ast
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

import pytest
from confluent_kafka.admin import AclOperation

from infra.kafka.acls import Rights, bindings, load
from schemas import topics
from schemas.records import Event
from streams.connectors import noting as shops
from streams.consumer import backlog, groups
from streams.consumer.groups import CONSUMED
from streams.publishing.publisher import DEAD_AT_ONCE
from streams.runtime.settings import Settings
from streams.services.recovery import dead
from streams.webhooks import noting

DELAYS_MS = (1000,)
NAMES = {topic.name.removeprefix(topics.PREFIX) for topic in topics.every(DELAYS_MS)}
READERS = groups.readers(DELAYS_MS)
ROLE_OF_GROUP = {
    groups.STREAMS: "streams",
    groups.PUBLISHER: "publisher",
    groups.RETRIER: "retrier",
    groups.WEBHOOKS: "webhooks",
    groups.CONNECTORS_IN: "connectors",
    groups.CONNECTORS_OUT: "connectors",
    **{groups.worker(pool, lane): f"worker-{pool}" for pool, lane in topics.TASKS},
}


def matching(patterns: tuple[str, ...]) -> set[str]:
    return {name for name in NAMES if any(fnmatchcase(name, pattern) for pattern in patterns)}


@pytest.mark.parametrize("role", load())
def test_every_name_in_the_table_is_a_topic_of_ours(role: str) -> None:
    rights = load()[role]
    for pattern in (*rights.reads, *rights.writes):
        assert matching((pattern,)), pattern


def short(read: Iterable[topics.Topic]) -> set[str]:
    return {topic.name.removeprefix(topics.PREFIX) for topic in read}


def records_made_by(modules: Iterable[Path]) -> set[type[Event]]:
    """The records that a role's own code makes: what it may write follows from that, and from nothing that is said."""
    calls = (
        node for module in modules for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)
    )
    named = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
    return {record for record in get_args(Event) if record.__name__ in named}


def topics_of(records: Iterable[type[Event]]) -> set[topics.Topic]:
    return {topic for topic in topics.every(DELAYS_MS) if set(topic.records).intersection(records)}


MODULES = {
    "streams": [*Path("streams/flow/processors").glob("*.py"), Path("streams/flow/processing.py")],
    "worker-cutout": [*Path("gpu_workers").rglob("*.py")],
    "worker-compose": [*Path("gpu_workers").rglob("*.py")],
    "publisher": [*Path("streams/publishing").glob("*.py")],
    "webhooks": [*Path("streams/webhooks").glob("*.py")],
    "connectors": [*Path("streams/connectors").rglob("*.py")],
    "probe": [Path("streams/services/live/probing.py")],
}
LETTERS = {
    **{role: [topics.DEAD] for role in ("publisher", "webhooks", "connectors")},
    "probe": [],  # it reads nothing
}  # what the others read may be tried again
GIVEN_BACK = {topic for group, read in READERS.items() if group != groups.RETRIER for topic in read}


def needed_writes(role: str) -> set[str]:
    if role == "retrier":
        return short({*GIVEN_BACK, topics.DEAD})
    letters = LETTERS.get(role, [topics.DEAD, *(topics.retry(delay_ms) for delay_ms in DELAYS_MS)])
    return short({*topics_of(records_made_by(MODULES[role])), *letters})


@pytest.mark.parametrize("role", [*MODULES, "retrier"])
def test_each_role_may_write_what_its_code_writes_and_nothing_else(role: str) -> None:
    assert matching(load()[role].writes) == needed_writes(role)


def test_the_publisher_webhooks_and_connectors_try_nothing_again_on_a_topic() -> None:
    assert DEAD_AT_ONCE.delays_ms == noting.DEAD_AT_ONCE.delays_ms == shops.DEAD_AT_ONCE.delays_ms == ()


@pytest.mark.parametrize("role", sorted(set(ROLE_OF_GROUP.values())))
def test_each_role_may_read_what_its_groups_read_and_nothing_else(role: str) -> None:
    rights, mine = load()[role], [group for group, its in ROLE_OF_GROUP.items() if its == role]
    assert {group for group in READERS if any(fnmatchcase(group, pattern) for pattern in rights.groups)} == set(mine)
    read = short(topic for group in mine for topic in READERS[group])
    if role == "streams":
        assert read == short(CONSUMED)
    if role == "retrier":  # which looks after what expires
        read |= short(topic for of_group in backlog.expiring(Settings()).values() for topic in of_group) & NAMES
    assert matching(rights.reads) == read


@pytest.mark.parametrize("role", sorted(set(ROLE_OF_GROUP.values())))
def test_each_role_may_ask_about_the_groups_that_it_asks_about(role: str) -> None:
    rights = load()[role]
    fields = {groups.READER, *(READERS if rights.keeps else ())}
    assert {
        group for group in (*READERS, groups.READER) if any(fnmatchcase(group, each) for each in rights.asks)
    } == fields


def test_transactional_ids_are_those_of_the_code() -> None:
    with_some = {role: rights.transactions for role, rights in load().items() if rights.transactions}
    assert with_some == {"publisher": (f"{groups.PUBLISHER}.*",), "gateway": (dead.WRITER,), "operator": (dead.WRITER,)}


def test_every_topic_has_a_reader_and_a_writer() -> None:
    table = load()
    assert set().union(*(matching(rights.reads) for rights in table.values())) == NAMES
    assert set().union(*(matching(rights.writes) for rights in table.values())) == NAMES


def test_only_the_publisher_announces_and_what_came_from_there_may_go_back() -> None:
    assert {role for role, rights in load().items() if "published" in matching(rights.writes)} == {
        "publisher",
        "retrier",
        "operator",
    }


def test_a_worker_may_not_write_tasks_nor_read_those_of_another_pool() -> None:
    for role in ("worker-cutout", "worker-compose"):
        rights = load()[role]
        assert not any(name.startswith("tasks.") for name in matching(rights.writes))
        assert all(name.startswith(f"tasks.{role.removeprefix('worker-')}.") for name in matching(rights.reads))


def test_only_the_operator_manages_topics() -> None:
    assert [role for role, rights in load().items() if rights.manages] == ["operator"]
    assert [role for role, rights in load().items() if rights.keeps] == ["retrier"]
    keeper = {binding.operation for binding in bindings("retrier", Rights(keeps=True))}
    assert keeper == {AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS}
    made = {binding.operation for binding in bindings("worker", Rights(reads=("tasks.*",)))}
    assert made == {AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.READ}
