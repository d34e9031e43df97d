"""The table of rights, `acls.yaml`, as Kafka's own bindings."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from schemas.topics import PREFIX

_FILE = Path(__file__).parent / "acls.yaml"
_KEEPING = (AclOperation.ALTER_CONFIGS,)
_MANAGING = (AclOperation.CREATE, AclOperation.ALTER, *_KEEPING)


@dataclass(frozen=True)
class Rights:
    """What one user may do; see `acls.yaml`."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    transactions: tuple[str, ...] = ()
    keeps: bool = False
    manages: bool = False


def load() -> dict[str, Rights]:
    """The rights of every role."""
    return msgspec.convert(yaml.safe_load(_FILE.read_text())["roles"], dict[str, Rights])


def bindings(user: str, rights: Rights) -> list[AclBinding]:
    """The bindings that give `user` these rights, and no others."""
    given = [*_topics(rights), *_names(rights)]
    return [
        AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        for kind, (name, pattern), operation in given
    ]


_Given = tuple[ResourceType, tuple[str, ResourcePatternType], AclOperation]


def _topics(rights: Rights) -> Iterator[_Given]:
    everything = (PREFIX, ResourcePatternType.PREFIXED)
    looking = (AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS)
    for operation in (*looking, *(_MANAGING if rights.manages else _KEEPING if rights.keeps else ())):
        yield ResourceType.TOPIC, everything, operation
    for name in rights.reads:
        yield ResourceType.TOPIC, _pattern(PREFIX + name), AclOperation.READ
    for name in rights.writes:
        yield ResourceType.TOPIC, _pattern(PREFIX + name), AclOperation.WRITE


def _names(rights: Rights) -> Iterator[_Given]:
    for name in rights.groups:
        yield ResourceType.GROUP, _pattern(name), AclOperation.READ
    for name in rights.asks:
        yield ResourceType.GROUP, _pattern(name), AclOperation.DESCRIBE
    for name in rights.transactions:
        for operation in (AclOperation.WRITE, AclOperation.DESCRIBE):
            yield ResourceType.TRANSACTIONAL_ID, _pattern(name), operation


def _pattern(name: str) -> tuple[str, ResourcePatternType]:
    if name.endswith("*"):
        return name.removesuffix("*"), ResourcePatternType.PREFIXED
    return name, ResourcePatternType.LITERAL
