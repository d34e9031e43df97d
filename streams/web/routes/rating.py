"""A second look at what passed, thumbs on what is live, and what both say of how good reviewing is."""

from functools import partial
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect

from streams.services.display.showing import Shown
from streams.services.review import agreement, sampling
from streams.web.pages import UNSTORED, page
from streams.web.routes.door import Form
from streams.web.routes.pictures import answer_picture
from streams.web.visitors import REVIEW, VIEW, Looking

SKIPPED_MAX = 20
WRONG = (
    "the cutout's edge",
    "something is missing",
    "something is there that is no product",
    "the colour",
    "the shadow or the light",
    "the wrong product",
)
Digest = Annotated[str, QueryParameter(name="picture", max_length=64)]


@get("/desk/{tenant:str}/sample", opt=REVIEW, sync_to_thread=True)
def show_sample(visitor: Looking, skip: FromQuery[str] = "", wrong: FromQuery[str] = "") -> Response[str]:
    """The next picture of the sample for whoever asks; nothing on the page says what others said of it.

    The picture that was said to be `wrong` before it can be taken down where it is live.
    """
    skipped = [each for each in skip.split(",") if each][-SKIPPED_MAX:]
    with visitor.place.read() as facts:
        known = sampling.sample(visitor.tenant, facts)
        found = known.next_for(visitor.name, skipped=skipped)
        product = None if found is None else facts.products.get(visitor.tenant, found.sku)
        before = next((each for each in known.passed if each.digest == wrong), None)
    mine = sum(any(each.rated_by == visitor.name for each in words) for words in known.words.values())
    title = "" if found is None else found.sku if product is None else product.event.title or found.sku
    further = ",".join([*skipped, found.digest if found else ""])
    context = {"title": title, "looked": mine, "reasons": WRONG, "skip": skip, "further": further, "before": before}
    return page(visitor, "sample", picture=found, **context)


@get("/desk/{tenant:str}/sample/picture", opt=REVIEW, sync_to_thread=True)
def show_picture(request: Request[Any, Any, Any], visitor: Looking, picture: Digest) -> Response[bytes]:
    """A picture of the sample; its address does not tell whether it is live."""
    showing = visitor.place.showing
    with visitor.place.read() as facts:
        found = sampling.find(visitor.tenant, picture, facts)
    whole: partial[Shown] = (
        partial(showing.blob, found.digest, found.media_type)
        if found.is_known_bad
        else partial(showing.live, found.key, found.media_type)
    )
    return answer_picture(request, visitor, found.digest, whole, 1280)


@post("/desk/{tenant:str}/sample/rate", opt=REVIEW, sync_to_thread=True)
def rate(visitor: Looking, data: Form) -> Redirect:
    """Notes what a person says of a picture, and goes on to the next."""
    place, is_right = visitor.place, data.get("right") == "yes"
    reason = "" if is_right else data.get("reason", "")[:200]
    digest = data.get("picture", "")
    sampling.look(place.database, place.sender, visitor.tenant, digest, visitor.name, is_right, reason)
    skipped = ",".join([*data.get("skip", "").split(","), digest][-SKIPPED_MAX:])
    address = visitor.address("sample", skip=skipped.strip(","), wrong="" if is_right else digest)
    return Redirect(address, status_code=303, headers=UNSTORED)


@post("/desk/{tenant:str}/product/rate", opt=VIEW, sync_to_thread=True)
def rate_product(visitor: Looking, data: Form) -> Redirect:
    """Notes a thumb on a picture that is live."""
    place, sku, asset = visitor.place, data.get("sku", ""), data.get("asset", "")
    is_right = data.get("right") == "yes"
    sampling.thumb(place.database, place.sender, visitor.tenant, sku, asset, visitor.name, is_right)
    message = f"Thank you: {asset} is {'right' if is_right else 'wrong'}, you say."
    return Redirect(visitor.address("product", sku=sku, done=message), status_code=303, headers=UNSTORED)


@get("/desk/{tenant:str}/agreement", opt=VIEW, sync_to_thread=True)
def show_agreement(visitor: Looking) -> Response[str]:
    """How much of what passed is wrong, who finds what is, and who agrees."""
    with visitor.place.read() as facts:
        known = sampling.sample(visitor.tenant, facts)
        thumbs = [each for each in facts.ratings.of(visitor.tenant) if each.purpose == "thumb"]
        courses = facts.opinions.courses(visitor.tenant)
    return page(
        visitor,
        "agreement",
        agreed=agreement.of(known, thumbs),
        before=agreement.of_cases(courses),
        twice_share=visitor.place.settings.review_twice_share,
        pictures=len(known.passed),
    )


ROUTES: tuple[Any, ...] = (show_sample, show_picture, rate, rate_product, show_agreement)
