"""Every text, number, list and mapping of every record is bounded; the fields are found in the records themselves."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from schemas import codec
from schemas.records import EVENTS, Event
from schemas.text import UNFIT

Path = tuple[str | int, ...]
KEY = "key of"
SAMPLES = ("A", "a@1", "0" * 64)
UNFIT_CHARACTERS = [
    *map(chr, (*range(0x20), *range(0x7F, 0xA0))),
    *"\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff",
    *"\ud800\udfff\ufdd0\ufffe\uffff\U0001ffff\U000e0041\U0010fffe",
]


def sample(kind: inspect.Type, depth: int = 0) -> Any:
    """A value with every field filled, as plain values."""
    match kind:
        case inspect.StructType():
            fields = {each.encode_name: sample(each.type, depth + 1) for each in kind.fields if each.name != "recall"}
            return {**fields, **({"type": kind.tag} if kind.tag else {})}
        case inspect.UnionType():
            return sample(next(each for each in kind.types if not isinstance(each, inspect.NoneType)), depth)
        case inspect.ListType():
            return [sample(kind.item_type, depth)] if depth < 8 else []
        case inspect.DictType():
            return {sample(kind.key_type): sample(kind.value_type, depth)}
        case inspect.StrType():
            return next(each for each in SAMPLES if re.search(kind.pattern or "", each))
        case inspect.LiteralType():
            return kind.values[-1]
        case inspect.FloatType():
            return 0.5
        case inspect.IntType():
            return 1
    return True


def parts(kind: inspect.Type, path: Path = (), depth: int = 0) -> Iterator[tuple[Path, inspect.Type]]:
    """Every part of a record and its type; a part of a record in itself is told once."""
    yield path, kind
    match kind:
        case inspect.StructType():
            for each in kind.fields:
                yield from parts(each.type, (*path, each.encode_name), depth + 1)
        case inspect.UnionType():
            for branch in kind.types:
                yield from parts(branch, path, depth)
        case inspect.ListType() if depth < 8 and path.count("next") < 2:
            yield from parts(kind.item_type, (*path, 0), depth + 1)
        case inspect.DictType():
            yield from parts(kind.key_type, (*path, KEY), depth)
            yield from parts(kind.value_type, (*path, sample(kind.key_type)), depth)


def named(path: Path) -> str:
    return ".".join(map(str, path)).replace(".0", "[0]")


PARTS = {
    f"{record.__name__}.{named(path)}": (record, path, kind)
    for record in EVENTS
    for path, kind in parts(inspect.type_info(record))
}
SAMPLE_OF = {record: sample(inspect.type_info(record)) for record in EVENTS}
TEXTS = [name for name, (_, _, kind) in PARTS.items() if isinstance(kind, inspect.StrType)]
NUMBERS = [name for name, (_, _, kind) in PARTS.items() if isinstance(kind, inspect.FloatType | inspect.IntType)]


def with_part(record: type[Event], path: Path, value: Any) -> dict[str, Any]:
    """A good record's plain values, but for one."""
    holder: Any = deepcopy(SAMPLE_OF[record])
    made = holder
    keyed = path[-2:-1] == (KEY,) or path[-1] == KEY
    for name in path[: -2 if keyed else -1]:
        holder = holder[name]
    if keyed:
        holder[path[-2]] = {value: next(iter(holder[path[-2]].values()))}
    else:
        holder[path[-1]] = value
    return dict(made)


def refused_field(record: type[Event], path: Path, value: Any) -> str:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(with_part(record, path, value), record)
    return codec.field_in(caught.value)


def is_named(field: str, path: Path) -> bool:
    """Whether `field` is the path; msgspec says `[...]` for what is in a list or a mapping."""
    plain = [str(part) for part in path if part not in (KEY, 0)]
    names = re.findall(r"[a-z]\w*", field)
    return names == [part for part in plain if part in names] and names[0] == plain[0] and names[-1] in plain[-2:]


@pytest.mark.parametrize("record", EVENTS, ids=lambda record: record.__name__)
def test_the_samples_are_good(record: type[Event]) -> None:
    event = msgspec.convert(sample(inspect.type_info(record)), record)
    assert codec.decode(codec.encode(event)) == event


@pytest.mark.parametrize("name", PARTS)
def test_everything_has_its_bounds(name: str) -> None:
    match PARTS[name][2]:
        case inspect.StrType() as text:
            assert text.max_length is not None
            assert text.pattern is not None
        case inspect.ListType() | inspect.DictType() as many:
            assert many.max_length is not None
        case inspect.IntType() | inspect.FloatType() as number:
            assert number.ge is not None
            assert number.le is not None


@pytest.mark.parametrize("record", EVENTS, ids=lambda record: record.__name__)
def test_every_text_refuses_what_nobody_sees(record: type[Event]) -> None:
    for name in texts_of(record):
        for unfit in UNFIT_CHARACTERS:
            refuses(name, unfit, "A{}")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(TEXTS), st.sampled_from(UNFIT_CHARACTERS), st.sampled_from(["{}", "{}A", "A{}A", "A{}{}"]))
def test_every_text_refuses_it_wherever_it_stands(name: str, unfit: str, template: str) -> None:
    refuses(name, unfit, template)


def texts_of(record: type[Event]) -> list[str]:
    return [name for name in TEXTS if PARTS[name][0] is record]


def refuses(name: str, unfit: str, template: str) -> None:
    record, path, kind = PARTS[name]
    assert isinstance(kind, inspect.StrType)
    if kind.max_length == 65_536 and unfit in "\t\n\r":  # a file's text has lines
        return
    assert is_named(refused_field(record, path, template.replace("A", good(kind)).replace("{}", unfit)), path), name


def good(kind: inspect.StrType) -> str:
    return next(each for each in SAMPLES if re.search(kind.pattern or "", each))


@pytest.mark.parametrize("record", EVENTS, ids=lambda record: record.__name__)
def test_every_text_refuses_to_be_too_long(record: type[Event]) -> None:
    for name in texts_of(record):
        _, path, kind = PARTS[name]
        assert isinstance(kind, inspect.StrType)
        assert is_named(refused_field(record, path, good(kind) + "0" * (kind.max_length or 0)), path), name


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e308, -1e308])
def test_every_number_is_finite(value: float) -> None:
    for name in NUMBERS:
        record, path, _ = PARTS[name]
        assert is_named(refused_field(record, path, value), path), name


@pytest.mark.parametrize("value", [2**63, 2**64, -1])
def test_every_whole_number_has_its_limits(value: int) -> None:
    for name in NUMBERS:
        record, path, kind = PARTS[name]
        if isinstance(kind, inspect.IntType):
            assert is_named(refused_field(record, path, value), path), name


def test_the_characters_here_are_those_that_are_unfit() -> None:
    assert all(re.match(f"[{UNFIT}]", each) for each in UNFIT_CHARACTERS)
