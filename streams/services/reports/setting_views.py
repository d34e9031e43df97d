"""The settings as they are told."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from streams.runtime.settings import Settings, default_of, variable


@dataclass(frozen=True)
class SettingView:
    """A setting by its variable, and what it is where nobody says."""

    name: str
    default: Any
    description: str


def described() -> Iterator[SettingView]:
    """Every setting."""
    for each in fields(Settings):
        default = default_of(each)
        shown = str(default) if isinstance(default, Path) else default
        yield SettingView(variable(each.name), shown, each.metadata["description"])


def changed(settings: Settings) -> dict[str, str]:
    """The settings that differ from their defaults, as they may be logged: of a secret only that there is one."""
    held = {each.name: (getattr(settings, each.name), default_of(each)) for each in fields(settings)}
    return {name: str(value) for name, (value, default) in held.items() if value != default}
