"""A recipe: its text as a draft, what that makes of a handful of products, and its release."""

import base64
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromQuery, JSONBody

from schemas.decoding import prepare
from schemas.recipes.reading import TEXT_MAX
from streams.facts import EVERY, Facts
from streams.runtime.errors import Refused
from streams.services.releases import recipe_drafts
from streams.services.releases.preview_page import Entry, Shown, shrunk
from streams.services.releases.recipe_drafts import Draft, Plan
from streams.web import telling
from streams.web.pages import UNSTORED, NotYours, page
from streams.web.routes.trying import ALONE, CheckView, check_view
from streams.web.visitors import OPERATE, REVIEW, VIEW, Looking, Visitor

OFFERED = 12  # products to choose the handful from
PICTURE_PX = 900  # of what is shown of a picture
BODY_MAX_BYTES = 2 * TEXT_MAX + 4096


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft."""

    text: str


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft, and the product that it is to be seen on."""

    text: str
    sku: str


class Word(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft that is to count from now on, and why."""

    text: str
    reason: str = ""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """NAME@VERSION of a draft, and how many products its release has made again: of the tenant's, and in all."""

    ref: str
    own: int
    all: int


class PictureSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An asset: its picture in base64, or why there is none; what the gates say, and the checks that did not pass."""

    asset: str
    outcome: str
    why: str
    media_type: str
    file: str | None
    size: str
    missed: list[CheckView]


@get("/desk/{tenant:str}/recipe", opt=VIEW, sync_to_thread=True)
def show_recipe(
    visitor: Looking, name: FromQuery[str] = "", operation: FromQuery[str] = "packshot", channel: FromQuery[str] = "web"
) -> Response[str]:
    """The page: of a recipe by its name, or of one that is begun by what was tried."""
    with visitor.place.read() as facts:
        draft = recipe_drafts.draft(name, facts) if name else _begun(operation, channel, facts)
        products = facts.overviews.products(visitor.tenant, "", "", "", (), OFFERED)
    return page(visitor, "recipe", draft=draft, products=products, may_release=_may_release(visitor))


@post("/desk/{tenant:str}/recipe/check", opt=REVIEW, sync_to_thread=True, status_code=200)
def check(visitor: Looking, data: JSONBody[Text]) -> Response[Planned]:
    """What is wrong with a draft, or what its release would do."""
    with visitor.place.read() as facts:
        return Response(_planned(visitor, recipe_drafts.plan(data.text, facts)), headers=UNSTORED)


@post("/desk/{tenant:str}/recipe/preview", opt=REVIEW, sync_to_thread=True, status_code=200)
def preview(visitor: Looking, data: JSONBody[Wish]) -> Response[list[PictureSeen]]:
    """What a draft makes of one product; nothing is kept."""
    place = visitor.place
    entries = recipe_drafts.seen(place.settings, place.database, visitor.tenant, data.sku, data.text)
    several = len(entries) > 1
    seen = [_told(entry, picture, several=several) for entry in entries for picture in entry.pictures]
    return Response(seen, headers=UNSTORED)


@post("/desk/{tenant:str}/recipe/release", opt=OPERATE, sync_to_thread=True, status_code=202)
def release(visitor: Looking, data: JSONBody[Word]) -> Planned:
    """Releases a draft: recipes are the whole installation's, and so are those who may."""
    if not _may_release(visitor):
        raise NotYours("recipes are every tenant's: who may see all of them may release one")
    place = visitor.place
    planned = recipe_drafts.release(place.database, place.sender, data.text, data.reason, visitor.name)
    return _planned(visitor, planned)


def _begun(operation: str, channel: str, facts: Facts) -> Draft:
    if operation not in ALONE:
        raise Refused("unknown_operation", f"no operation here is called {operation!r}", field="operation")
    if channel not in facts.recipes.cookbook().rules.names():
        raise Refused("unknown_channel", f"no channel is called {channel!r}", field="channel")
    return Draft("", 0, recipe_drafts.begun(operation, channel))


def _may_release(visitor: Visitor) -> bool:
    return visitor.may("operator") and EVERY in visitor.session.tenants


def _planned(visitor: Visitor, plan: Plan) -> Planned:
    own = sum(each.tenant == visitor.tenant for each in plan.products)
    return Planned(ref=plan.ref, own=own, all=len(plan.products) if EVERY in visitor.session.tenants else own)


def _told(entry: Entry, picture: Shown, *, several: bool) -> PictureSeen:
    """A picture; of a product with several photographs each says of which it is."""
    name = f"{picture.asset} · {entry.source.uri.rpartition('/')[2]}" if several else picture.asset
    if picture.made is None:
        return PictureSeen(asset=name, outcome="none", why=picture.why, media_type="", file=None, size="", missed=[])
    file = shrunk(picture.made.file, PICTURE_PX)
    measures = picture.made.measures
    return PictureSeen(
        asset=name,
        outcome=picture.outcome,
        why="",
        media_type="" if file is None else file[0],
        file=None if file is None else base64.b64encode(file[1]).decode(),
        size=f"{measures['width_px']:.0f} × {measures['height_px']:.0f} px, {telling.size(len(picture.made.file))}",
        missed=[check_view(each) for each in telling.doubtful(picture.made.verdict.checks)],
    )


prepare(Text, Wish, Word, Planned, PictureSeen)

ROUTES: tuple[Any, ...] = (show_recipe, check, preview, release)
