"""The command line: `packshot`."""

import errno
import logging
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import click

from schemas.parameters import OF_OPERATION
from schemas.records import LANES
from schemas.topics import POOLS
from streams.commands.brands import brands
from streams.commands.channels import channels
from streams.commands.database import database as tables
from streams.commands.dead import dead
from streams.commands.models import models
from streams.commands.recipes import recipes
from streams.commands.retract import retract
from streams.commands.sweep import sweep
from streams.commands.topics import topics
from streams.runtime.masking import masked
from streams.runtime.screen import console, errors, print_json, styled
from streams.runtime.settings import Settings, SettingsError, read_settings, variable
from streams.services.moments import Moment

LOGGED = frozenset(
    {"run"}
)  # commands whose log is for whoever runs the system; the roles of `up` have files for theirs
EXIT_UNFORESEEN = 70  # EX_SOFTWARE of sysexits.h
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


def main() -> None:
    """Runs the command; an error that has a sentence of its own is told in that sentence, with exit status 2."""
    from gpu_workers.models.manifest import ModelError
    from streams.blobs import StoreError
    from streams.consumer.clients import NotAcknowledged
    from streams.embedded import BrokerUnavailable
    from streams.runtime.errors import Refused, Unavailable
    from streams.runtime.private import NotPrivate
    from streams.runtime.supervisor import AlreadyRunning

    told = (
        SettingsError,
        Unavailable,
        Refused,
        StoreError,
        BrokerUnavailable,
        AlreadyRunning,
        NotAcknowledged,
        NotPrivate,
        ModelError,
    )
    try:
        packshot(standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        sys.exit(130)
    except told as error:
        _tell(f"packshot: {error}")
        sys.exit(2)
    except OSError as error:  # a folder that is read-only, a disk that is full
        _tell(f"packshot: {_of_system(error)}")
        sys.exit(2)
    except Exception:  # nobody foresaw it; the trace is for a developer, the passwords in it are for nobody
        _tell(traceback.format_exc())
        sys.exit(EXIT_UNFORESEEN)


def _of_system(error: OSError) -> str:
    """What the system refused, and how to go on where it is the place."""
    told = f"{error.filename or 'the disk'}: {error.strerror or error}"
    if error.errno not in UNWRITABLE:
        return told
    return f"{told}; {variable('data_folder')} names another place for the data"


def _tell(text: str) -> None:
    for line in masked(text).splitlines():
        errors.say(styled(line, "red"))


def _show(error: click.ClickException) -> None:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
    errors.say(masked(f"Error: {error.format_message()}"))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="packshot")
@click.pass_context
def packshot(context: click.Context) -> None:
    """Event-driven product imagery on Kafka."""
    if context.invoked_subcommand not in LOGGED:
        logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    context.obj = settings = read_settings()
    if settings.schema_registry is not None:
        from schemas.codec import use_registry
        from streams.consumer.registry import Registry

        use_registry(Registry(settings.schema_registry))


@packshot.command()
@click.pass_obj
def up(settings: Settings) -> None:
    """Run the whole system on this machine until Ctrl-C."""
    from streams.services.local import run_until_stopped

    run_until_stopped(settings)


@packshot.command()
@click.argument("role", type=click.Choice(["streams", "worker", "publisher", "retrier", "gateway"]))
@click.option("--pool", type=click.Choice(POOLS), help="Which pool a worker works for.")
@click.pass_obj
def run(settings: Settings, role: str, pool: Any) -> None:
    """Run one role as this process."""
    from streams.services import roles

    if (role == "worker") != (pool is not None):
        raise click.UsageError("a worker, and nothing else, needs --pool")
    roles.run(role, pool, settings)


@packshot.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--wait", is_flag=True, help="Follow every event until its assets are published, in review or failed.")
@click.option("--timeout", "timeout_s", default=3600.0, show_default=True, help="How long to wait, in seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def submit(settings: Settings, file: Path, wait: bool, timeout_s: float, as_json: bool) -> None:
    """Send the catalogue and campaign events in FILE: JSON (a line each, an array, pretty-printed), CSV or TSV."""
    from streams.commands import display
    from streams.services import event_files, following, local, submission

    read, bad = event_files.read_events(file)
    events, lacking = event_files.with_files(read)
    bad = [*bad, *lacking]
    if not events:  # then it takes no broker to say so
        display.show_submission([], [], bad or [event_files.BadLine(1, "", "no event in it")], as_json=as_json)
        sys.exit(2)
    with local.connect(settings) as (database, producer):
        with database.read() as facts:
            unmakeable = submission.unmakeable(events, facts)
        if unmakeable:
            display.show_submission([], [], [*bad, *unmakeable], as_json=as_json)
            sys.exit(2)
        sent = [each.event for each in events]
        if not wait:
            submitted, fates = submission.send(sent, producer), []
        else:
            with following.news(settings) as news, display.progress("assets", hidden=as_json) as report:
                submitted = submission.send(sent, producer)
                ends = time.monotonic() + timeout_s, settings.stalled_after_s
                fates = following.follow(submitted, database, news, report, *ends)
    display.show_submission(submitted, fates, bad, as_json=as_json)
    sys.exit(1 if bad or any(fate.state in ("failed", "waiting") for fate in fates) else 0)


@packshot.command()
@click.argument("sku")
@click.option("--tenant", default=None, help="The tenant; needed only when several have the SKU.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def status(settings: Settings, sku: str, tenant: str | None, as_json: bool) -> None:
    """Tell where every asset of a product stands, and why."""
    from streams.commands import display
    from streams.services import local

    with local.open_database(settings) as database:
        for each in local.tenants_of(database, sku, tenant):
            display.show_status(database, each, sku, as_json=as_json)


@packshot.command()
@click.option("--follow", is_flag=True, help="Go on as new events come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
@click.pass_obj
def published(settings: Settings, follow: bool, as_json: bool) -> None:
    """Show what listing services see."""
    from streams.commands import display
    from streams.services import local

    for event in local.published_events(settings, follow=follow):
        display.show_published(event, as_json=as_json)


@packshot.group()
def review() -> None:
    """A person's decisions on doubtful assets."""


@review.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are decided, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def review_list(settings: Settings, everything: bool, as_json: bool) -> None:
    """Show the assets that wait for a decision."""
    from streams.commands import display
    from streams.services import local

    with local.open_database(settings) as database, database.read() as facts:
        display.show_reviews(facts.reviews(pending=not everything), as_json=as_json)


@review.command()
@click.argument("review_id", metavar="ID")
@click.option("--why", default="", help="The reason, which is kept.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who decides; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def approve(settings: Settings, review_id: str, why: str, decided_by: str, as_json: bool) -> None:
    """Let an asset go live. ID may be shortened to its first digits."""
    _decide(settings, review_id, as_json, approved=True, reason=why, decided_by=decided_by)


@review.command()
@click.argument("review_id", metavar="ID")
@click.option("--why", required=True, help="The reason, which is kept.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who decides; by default the user's name.")
@click.option("--redo", is_flag=True, help="Make the asset again, with the parameters given by --set.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter for --redo.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def reject(
    settings: Settings, review_id: str, why: str, decided_by: str, redo: bool, pairs: tuple[str, ...], as_json: bool
) -> None:
    """Keep an asset from going live. ID may be shortened to its first digits."""
    if pairs and not redo:
        raise click.UsageError("--set is for --redo")
    parameters = _parameters(pairs)
    _decide(
        settings,
        review_id,
        as_json,
        approved=False,
        reason=why,
        decided_by=decided_by,
        redo=redo,
        parameters=parameters,
    )


@review.command()
@click.argument("review_id", metavar="ID")
@click.option("--why", required=True, help="The reason, which is kept.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who takes it back; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def undo(settings: Settings, review_id: str, why: str, decided_by: str, as_json: bool) -> None:
    """Take a decision back: what went live by it goes, and the asset waits for a decision again."""
    from streams.services import local

    event = local.undo(settings, review_id, why, decided_by)
    if as_json:
        print_json(event)
        return
    taken = "approval" if event.decision.approved else "rejection"
    console.say(f"the {taken} of {event.decision.review_id[:12]} is taken back ({event.tenant} {event.sku})")


packshot.add_command(brands)
packshot.add_command(channels)
packshot.add_command(tables)
packshot.add_command(dead)
packshot.add_command(models)
packshot.add_command(recipes)
packshot.add_command(topics)
packshot.add_command(retract)
packshot.add_command(sweep)


@packshot.command()
@click.argument("operation", type=click.Choice(sorted(OF_OPERATION.keys() - {"source"})))  # that one makes nothing
@click.argument(
    "sources",
    metavar="IN…",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--channel", help="The channel whose rules the picture follows.")
@click.option("--category", default="", help="The product's category, for rules that depend on it.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter of the operation.")
@click.option("--model", metavar="NAME@VERSION", help="The network that cuts out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def render(
    settings: Settings,
    operation: str,
    sources: tuple[Path, ...],
    target: Path,
    channel: str | None,
    category: str,
    pairs: tuple[str, ...],
    model: str | None,
    as_json: bool,
) -> None:
    """Run one operation on one file, or on several for one that takes more, without a broker."""
    from streams.commands import display
    from streams.services.local_render import render_files

    verdict, measures = render_files(settings, operation, sources, target, channel, category, _parameters(pairs), model)
    display.show_render(target, verdict, measures, as_json=as_json)


@packshot.command()
@click.argument("recipe")
@click.argument("skus", metavar="SKU…", nargs=-1, required=True)
@click.option(
    "--catalogue",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the products from this file of events; unset, from those that are known.",
)
@click.option("--tenant", help="The products of this tenant.")
@click.option("--channel", "channels", multiple=True, help="These channels in place of the products' own.")
@click.option(
    "--out",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    default="preview.html",
    show_default=True,
    help="The page to write.",
)
@click.option("--model", metavar="NAME@VERSION", help="The network that cuts out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def preview(
    settings: Settings,
    recipe: str,
    skus: tuple[str, ...],
    file: Path | None,
    tenant: str | None,
    channels: tuple[str, ...],
    target: Path,
    model: str | None,
    as_json: bool,
) -> None:
    """Show what a recipe makes of products, before and after, on one page. RECIPE is a name or a file."""
    from streams.commands import display
    from streams.services import preview as desk

    wanted = desk.Wanted(recipe, skus, file, tenant, channels, model)
    with display.progress("pictures", hidden=as_json) as report:
        entries = desk.preview(settings, wanted, target, report)
    display.show_preview(target, entries, as_json=as_json)


@packshot.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def check(settings: Settings, as_json: bool) -> None:
    """Check that everything is reachable and sane."""
    from streams.commands import display
    from streams.services.checks import check_everything

    findings = check_everything(settings)
    display.show_findings(findings, as_json=as_json)
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


@packshot.command()
@click.option("--from", "since_ms", type=Moment(), help="Products that changed then or later: a time, or 2h ago.")
@click.option("--sku", "skus", multiple=True, help="Products with this SKU; may be given several times.")
@click.option("--tenant", help="Products of this tenant.")
@click.option("--rule", metavar="CHANNEL@VERSION", help="Products with an asset that was judged by these rules.")
@click.option("--model", metavar="NAME@VERSION", help="Products with an asset that this network made.")
@click.option("--lane", type=click.Choice(LANES), default="bulk", show_default=True, help="How urgent it is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of tenant and SKU.")
@click.pass_obj
def replay(
    settings: Settings,
    since_ms: int | None,
    skus: tuple[str, ...],
    tenant: str | None,
    rule: str | None,
    model: str | None,
    lane: Any,
    as_json: bool,
) -> None:
    """Have products planned and made again; what comes out as it was costs no inference and is not published twice."""
    from streams.commands import display
    from streams.services import local, replanning

    selection = replanning.Selection(frozenset(skus), tenant, rule, model, since_ms)
    if selection == replanning.Selection():
        raise click.UsageError("say which products: --from, --sku, --tenant, --rule or --model")
    with local.connect(settings) as (database, producer):
        products = replanning.select(selection, database, settings)
        replanning.replan(products, lane, "packshot replay", producer)
    display.show_replanned(products, as_json=as_json)


@packshot.command("rebuild-facts")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def rebuild_facts(settings: Settings, as_json: bool) -> None:
    """Make the facts anew from the topics, with nothing else at work on them."""
    from streams.commands import display
    from streams.services import local

    display.show_rebuilt(local.rebuild_facts(settings), as_json=as_json)


@packshot.command()
@click.option("--deep", is_flag=True, help="Read every live file, too, and check its digest.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def audit(settings: Settings, deep: bool, as_json: bool) -> None:
    """Compare topics, facts and origin: is anything lost, stale, doubled or missing?"""
    from streams.commands import display
    from streams.services.audit.audit import audit as audit_everything

    report = audit_everything(settings, deep=deep)
    display.show_report(report, as_json=as_json)
    sys.exit(0 if report.clean else 1)


@packshot.command()
@click.option("--tenant", help="Work for this tenant.")
@click.option("--since", "since_ms", type=Moment(), default=0, help="Work that ended then or later: a time, or 2h ago.")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["tenant", "channel", "operation"]),
    help="What to tell apart; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def costs(settings: Settings, tenant: str | None, since_ms: int, by: tuple[Any, ...], as_json: bool) -> None:
    """Tell what an accepted image cost, and what was wasted or saved by the cache."""
    from streams.commands import display
    from streams.services import local

    with local.open_database(settings) as database, database.read() as facts:
        groups = facts.spendings(by, tenant=tenant, since_ms=since_ms) if by else []
        total = facts.spendings(tenant=tenant, since_ms=since_ms)
    display.show_costs(groups, total, by, settings.price_currency, as_json=as_json)


@packshot.command()
@click.option("--catalogue", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--campaign", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.pass_obj
def demo(settings: Settings, file: Path, campaign: Path) -> None:
    """Run the whole system over a catalogue and an urgent campaign, and show what came out."""
    from streams.commands.demo import run_demo

    sys.exit(run_demo(settings, file, campaign))


@packshot.command("settings")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
def show_settings(as_json: bool) -> None:
    """Show every setting, its default and what it is for."""
    if as_json:
        print_json([_setting_facts(name, field) for name, field in Settings.model_fields.items()])
        return
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = ",".join(default) if isinstance(default, list) else default
        console.say(f"{variable(name)}  [{'' if shown is None else shown}]")
        console.say(f"    {field.description}")


def _setting_facts(name: str, field: Any) -> dict[str, Any]:
    default = field.get_default(call_default_factory=True)
    told = str(default) if isinstance(default, Path) else default
    return {"name": variable(name), "default": told, "description": field.description}


def _parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise click.UsageError(f"--set takes KEY=VALUE, not {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)


def _decide(settings: Settings, review_id: str, as_json: bool, **decision: Any) -> None:
    from streams.services import local

    event = local.decide(settings, review_id, **decision)
    if as_json:
        print_json(event)
        return
    console.say(f"{'approved' if event.approved else 'rejected'} {event.review_id[:12]} ({event.tenant} {event.sku})")


if __name__ == "__main__":
    main()
