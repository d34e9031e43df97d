"""The live flow: what waits where, how old it is, who works on it, and the letters that died."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect

from schemas import topics
from schemas.operations import OPERATIONS
from streams.consumer import backlog, groups
from streams.consumer.backlog import Unread
from streams.consumer.reading import has_members
from streams.facts import Queued
from streams.runtime.clock import now_ms
from streams.runtime.settings import Settings
from streams.services.recovery import dead
from streams.services.recovery.dead import DeadLetter, Wanted
from streams.services.reports.views import letter_content, letter_view
from streams.web.pages import UNSTORED, NotHere, page
from streams.web.routes.door import Form
from streams.web.visitors import OPERATE, VIEW, Looking, Visitor

LETTERS_MAX = 200
OPERATORS = frozenset({topics.PUBLISHED.name, topics.MODELS.name, topics.RECIPES.name})  # no tenant's own


@dataclass
class Waiting:
    """What waits for a pool: how many tasks by lane, since when the oldest does (Unix time in ms), and how much work
    that is, of engine and CPU together; `is_known` says whether that was ever measured of each."""

    pool: str
    oldest_ms: int
    lanes: dict[str, int] = field(default_factory=dict)
    work_ms: float = 0.0
    is_known: bool = True


@dataclass(frozen=True)
class Reading:
    """A consumer group: how many records it has not read, the age of the oldest, and whether anybody is at work."""

    group: str
    behind: int
    age_ms: int
    has_members: bool


@get("/desk/{tenant:str}/flow", opt=VIEW, sync_to_thread=True)
def show_flow(visitor: Looking, done: FromQuery[str] = "") -> Response[str]:
    """The page; what is on it is fetched every few seconds."""
    return page(visitor, "flow", **lanes_of(visitor), done=done)


@get("/desk/{tenant:str}/flow/lanes", opt=VIEW, sync_to_thread=True)
def show_lanes(visitor: Looking) -> Response[str]:
    """What waits of the tenant's, anew."""
    return page(visitor, "flow_lanes", **lanes_of(visitor))


@get("/desk/{tenant:str}/flow/readers", opt=OPERATE, sync_to_thread=True)
def show_readers(visitor: Looking) -> Response[str]:
    """What the roles of the whole system have not read; that is nobody's but an operator's to see."""
    return page(visitor, "flow_readers", readers=readers_of(visitor.place.settings))


@get("/desk/{tenant:str}/flow/letters", opt=VIEW, sync_to_thread=True)
def show_letters(visitor: Looking) -> Response[str]:
    """The tenant's letters that nobody has dealt with, the newest first."""
    return page(visitor, "flow_letters", **letters_of(visitor))


@get("/desk/{tenant:str}/flow/letter", opt=VIEW, sync_to_thread=True)
def show_letter(visitor: Looking, letter: FromQuery[str]) -> Response[str]:
    """A letter: the event, its story, its headers."""
    return page(visitor, "letter", content=letter_content(_known(visitor, letter)))


@post("/desk/{tenant:str}/flow/replay", opt=OPERATE, sync_to_thread=True)
def replay(visitor: Looking, data: Form) -> Redirect:
    """Sends an open letter back to where it came from."""
    letter = _known(visitor, data.get("letter", ""))
    if letter.origin in OPERATORS:
        raise NotHere(f"what came from {letter.origin} is sent back by `packshot dead replay`")
    wanted = Wanted(frozenset([letter.name]), tenant=visitor.tenant)
    replayed = dead.replay(visitor.place.settings, wanted, visitor.name)
    for _, why in replayed.left:
        raise NotHere(f"it cannot go back: {why.message}")
    done = "It is sent back." if replayed.sent else "It was dealt with before."
    return Redirect(visitor.address("flow", done=done), status_code=303, headers=UNSTORED)


def letters_of(visitor: Visitor) -> dict[str, Any]:
    """What the template of the tenant's open letters is made of. Raises Unavailable."""
    found = dead.find(visitor.place.settings, Wanted(tenant=visitor.tenant))
    letters = [letter_view(each) for each in reversed(found) if each.state == "open"]
    return {"letters": letters[:LETTERS_MAX], "more": max(0, len(letters) - LETTERS_MAX)}


def _known(visitor: Visitor, name: str) -> DeadLetter:
    found = dead.find(visitor.place.settings, Wanted(frozenset([name]), tenant=visitor.tenant), whole=True)
    if not found:
        raise NotHere("there is no such letter")
    return found[0]


def lanes_of(visitor: Visitor) -> dict[str, Any]:
    """What the template of the tasks that wait is made of."""
    with visitor.place.read() as facts:
        queued = facts.overviews.queued(visitor.tenant)
        counts = facts.overviews.counts(visitor.tenant)
        work_ms = facts.overviews.work_ms(visitor.tenant)
    return {"queued": _by_pool(queued, work_ms), "counts": counts, "now_ms": now_ms()}


def _by_pool(queued: Sequence[Queued], work_ms: Mapping[str, float]) -> list[Waiting]:
    """What waits for each pool, by its name."""
    found: dict[str, Waiting] = {}
    for each in queued:
        pool = OPERATIONS[each.operation].pool if each.operation in OPERATIONS else "other"
        its = found.setdefault(pool, Waiting(pool, each.oldest_ms))
        its.lanes[each.lane] = its.lanes.get(each.lane, 0) + each.count
        its.oldest_ms = min(its.oldest_ms, each.oldest_ms)
        its.work_ms += each.count * work_ms.get(each.operation, 0.0)
        its.is_known &= each.operation in work_ms
    return [found[pool] for pool in sorted(found)]


def readers_of(settings: Settings) -> list[Reading]:
    """What the roles of the whole system have not read. Raises Unavailable."""
    unread: dict[str, list[Unread]] = {group: [] for group in groups.readers(settings.retry_delays)}
    for each in backlog.find(settings):
        unread[each.group].append(each)
    return [
        Reading(
            group.removeprefix("packshot."),
            sum(each.behind for each in behind),
            max((each.age_ms for each in behind), default=0),
            has_members(settings, group),
        )
        for group, behind in unread.items()
    ]


ROUTES: tuple[Any, ...] = (show_flow, show_lanes, show_readers, show_letters, show_letter, replay)
