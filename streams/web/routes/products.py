"""Products: found, and one of them with its assets, its history, and what can be done about it."""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect

from streams.facts import AssetState
from streams.facts.states import STATES
from streams.flow.processors.retracting import is_retracted
from streams.services.operating import decisions
from streams.services.operating.replanning import replan
from streams.services.reports import history
from streams.web.pages import UNSTORED, NotHere, page
from streams.web.routes.door import Form
from streams.web.visitors import REVIEW, VIEW, Looking, Visitor

PAGE_ROWS = 40
THUMBNAILS = 7  # of a product in the list

State = Annotated[AssetState | None, QueryParameter(name="state")]


@get("/desk/{tenant:str}/products", opt=VIEW, sync_to_thread=True)
def list_products(
    visitor: Looking,
    q: FromQuery[str] = "",
    where: State = None,
    channel: FromQuery[str] = "",
    after: FromQuery[str] = "",
) -> Response[str]:
    """The products that fit, each with its assets."""
    behind = (after,) if after else ()
    with visitor.place.read() as facts:
        found = facts.overviews.products(visitor.tenant, q[:128], where or "", channel, behind, PAGE_ROWS)
        assets = facts.overviews.assets(visitor.tenant, [each.event.sku for each in found])
        counts, channels = facts.overviews.counts(visitor.tenant), facts.overviews.channels(visitor.tenant)
    return page(
        visitor,
        "products",
        rows=[(each, assets[each.event.sku]) for each in found],
        counts=counts,
        channels=channels,
        states=sorted(STATES),
        asked={"q": q, "state": where or "", "channel": channel},
        next=found[-1].event.sku if len(found) == PAGE_ROWS else "",
        thumbnails=THUMBNAILS,
    )


@get("/desk/{tenant:str}/product", opt=VIEW, sync_to_thread=True)
def show_product(visitor: Looking, sku: FromQuery[str], done: FromQuery[str] = "") -> Response[str]:
    """One product: its assets by channel, why each stands where it does, and what happened."""
    with visitor.place.read() as facts:
        product = facts.products.get(visitor.tenant, sku)
        if product is None:
            raise NotHere(f"no product has the SKU {sku!r}")
        assets = facts.assets.of(visitor.tenant, sku)
        reviews = {
            each.asset: each for each, _ in facts.overviews.reviews(visitor.tenant, sku) if each.state != "superseded"
        }
        timeline = history.of(visitor.tenant, product, facts)
        spent = facts.costs.of_assets(visitor.tenant, [sku])
        words = [each for each in facts.ratings.on(visitor.tenant, sku) if each.rated_by == visitor.name]
    costs = {(each.asset): spent.get((sku, each.asset, each.version), 0) for each in assets}
    thumbs = {each.picture: each.is_right for each in words if each.purpose == "thumb"}
    context: dict[str, Any] = {"is_taken_down": not product.deleted and any(map(is_retracted, assets))}
    said = {asset: (review, decisions.standing(review)) for asset, review in reviews.items()}
    context |= {"thumbs": thumbs, "assets": assets, "said": said, "timeline": timeline, "costs": costs}
    return page(
        visitor, "product", product=product, done=done, currency=visitor.place.settings.price_currency, **context
    )


@post("/desk/{tenant:str}/product/take-down", opt=REVIEW, sync_to_thread=True)
def take_down(visitor: Looking, data: Form) -> Redirect:
    """Takes an asset off the shop, or all of them."""
    place, sku = visitor.place, data.get("sku", "")
    assets = [data["asset"]] if data.get("asset") else []
    decisions.retract(place.database, place.sender, visitor.tenant, sku, assets, _reason(data), visitor.name)
    return _back(visitor, sku, "It is being taken down.")


@post("/desk/{tenant:str}/product/undo", opt=REVIEW, sync_to_thread=True)
def undo(visitor: Looking, data: Form) -> Redirect:
    """Takes a decision back: what went live by it goes, and the review waits again."""
    with visitor.place.read() as facts:
        review = facts.reviews.get(data.get("review", ""))
    if review is None or review.request.completed.task.tenant != visitor.tenant:
        raise NotHere("there is no such review")
    decisions.undo(review, visitor.place.sender, _reason(data), visitor.name)
    return _back(visitor, review.request.completed.task.sku, "The decision is taken back.")


@post("/desk/{tenant:str}/product/again", opt=REVIEW, sync_to_thread=True)
def make_again(visitor: Looking, data: Form) -> Redirect:
    """Undoes a take-down: the product is planned anew, and what was made of it is found."""
    place, sku = visitor.place, data.get("sku", "")
    with place.read() as facts:
        product = facts.products.get(visitor.tenant, sku)
    if product is None or product.deleted:
        raise NotHere(f"no product has the SKU {sku!r}")
    replan([(visitor.tenant, sku)], "urgent", f"{visitor.name}: {_reason(data)}", place.sender)
    return _back(visitor, sku, "It is being put back.")


def _reason(data: dict[str, str]) -> str:
    return data.get("reason", "").strip()[:1024] or "no reason was given"


def _back(visitor: Visitor, sku: str, done: str) -> Redirect:
    return Redirect(visitor.address("product", sku=sku, done=done), status_code=303, headers=UNSTORED)


ROUTES: tuple[Any, ...] = (list_products, show_product, take_down, make_again, undo)
