"""What the options of several commands have in common."""

import click


def parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    """The parameters of `--set`. Raises UsageError for what is no KEY=VALUE."""
    for pair in pairs:
        if "=" not in pair:
            raise click.UsageError(f"--set takes KEY=VALUE, not {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)
