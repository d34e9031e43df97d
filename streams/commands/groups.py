"""A group of commands that says which one a mistyped name is most like."""

import click


class Group(click.Group):
    """Also for groups whose commands are imported only when they are called."""

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is asked for. Raises UsageError, which says what a name that is none is most like."""
        name, names = arguments[0], self.list_commands(context)
        if name in names or name.startswith("-"):
            return super().resolve_command(context, arguments)
        import difflib  # only who has mistyped one needs it

        near = difflib.get_close_matches(name, names, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"`{context.command_path} --help` lists what there is."
        raise click.UsageError(f"No such command {name!r}. {hint}", context)
