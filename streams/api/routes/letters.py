"""Dead letters: events that could not be worked on, and another try for them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery

from schemas import topics
from schemas.decoding import prepare
from schemas.records import Milliseconds
from streams.api.callers import Asking, Caller
from streams.api.problems import Problem
from streams.services.recovery import dead
from streams.services.recovery.dead import DeadLetter, Wanted
from streams.services.reports.views import LetterContent, LetterView, letter_content, letter_view

OPERATORS = frozenset({topics.PUBLISHED.name, topics.MODELS.name, topics.RECIPES.name})  # no tenant's own
READ, OPERATE = {"scope": "read"}, {"scope": "operate"}


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """Letters as their records were first seen."""

    items: Sequence[LetterView]


@get("/v1/dead-letters", opt=READ, sync_to_thread=True)
def list_letters(
    caller: Asking,
    sku: FromQuery[str | None] = None,
    code: FromQuery[str | None] = None,
    event_id: FromQuery[str | None] = None,
    since_ms: FromQuery[Milliseconds] = 0,
    everything: FromQuery[bool] = False,
) -> Letters:
    """The tenant's letters that fit every filter; those that were dealt with only with `everything`."""
    wanted = Wanted(tenant=caller.tenant, sku=sku, code=code, event_id=event_id, since_ms=since_ms)
    found = dead.find(caller.settings, wanted)
    return Letters(items=[letter_view(each) for each in found if everything or each.state == "open"])


@get("/v1/dead-letters/{letter_id:str}", opt=READ, sync_to_thread=True)
def get_letter(caller: Asking, letter_id: FromPath[str]) -> LetterContent:
    """A letter: the event, its story, its headers. Its id is PARTITION-OFFSET."""
    return letter_content(_known(caller, letter_id))


@post("/v1/dead-letters/{letter_id:str}/replay", opt=OPERATE, status_code=202, sync_to_thread=True)
def replay_letter(caller: Asking, letter_id: FromPath[str]) -> Letters:
    """Send an open letter back to where it came from; one that was dealt with stays as it is."""
    letter = _known(caller, letter_id)
    if caller.key.mode == "test":
        raise Problem("scope_missing", "a test key replays nothing")
    if letter.origin in OPERATORS:
        raise Problem("no_origin", f"what came from {letter.origin} an operator sends back", field="letter_id")
    done = dead.replay(caller.settings, Wanted(frozenset([letter.name]), tenant=caller.tenant), caller.name)
    for _, why in done.left:
        raise why
    return Letters(items=[letter_view(each) for each in done.sent])


def _known(caller: Caller, letter_id: str) -> DeadLetter:
    wanted = Wanted(frozenset([letter_id.replace("-", "/")]), tenant=caller.tenant)
    found = dead.find(caller.settings, wanted, whole=True)
    if not found:
        raise Problem("unknown_letter", f"no dead letter has the id {letter_id!r}", field="letter_id")
    return found[0]


prepare(Letters)

ROUTES: tuple[Any, ...] = (list_letters, get_letter, replay_letter)
