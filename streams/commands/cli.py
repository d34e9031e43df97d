"""The command line: `packshot`. What a command needs is imported when it is called."""

import errno
import logging
import sys
import traceback
from importlib import import_module
from pathlib import Path

import click

from streams.commands.groups import Group
from streams.runtime.exits import Exit

LOGGED = frozenset(
    {"run"}
)  # commands whose log is for whoever runs the system; the roles of `up` have files for theirs
# Commands that read what others wrote, and log what is none of ours.
READERS = frozenset({"audit", "check", "dead", "published", "rebuild-facts", "sweep", "topics", "webhooks"})
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
# The errors that have a sentence of their own. Whoever raised one has imported its module: nobody does so to compare.
EXPLAINED = (
    ("streams.runtime.settings", "SettingsError"),
    ("streams.runtime.errors", "Unavailable"),
    ("streams.runtime.errors", "Refused"),
    ("streams.blobs", "StoreError"),
    ("streams.embedded", "BrokerUnavailable"),
    ("streams.runtime.supervisor", "AlreadyRunning"),
    ("streams.consumer.clients", "NotAcknowledged"),
    ("streams.runtime.private", "NotPrivate"),
    ("streams.client.problems", "ClientError"),
    ("gpu_workers.models.manifest", "ModelError"),
)
# Every command: its module and its name there, and what it does in a line; a test holds the lines to the commands.
COMMANDS: dict[str, tuple[str, str]] = {
    "assess": ("assess:assess", "Tell what is wrong with the pictures that a shop shows today."),
    "audit": ("status:audit", "Compare topics, facts and origin: is anything lost, stale, doubled or missing?"),
    "brands": ("brands:brands", "Brands: what a house's pictures have in common, for the operation style."),
    "cache": ("cache:cache", "The cache of results: what may be taken away at any time."),
    "calibrate": (
        "calibrate:calibrate",
        "Propose a channel's limit of doubt by what people decided, or the weights of the doubt.",
    ),
    "capacity": (
        "capacity:capacity",
        "Tell what an installation needs: processes, partitions, storage and money a month.",
    ),
    "channels": ("channels:channels", "Channels: their rules, by name and version."),
    "check": ("system:check", "Check that everything is reachable and sane."),
    "connectors": (
        "connectors:connectors",
        "Connectors: shops and PIMs whose products come in, and whose pictures go back.",
    ),
    "costs": ("status:costs", "Tell what an accepted image cost, and what was wasted or saved by the cache."),
    "database": ("database:database", "The tables of the facts, from one version to the next."),
    "dead": ("dead:dead", "Events that could not be worked on."),
    "demo": ("system:demo", "Run the whole system over a catalogue and an urgent campaign, and show what came out."),
    "desk": ("desk:desk", "The desk: pages on which people see what becomes of their products, and decide."),
    "keys": ("keys:keys", "Keys of the API: who may use it, for which tenants, for what."),
    "disclosures": ("provenance:disclosures", "Disclosures: what has to be told of how pictures were made, and where."),
    "models": ("models:models", "Networks: which there are, and which of them works."),
    "policies": ("policies:policies", "Policies: rules about titles and other texts."),
    "preview": ("render:preview", "Show what a recipe makes of products, before and after, on one page."),
    "probe": (
        "provenance:probe",
        "Fetch live pictures as a shopper does, and tell what differs from what was published.",
    ),
    "provenance": (
        "provenance:provenance",
        "Show how a picture came about, as its file says, and if it is unaltered.",
    ),
    "provision": ("provision:provision", "Make the topics and tables, or bring them forward; once for all roles."),
    "published": ("submit:published", "Show what listing services see."),
    "rebuild-facts": (
        "replay:rebuild_facts",
        "Make the facts anew from the topics, with nothing else at work on them.",
    ),
    "recipes": (
        "recipes:recipes",
        "Recipes: operations and their parameters, by name and version; and tenants' defaults for parameters.",
    ),
    "render": (
        "render:render",
        "Run one operation on pictures, without a broker.",
    ),
    "replay": (
        "replay:replay",
        "Have products planned and made again; what comes out as it was costs no inference and is not published twice.",
    ),
    "retract": (
        "retract:retract",
        "Take a product's assets off the shop, or those named; they stay away until a newer version or a replay.",
    ),
    "review": ("review:review", "A person's decisions on doubtful assets."),
    "run": ("system:run", "Run one role as this process."),
    "settings": ("system:show_settings", "Show every setting, its default and what it is for."),
    "shelf": ("shelf:shelf", "Look at live pictures as they stand beside each other, by tenant, channel and kind."),
    "status": ("status:status", "Tell where every asset of a product stands, and why."),
    "submit": (
        "submit:submit",
        "Send the catalogue and campaign events in FILE: JSON (a line each, an array, pretty-printed), CSV or TSV.",
    ),
    "sweep": (
        "sweep:sweep",
        "Take away what no manifest names, and what was replaced once its grace is over; safe at any time.",
    ),
    "topics": ("topics:topics", "The topics' settings: what differs from what Packshot relies on."),
    "up": ("system:up", "Run the whole system on this machine until Ctrl-C."),
    "webhooks": ("webhooks:group", "Webhooks: who is told of what was published, and how that went."),
}


class Commands(Group):
    """A group whose commands are imported when they are called: `packshot --help` needs none of them."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """The names, in the order in which they are shown."""
        return sorted(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """The command of that name, with all that it imports."""
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name][0].split(":")
        command: click.Command = getattr(import_module(f"streams.commands.{module}"), attribute)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with a line each."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


def main() -> None:
    """Runs the command; an error that has a sentence of its own is told in that sentence, with exit status 2."""
    try:
        if READERS.intersection(sys.argv[1:2]):
            _log_to_stderr()
        packshot(prog_name="packshot", standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:
        sys.exit(_answered(error))


def _log_to_stderr() -> None:
    """Else the log of the libraries would stand in what is printed, which may be JSON."""
    from streams.runtime.observability import log_to_stderr
    from streams.runtime.settings import read_settings

    log_to_stderr(read_settings())


def _answered(error: Exception) -> int:
    """Says what went wrong; the exit status."""
    explained = tuple(getattr(sys.modules[module], name) for module, name in EXPLAINED if module in sys.modules)
    if isinstance(error, explained):
        _tell(f"packshot: {error}")
        return Exit.NOT_DONE
    if isinstance(error, OSError):  # a folder that is read-only, a disk that is full
        _tell(f"packshot: {_of_system(error)}")
        return Exit.NOT_DONE
    _tell(traceback.format_exc())  # nobody foresaw it; the trace is for a developer, the passwords in it are for nobody
    return Exit.BROKE


def _of_system(error: OSError) -> str:
    """What the system refused, and how to go on where it is the place of the data."""
    from streams.runtime.settings import variable

    text = f"{error.filename or 'the disk'}: {error.strerror or error}"
    if not _is_about_data(error):
        return text
    return f"{text}; {variable('data_folder')} names another place for the data"


def _is_about_data(error: OSError) -> bool:
    """Whether the data cannot be kept where they are to be; without a file's name, it is the errors of a disk."""
    if not isinstance(error.filename, str):
        return error.errno in UNWRITABLE
    from streams.runtime.settings import read_settings

    at, data = Path(error.filename).absolute(), read_settings().data_folder.absolute()
    return at.is_relative_to(data) or data.is_relative_to(at)  # a folder above it may be what is refused


def _tell(text: str) -> None:
    from streams.runtime.masking import masked
    from streams.runtime.screen import errors, styled

    for line in masked(text).splitlines():
        errors.say(styled(line, "red"))


def _show(error: click.ClickException) -> None:
    from streams.runtime.masking import masked
    from streams.runtime.screen import errors

    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
    errors.say(masked(f"Error: {error.format_message()}"))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="packshot")
@click.pass_context
def packshot(context: click.Context) -> None:
    """Event-driven product imagery on Kafka."""
    if context.invoked_subcommand not in LOGGED:
        logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    from streams.runtime.settings import read_settings

    context.obj = read_settings()


if __name__ == "__main__":
    main()
