"""Values by the types that msgspec tells of: well-formed ones, near their bounds, out of small pools where they relate.

The records and their fields are found by themselves, so that a new one is fuzzed from its first day.
"""

import re
from functools import cache
from random import Random
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from schemas import channels
from schemas.operations import OPERATIONS
from tests.contracts.test_hostile_texts import HOSTILE
from tests.streams.flow import GOOD

T = TypeVar("T")

HOSTILE_TEXTS = (
    *(text for text in HOSTILE.values() if len(text) < 1000),
    "a\n", "\x1b[2J\x1b]0;title\x07", "\u2066\u2069", "\ufeff", "\u2028", "|", "a|b|c", "..", "../../etc/passwd", "%00",
    "[red]markup[/]", "<script>alert(1)</script>", "{{7*7}}", "-1", "NaN", "1e999", "9" * 400, "[" * 3000,
    '{"a":' * 3000, "😀" * 64, "A" * 65, "é" * 129, "-", ".", "a/b", "0x1F", "٣", "²", "true", "null", "x" * 70_000,
    "http://[::1/", "http://a:99999/", "file:///dev/zero", "file:///proc/self/environ", "s3://b", "data:,x", "ﬁ",
)  # fmt: skip
HOSTILE_NUMBERS = (-1, 0, 1, 2**31, 2**53 + 1, 2**62, 2**63 - 1, -(2**63))
HOSTILE_FLOATS = (float("nan"), float("inf"), float("-inf"), -0.0, 1e308, 5e-324, -1.0)
PLAIN = ("A", "a-b.C_9", "a@1", "0" * 64, "Ä 漢字", "", "x" * 4096, "x" * 1024, "x" * 256, "x" * 128, "x" * 64)
FILLED = 0.7  # of the optional fields
DEPTH_MAX = 4
TRIES_MAX = 200
PARAMETERS = {
    "padding": ("0.1", "0.45", "-1", "1e999", "nan", "0,1"),
    "shadow.mode": ("soft", "own", "scene", "no"),
    "background.color": ("#FFFFFF", "#fff", "red"),
    "outputSize": ("2000x2000", "1x1", "0x0", "99999999x99999999", "-1x5", "²x²"),
    "scaling": ("fit", "fill"),
    "scale": ("2", "0", "-1", "nan", "1e308"),
    "seed": ("3", "-1", "9" * 400, "٣"),
    "scene": ("auto", "desk", "../x"),
    "height_cm": ("10", "0", "nan", "1e9"),
    "others": ("B", "A,B", ",", "A" * 500),
    "others.height_cm": ("10", "10,nan"),
    "palette": ("wall:#E8DFD0", "wall", ":,:"),
    "brand": ("warm-minimal", "../x", ""),
    "strength": ("0.5", "2"),
    "template": ("mug", "cup", "../mug"),
    "subject": ("auto", "product", "everything"),
    "speckle_share": ("0.001", "9"),
    "export.dpi": ("300", "0"),
}
POOLS: dict[str, tuple[Any, ...]] = {
    "tenant": ("acme", "demo"),
    "sku": ("A", "B", "C|D", "Ä 1"),
    "skus": ("A", "B", "C|D", "none"),
    "campaign": ("bf", "spring"),
    "recipe": ("marketplace", "campaign", "prints", "lifestyle", "ours"),
    "channel": (*channels.names()[:4], "web", "bazaar"),
    "channels": (*channels.names()[:4], "web"),
    "operation": (*OPERATIONS, "paint"),
    "asset": ("amazon-1", "web-1", "web-1.lifestyle", "bf.instagram-1"),
    "assets": ("amazon-1", "web-1"),
    "version": (1, 2, 3),
    "model": ("u2netp@1", "a@1"),
    "models": ("u2netp@1", "a@1"),
    "media_type": ("image/jpeg", "image/png", "image/webp", "text/html", ""),
    "measures": tuple(GOOD),
    "parameters": tuple(PARAMETERS),
    "attributes": ("height_cm", "material"),
    "withheld": ("amazon-1", "web-1"),
    "event_id": ("a", "b"),
    "letter": ("imagery.dead/0/1",),
}


class Values:
    """Draws values; what it draws is its random numbers' alone. `pools` are added to those by field."""

    def __init__(self, rng: Random, pools: dict[str, tuple[Any, ...]] | None = None) -> None:
        self._rng = rng
        self._pools = POOLS | (pools or {})

    def record(self, kind: type[T]) -> T:
        """A record that is well formed."""
        for _ in range(TRIES_MAX):
            try:
                return msgspec.convert(self.of(_info(cast(Any, kind)), ""), kind)
            except msgspec.ValidationError:  # its fields contradict each other
                continue
        raise ValueError(f"no {kind.__name__} comes of it")

    def of(self, kind: inspect.Type, name: str, depth: int = 0) -> Any:
        """A plain value of a type, for the field called `name`."""
        rng = self._rng
        match kind:
            case inspect.StructType():
                fields = [each for each in kind.fields if each.required or rng.random() < FILLED]
                made = {each.encode_name: self.of(each.type, each.encode_name, depth + 1) for each in fields}
                return made | ({"type": kind.tag} if kind.tag else {})
            case inspect.UnionType():
                return self.of(rng.choice(kind.types), name, depth)
            case inspect.ListType():
                most = 0 if depth > DEPTH_MAX else min(kind.max_length or 3, rng.choice([1, 1, 2, 3]))
                items = [self.of(kind.item_type, name, depth + 1) for _ in range(max(most, kind.min_length or 0))]
                return list(dict.fromkeys(items)) if isinstance(kind.item_type, inspect.StrType) else items
            case inspect.DictType():
                return {self.of(kind.key_type, name): self._held(kind, name) for _ in range(rng.randint(0, 3))}
            case inspect.LiteralType():
                return rng.choice(kind.values)
            case inspect.BoolType():
                return rng.random() < 0.5
            case inspect.StrType() | inspect.IntType() | inspect.FloatType():
                return self._plain(kind, name)
        return None

    def _held(self, kind: inspect.DictType, name: str) -> Any:
        if name == "parameters":
            return self._rng.choice(self._rng.choice(list(PARAMETERS.values())))
        return self.of(kind.value_type, "", 1)

    def _plain(self, kind: inspect.StrType | inspect.IntType | inspect.FloatType, name: str) -> Any:
        fitting = _fitting(kind, self._pools.get(name, ()))
        if fitting and self._rng.random() < 0.9:
            return self._rng.choice(fitting)
        if isinstance(kind, inspect.StrType):
            return self._rng.choice(_fitting(kind, PLAIN + HOSTILE_TEXTS))
        low, high = kind.ge or 0, kind.le or 0
        return self._rng.choice([low, high, low + 1, min(high, 1000), min(high, 1_780_000_000_000)])


@cache
def _info(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


_FIT: dict[tuple[Any, ...], tuple[Any, ...]] = {}


def _fitting(kind: inspect.StrType | inspect.IntType | inspect.FloatType, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Those of the values that the type takes."""
    if not isinstance(kind, inspect.StrType):
        return tuple(each for each in values if not isinstance(each, str))
    bounds = (kind.pattern, kind.min_length, kind.max_length, values)
    if bounds not in _FIT:
        _FIT[bounds] = tuple(each for each in values if isinstance(each, str) and _takes(kind, each))
    return _FIT[bounds]


def _takes(kind: inspect.StrType, text: str) -> bool:
    fits = (kind.min_length or 0) <= len(text) <= (kind.max_length or len(text))
    return fits and re.search(kind.pattern or "", text) is not None
