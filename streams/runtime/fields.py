"""What a setting may be: the types of fields, and how a text of the environment becomes one."""

import os
from collections.abc import Callable, Sequence
from dataclasses import MISSING, field
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from schemas.text import explained

NEAR_ENOUGH = 0.8  # of difflib's ratio: PROT for PORT, and not another program's variable

PositiveInt = Annotated[int, Meta(gt=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]
NonNegativeInt = Annotated[int, Meta(ge=0)]
NonNegativeFloat = Annotated[float, Meta(ge=0)]

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
ModelRef = Annotated[str, Meta(pattern=rf"^{_NAME}@{_NAME}$")]
ModelPolicy = Annotated[str, Meta(pattern=rf"^(released|{_NAME}(@{_NAME}|:latest-[1-9]\d?))$")]


class Wrong(ValueError):
    """A value is none of its field's; the message does not show it."""


class Commas(tuple[str, ...]):
    """Texts, written with commas between them."""

    def __new__(cls, texts: str | list[str] | tuple[str, ...] = ()) -> "Commas":
        """Raises Wrong for what else is in a subclass's."""
        parts = [part.strip() for part in texts.split(",") if part.strip()] if isinstance(texts, str) else texts
        made = super().__new__(cls, parts)
        made.check()
        return made

    def check(self) -> None:
        """Raises Wrong where a text is none of the kind."""


class Networks(Commas):
    """Networks as 10.1.0.0/16."""

    def check(self) -> None:
        """Raises Wrong with the number of the first that is none."""
        for number, each in enumerate(self, start=1):
            try:
                ip_network(each)
            except ValueError:  # it would show the value
                raise Wrong(f"network {number} is none: write it as 10.1.0.0/16, with no bit set behind") from None


class WholeDelays(Commas):
    """Delays in ms."""

    def check(self) -> None:
        """Raises Wrong where one is none."""
        if not all(part.isdigit() and int(part) > 0 for part in self):
            raise Wrong("delays are whole milliseconds above 0, with commas")


def Field(  # noqa: N802 - it stands for dataclasses.Field
    default: Any = MISSING,
    *,
    description: str,
    default_factory: Callable[[], Any] | Any = MISSING,
    **limits: Any,
) -> Any:
    """A field with what it is for, and its limits as msgspec.Meta has them."""
    about = {"description": description, "limits": Meta(**limits)}
    default = tuple(default) if isinstance(default, list) else default  # settings are frozen
    return field(default=default, default_factory=default_factory, metadata=about)


def converted(of: type, name: str, value: object) -> Any:
    """A value, as it is or as text, as the field `name` of a class has it. Raises Wrong."""
    kind = _types(of).get(name)
    if kind is None:
        raise Wrong("there is no such setting")
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=_made)
    except msgspec.ValidationError as error:
        choices = _choices(kind)  # msgspec's message would show what was written
        raise Wrong(f"it is none of {', '.join(choices)}" if choices else explained(str(error))) from None


@cache
def _types(of: type) -> dict[str, Any]:
    hints = get_type_hints(of, include_extras=True)
    return {name: Annotated[hints[name], its.metadata["limits"]] for name, its in of.__dataclass_fields__.items()}  # type: ignore[attr-defined]


def _made(kind: type, value: Any) -> Any:
    """A value of a type that msgspec does not know."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, str | list | tuple):
        raise Wrong("it is to be a text")
    return Path(value) if kind is Path and isinstance(value, str) else kind(value)


def _choices(kind: Any) -> tuple[str, ...]:
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(bare) if get_origin(bare) is Literal else ()


def meant(name: str, prefix: str, known: Sequence[str]) -> str:
    """What to say of a variable that looks like a setting and is none; empty where it is one, or another's."""
    if not name.upper().startswith(prefix) or name.upper() in known:
        return ""
    import difflib  # only who has mistyped one needs it

    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=NEAR_ENOUGH)
    return f"{name} is no setting, did you mean {near[0]}?" if near else ""


def cache_folder() -> Path:
    """Where what can be had again is kept, the same from whichever folder a command is run."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").exists():
        return checkout / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "packshot"
