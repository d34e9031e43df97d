"""`packshot review`: a person's decisions on doubtful assets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from schemas.records import OpinionGiven
from streams.commands.groups import Group
from streams.commands.options import parameters, through
from streams.runtime.screen import console, print_json
from streams.runtime.settings import Settings
from streams.services.reports.moments import Age

if TYPE_CHECKING:
    from streams.client import Client
    from streams.facts import Database

_SAID = {"approve": "approved", "reject": "rejected", "redo": "to be redone:"}


@click.group(cls=Group)
def review() -> None:
    """A person's decisions on doubtful assets."""


@review.command("list")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--sku", help="Only this product's.")
@click.option("--channel", help="Only those with an asset for this channel.")
@click.option("--check", help="Only those for which this check is in doubt.")
@click.option("--category", help="Only products of this category.")
@click.option("--older-than", "older_than_s", type=Age(), help="Only those that wait for so long: 15m, 2h, 3d.")
@click.option("--assets", is_flag=True, help="One line an asset, not a case.")
@click.option("--all", "everything", is_flag=True, help="One line an asset, those that are decided, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@through
@click.pass_obj
def review_list(
    settings: Settings,
    tenant: str | None,
    sku: str | None,
    channel: str | None,
    check: str | None,
    category: str | None,
    older_than_s: float | None,
    assets: bool,
    everything: bool,
    as_json: bool,
    remote: str | None,
    key: str | None,
) -> None:
    """Show what waits for a decision, by its cause: one decision on a case counts for all its assets."""
    from streams.commands.tables.review import show_cases, show_reviews
    from streams.services.reports.status import open_database
    from streams.services.review import cases

    wanted = cases.Wanted(
        tenant=tenant, sku=sku, channel=channel, check=check, category=category, older_than_s=older_than_s
    )
    if (assets or everything) and wanted != cases.Wanted():
        raise click.UsageError("filters are for cases, without --assets or --all")
    if url := remote or settings.remote:
        if assets or everything:
            raise click.UsageError("through an API there are cases alone, without --assets or --all")
        with _elsewhere(settings, url, key, tenant) as client:
            show_cases(remote_review().every(client, wanted), as_json=as_json)
        return
    with open_database(settings) as database:
        if not assets and not everything:
            show_cases(cases.every(database, wanted), as_json=as_json)
            return
        with database.read() as facts:
            show_reviews(facts.reviews.every(pending=not everything), as_json=as_json)


@review.command()
@click.argument("case_id", metavar="CASE")
@click.option("--open", "opens", is_flag=True, help="Write the pictures to a page, and open it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@through
@click.pass_obj
def show(settings: Settings, case_id: str, opens: bool, as_json: bool, remote: str | None, key: str | None) -> None:
    """Show a case: the failing check first, and its assets. CASE may be shortened to its first digits."""
    from streams.commands.tables.review import show_case
    from streams.services.reports.status import open_database
    from streams.services.review import cases

    if url := remote or settings.remote:
        if opens:
            raise click.UsageError("--open is for this system's own cases: elsewhere the desk shows pictures")
        with _elsewhere(settings, url, key) as client:
            show_case(remote_review().get(client, remote_review().find(client, case_id)), as_json=as_json)
        return
    with open_database(settings) as database:
        case_id = cases.find(database, None, case_id)
        show_case(cases.get(database, None, case_id), as_json=as_json)
        if opens:
            _open_page(database, settings, case_id)


@review.command()
@click.argument("review_id", metavar="ID", default="")
@click.option("--case", "case_id", default="", help="A case, instead of one asset: for all that wait for it.")
@click.option("--why", default="", help="The reason, which is kept.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who decides; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@through
@click.pass_obj
def approve(
    settings: Settings,
    review_id: str,
    case_id: str,
    why: str,
    decided_by: str,
    as_json: bool,
    remote: str | None,
    key: str | None,
) -> None:
    """Let an asset go live, or all of a case. Ids may be shortened to their first digits."""
    _check_which(review_id, case_id)
    if case_id:
        through_api = remote or settings.remote, key
        _decide_case(settings, case_id, decided_by, as_json, through_api, outcome="approve", reason=why)
        return
    _check_is_here(settings, remote)
    _decide(settings, review_id, as_json, approved=True, reason=why, decided_by=decided_by)


@review.command()
@click.argument("review_id", metavar="ID", default="")
@click.option("--case", "case_id", default="", help="A case, instead of one asset: for all that wait for it.")
@click.option("--why", required=True, help="The reason, which is kept.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who decides; by default the user's name.")
@click.option("--redo", is_flag=True, help="Make the asset again, with the parameters given by --set.")
@click.option("--step", help="With --case and --redo: the step to redo, `cutout` or the asset's own.")
@click.option("--retouch", type=click.Path(exists=True, dir_okay=False), help="With --step cutout: a file of strokes.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter for --redo.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@through
@click.pass_obj
def reject(
    settings: Settings,
    review_id: str,
    case_id: str,
    why: str,
    decided_by: str,
    redo: bool,
    step: str | None,
    retouch: str | None,
    pairs: tuple[str, ...],
    as_json: bool,
    remote: str | None,
    key: str | None,
) -> None:
    """Keep an asset from going live, or all of a case. Ids may be shortened to their first digits."""
    _check_which(review_id, case_id)
    if (pairs or step or retouch) and not redo:
        raise click.UsageError("--set, --step and --retouch are for --redo")
    if (step or retouch) and not case_id:
        raise click.UsageError("--step and --retouch are for --case")
    if case_id:
        decision = {
            "outcome": "redo" if redo else "reject",
            "reason": why,
            "step": step,
            "parameters": parameters(pairs),
        }
        where = remote or settings.remote, key
        _decide_case(settings, case_id, decided_by, as_json, where, strokes=retouch, **decision)
        return
    _check_is_here(settings, remote)
    about = {"reason": why, "decided_by": decided_by, "parameters": parameters(pairs)}
    _decide(settings, review_id, as_json, approved=False, redo=redo, **about)


@review.command()
@click.argument("review_id", metavar="ID", default="")
@click.option("--case", "case_id", default="", help="A case, instead of one asset: the decision on it.")
@click.option("--why", required=True, help="The reason, which is kept.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who takes it back; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@through
@click.pass_obj
def undo(
    settings: Settings,
    review_id: str,
    case_id: str,
    why: str,
    decided_by: str,
    as_json: bool,
    remote: str | None,
    key: str | None,
) -> None:
    """Take a decision back: what went live by it goes, and the asset waits for a decision again."""
    from streams.services.operating import local
    from streams.services.review import cases

    _check_which(review_id, case_id)
    if case_id and (url := remote or settings.remote):
        with _elsewhere(settings, url, key) as client:
            event = remote_review().undo(client, remote_review().find(client, case_id), why)
    elif case_id:
        with local.connect(settings) as (database, producer):
            event = cases.take_back(database, producer, None, cases.find(database, None, case_id), why, decided_by)
    else:
        _check_is_here(settings, remote)
        event = local.undo(settings, review_id, why, decided_by)
    if as_json:
        print_json(event)
        return
    if isinstance(event, OpinionGiven):
        console.say(f"your opinion on case {event.case[:12]} is withdrawn ({event.tenant} {event.sku})")
        return
    taken = "approval" if event.decision.approved else "rejection"
    of = f"case {event.decision.case[:12]}" if event.decision.case else event.decision.review_id[:12]
    console.say(f"the {taken} of {of} is taken back ({event.tenant} {event.sku})")


def _check_which(review_id: str, case_id: str) -> None:
    if bool(review_id) == bool(case_id):
        raise click.UsageError("say which: the ID of one asset's review, or --case CASE")


def _check_is_here(settings: Settings, remote: str | None) -> None:
    if remote or settings.remote:
        raise click.UsageError("through an API decisions are on a case: --case CASE")


@contextmanager
def _elsewhere(settings: Settings, url: str, key: str | None, tenant: str | None = None) -> Iterator[Client]:
    """The client of an API elsewhere. Raises SettingsError without a key."""
    from streams.services.submitting import remote

    with remote.clients(settings, url, key) as clients:
        yield clients(tenant)


def remote_review() -> ModuleType:
    """The service, which only those who go elsewhere load."""
    from streams.services.review import remote_review as service

    return service


def _decide(settings: Settings, review_id: str, as_json: bool, **decision: Any) -> None:
    from streams.services.operating import local

    event = local.decide(settings, review_id, **decision)
    if as_json:
        print_json(event)
        return
    console.say(f"{'approved' if event.approved else 'rejected'} {event.review_id[:12]} ({event.tenant} {event.sku})")


def _decide_case(
    settings: Settings,
    shortened: str,
    decided_by: str,
    as_json: bool,
    through_api: tuple[str | None, str | None],
    strokes: str | None = None,
    **decision: Any,
) -> None:
    from schemas import retouching
    from streams.blobs import Blobs, open_store
    from streams.services.operating import local
    from streams.services.review import cases

    retouch = None if strokes is None else retouching.read(Path(strokes).read_bytes())
    decision_made, (url, key) = cases.Decision(**decision, retouch=retouch), through_api
    if url:
        with _elsewhere(settings, url, key) as client:
            decided = remote_review().decide(client, remote_review().find(client, shortened), decision_made, decided_by)
    else:
        with local.connect(settings) as (database, producer):
            case_id = cases.find(database, None, shortened)
            blobs = Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint))
            decide = partial(cases.decide, database, producer, None, twice_share=settings.review_twice_share)
            decided = decide(case_id, decision_made, decided_by, blobs=blobs)
    if as_json:
        print_json(decided)
        return
    waits = "" if decided.is_final else "; somebody else has to look at it, too"
    console.say(f"{_SAID[decided.outcome]} case {decided.case_id[:12]}: {decided.assets} assets{waits}")


def _open_page(database: Database, settings: Settings, case_id: str) -> None:
    import tempfile
    import webbrowser

    from streams.services.review.case_sheet import case_page

    page = case_page(database, settings, case_id)
    with tempfile.NamedTemporaryFile("w", prefix="packshot-case-", suffix=".html", delete=False) as file:
        file.write(page)
    console.say(f"the pictures: {file.name}")
    webbrowser.open(Path(file.name).as_uri())
