"""What the options of several commands have in common."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def through(command: Command) -> Command:
    """The options of a command that may go through an API elsewhere."""
    text = "Go through the API at this URL, without broker and database; unset, PACKSHOT_REMOTE."
    key = click.option(
        "--key", help="The key for it, which others on this machine may see; unset, PACKSHOT_REMOTE_KEY."
    )
    return click.option("--remote", metavar="URL", help=text)(key(command))


def parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    """The parameters of `--set`. Raises UsageError for what is no KEY=VALUE."""
    for pair in pairs:
        if "=" not in pair:
            raise click.UsageError(f"--set takes KEY=VALUE, not {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)
