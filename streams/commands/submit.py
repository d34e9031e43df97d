"""`packshot submit` and `published`: events in, events out."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.commands.options import through
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings

if TYPE_CHECKING:
    from streams.services.submitting.event_files import BadLine, Read
    from streams.services.submitting.fates import Fate

CLOCKS_DIFFER_MS = 60_000  # this machine's and the brokers'


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--wait", is_flag=True, help="Follow every event until its assets are published, in review or failed.")
@click.option("--timeout", "timeout_s", default=3600.0, show_default=True, help="How long to wait, in seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@through
@click.pass_obj
def submit(
    settings: Settings,
    file: Path,
    wait: bool,
    timeout_s: float,
    as_json: bool,
    remote: str | None,
    key: str | None,
) -> None:
    """Send the catalogue and campaign events in FILE: JSON (a line each, an array, pretty-printed), CSV or TSV."""
    from streams.commands.tables import progress
    from streams.commands.tables.submit import show_submission
    from streams.services.submitting import event_files

    read, bad = event_files.read_events(file)
    events, lacking = event_files.with_files(read)
    bad = [*bad, *lacking]
    if not events:  # then it takes no broker to say so
        show_submission([], [], bad or [event_files.BadLine(1, "", "no event in it")], as_json=as_json)
        sys.exit(Exit.NOT_DONE)
    if url := remote or settings.remote:
        _submit_remotely(settings, url, key, events, bad, timeout_s if wait else None, as_json)
        return
    from streams.services.operating import local  # Kafka's client and the flow's planning
    from streams.services.submitting import following, submission  # Kafka's client and the flow's planning

    with local.connect(settings) as (database, producer):
        with database.read() as facts:
            unmakeable = submission.unmakeable(events, facts)
        if unmakeable:
            show_submission([], [], [*bad, *unmakeable], as_json=as_json)
            sys.exit(Exit.NOT_DONE)
        sent = [each.event for each in events]
        if not wait:
            submitted, fates = submission.send(sent, producer), []
        else:
            with following.news(settings) as news, progress("assets", hidden=as_json) as report:
                submitted = submission.send(sent, producer)
                ends = time.monotonic() + timeout_s, settings.stalled_after_s
                fates = following.follow(submitted, database, news, report, *ends)
    show_submission(submitted, fates, bad, as_json=as_json)
    sys.exit(_status(fates, bad))


def _submit_remotely(
    settings: Settings,
    url: str,
    key: str | None,
    events: "Sequence[Read]",
    bad: "list[BadLine]",
    timeout_s: float | None,
    as_json: bool,
) -> None:
    from streams.commands.tables import progress
    from streams.commands.tables.submit import show_submission
    from streams.services.submitting import remote

    since_ms = time.time_ns() // 1_000_000 - CLOCKS_DIFFER_MS
    with remote.clients(settings, url, key) as clients:
        sent, refused = remote.submit(clients, events)
        fates: list[Fate] = []
        if timeout_s is not None:
            with progress("events", hidden=as_json) as report:
                fates = remote.follow(clients, sent, timeout_s, since_ms, report)
    show_submission(sent, fates, [*bad, *refused], as_json=as_json)
    sys.exit(_status(fates, [*bad, *refused]))


def _status(fates: "Sequence[Fate]", bad: "Sequence[BadLine]") -> Exit:
    return Exit.FOUND if bad or any(fate.state in ("failed", "waiting") for fate in fates) else Exit.OK


@click.command()
@click.option("--follow", is_flag=True, help="Go on as new events come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
@click.pass_obj
def published(settings: Settings, follow: bool, as_json: bool) -> None:
    """Show what listing services see."""
    from streams.commands.tables.submit import show_published
    from streams.services.operating import local

    for event in local.published_events(settings, follow=follow):
        show_published(event, as_json=as_json)
