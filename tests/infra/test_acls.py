"""The table of rights: every topic and group of ours is in it, and nothing else."""

from fnmatch import fnmatchcase

import pytest
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from infra.kafka.acls import Rights, bindings, load
from schemas import topics
from streams.consumer import groups
from streams.processing import CONSUMED

DELAYS_MS = (1000,)
NAMES = {topic.name.removeprefix(topics.PREFIX) for topic in topics.every(DELAYS_MS)}
READERS = groups.readers(DELAYS_MS)
ROLE_OF_GROUP = {
    groups.STREAMS: "streams",
    groups.PUBLISHER: "publisher",
    groups.RETRIER: "retrier",
    **{groups.worker(pool, lane): f"worker-{pool}" for pool, lane in topics.TASKS},
}


def matching(patterns: tuple[str, ...]) -> set[str]:
    return {name for name in NAMES if any(fnmatchcase(name, pattern) for pattern in patterns)}


@pytest.mark.parametrize("role", load())
def test_every_name_in_the_table_is_a_topic_of_ours(role: str) -> None:
    rights = load()[role]
    for pattern in (*rights.reads, *rights.writes):
        assert matching((pattern,)), pattern


@pytest.mark.parametrize("group", READERS)
def test_each_role_may_read_what_its_groups_read_and_nothing_else(group: str) -> None:
    rights = load()[ROLE_OF_GROUP[group]]
    assert any(fnmatchcase(group, pattern) for pattern in rights.groups)
    read = {
        topic.name.removeprefix(topics.PREFIX)
        for each, of_group in READERS.items()
        if ROLE_OF_GROUP[each] == ROLE_OF_GROUP[group]
        for topic in of_group
    }
    if group == groups.STREAMS:
        read |= {topic.name.removeprefix(topics.PREFIX) for topic in CONSUMED}
    assert matching(rights.reads) == read


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
    made = {binding.operation for binding in bindings("worker", Rights(reads=("tasks.*",)))}
    assert made == {AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.READ}
