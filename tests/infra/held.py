"""What manifests say of us, held against the code: commands and settings."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

import click

from streams.commands.cli import packshot
from streams.runtime.environment import SUFFIX, secrets_of
from streams.runtime.settings import PREFIX, Settings, variable


def command_of(arguments: Sequence[str]) -> click.Command:
    """The command that arguments lead to, which takes all of them. Raises click.UsageError."""
    at: click.Command = packshot
    rest = [str(each) for each in arguments]
    while isinstance(at, click.Group):
        _, found, rest = at.resolve_command(click.Context(at, info_name=at.name), rest)
        assert found is not None
        at = found
    at.make_context(at.name, rest)
    return at


def unknown_settings(names: Iterable[str]) -> list[str]:
    """Those of `names` that look like our settings and are none."""
    known = {variable(each.name) for each in fields(Settings)}
    known |= {variable(name) + SUFFIX for name in secrets_of(Settings)}
    return [name for name in names if name.startswith(PREFIX) and name not in known]
