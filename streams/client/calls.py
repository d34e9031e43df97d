"""What can be asked of the API.

Generated from schemas/openapi.json by `python -m streams.api.generate`; not to be edited.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from streams.client.base import Call, Page, json_call, path
from streams.client.records import (
    Accepted,
    Asset,
    BrandRow,
    Campaign,
    CampaignRequest,
    Case,
    CaseSummary,
    Channel,
    ChannelRow,
    Claim,
    Costs,
    DecisionUndone,
    KnownProduct,
    Letter,
    LetterContent,
    Product,
    ProductAssets,
    Quality,
    Recipe,
    RecipeRow,
    RetractionDecided,
    Review,
    ReviewDecided,
    Upload,
    Webhook,
    WebhookDelivery,
    WebhookReplay,
    WebhookSecret,
    Word,
)


def list_products(limit: int | None = None) -> Call[Page[KnownProduct]]:
    """The tenant's products, by SKU."""
    return json_call("GET", path("products"), Page[KnownProduct], params={"limit": limit})


def get_product(sku: str) -> Call[KnownProduct]:
    """A product in its newest known version, which is its ETag."""
    return json_call("GET", path("products", sku), KnownProduct)


def put_product(sku: str, product: Product, if_match: int | None = None) -> Call[Accepted]:
    """Say how a product is now; its pictures are made, judged and published. The same again does nothing anew."""
    return json_call("PUT", path("products", sku), Accepted, body=product, headers={"If-Match": if_match})


def delete_product(sku: str, if_match: int | None = None) -> Call[Accepted]:
    """Take a product away, and all of it that is live."""
    return json_call("DELETE", path("products", sku), Accepted, headers={"If-Match": if_match})


def retract_product(sku: str, reason: str, assets: Sequence[str] | None = None) -> Call[RetractionDecided]:
    """Take assets off the shop at once; they stay away until a newer version."""
    return json_call(
        "POST", path("products", sku, "retraction"), RetractionDecided, body={"reason": reason, "assets": assets}
    )


def post_upload(sha256: str, size_bytes: int, media_type: str) -> Call[Upload]:
    """Fixes what a file will be, and says where to put it."""
    return json_call(
        "POST", path("uploads"), Upload, body={"sha256": sha256, "size_bytes": size_bytes, "media_type": media_type}
    )


def get_upload(upload_id: str) -> Call[Upload]:
    """How an upload stands."""
    return json_call("GET", path("uploads", upload_id), Upload)


def get_product_assets(sku: str) -> Call[ProductAssets]:
    """Where each asset of a product stands: state, why, URLs, srcset, verdict, cost, disclosure."""
    return json_call("GET", path("products", sku, "assets"), ProductAssets)


def list_assets(
    state: str | None = None,
    channel: str | None = None,
    campaign: str | None = None,
    sku: str | None = None,
    limit: int | None = None,
) -> Call[Page[Asset]]:
    """The tenant's assets by SKU and name, those that fit every filter."""
    return json_call(
        "GET",
        path("assets"),
        Page[Asset],
        params={"state": state, "channel": channel, "campaign": campaign, "sku": sku, "limit": limit},
    )


def get_quality() -> Call[Quality]:
    """How the tenant's pictures come out: assets by state, and the newest verdicts by channel and by check."""
    return json_call("GET", path("quality"), Quality)


def get_costs(by: str | None = None, since_ms: int | None = None) -> Call[Costs]:
    """What the tenant's accepted images cost, and what was wasted or saved."""
    return json_call("GET", path("costs"), Costs, params={"by": by, "since_ms": since_ms})


def get_campaign(campaign: str) -> Call[Campaign]:
    """How a campaign stands, and each of its assets."""
    return json_call("GET", path("campaigns", campaign), Campaign)


def put_campaign(campaign: str, request: CampaignRequest) -> Call[Accepted]:
    """Ask for a campaign's pictures; the newest request counts."""
    return json_call("PUT", path("campaigns", campaign), Accepted, body=request)


def cancel_campaign(campaign: str, reason: str | None = None) -> Call[Accepted]:
    """Take a campaign back: nothing more is made for it, what is live of it goes."""
    return json_call("DELETE", path("campaigns", campaign), Accepted, params={"reason": reason})


def list_cases(
    sku: str | None = None,
    about: str | None = None,
    channel: str | None = None,
    check: str | None = None,
    category: str | None = None,
    older_than: str | None = None,
    limit: int | None = None,
) -> Call[Page[CaseSummary]]:
    """The tenant's cases that wait, by deadline, then age."""
    return json_call(
        "GET",
        path("reviews", "cases"),
        Page[CaseSummary],
        params={
            "sku": sku,
            "about": about,
            "channel": channel,
            "check": check,
            "category": category,
            "older_than": older_than,
            "limit": limit,
        },
    )


def get_case(case_id: str) -> Call[Case]:
    """A case, its assets, and what the gates said, the failing check first."""
    return json_call("GET", path("reviews", "cases", case_id), Case)


def decide_case(
    case_id: str,
    outcome: str,
    reason: str | None = None,
    step: str | None = None,
    parameters: Mapping[str, str] | None = None,
    retouch: Mapping[str, Any] | None = None,
    approved: bool | None = None,
    epoch: int | None = None,
    holder: str | None = None,
) -> Call[Word]:
    """Decide on a case: for all assets that wait for it."""
    return json_call(
        "POST",
        path("reviews", "cases", case_id, "decision"),
        Word,
        body={
            "outcome": outcome,
            "reason": reason,
            "step": step,
            "parameters": parameters,
            "retouch": retouch,
            "approved": approved,
            "epoch": epoch,
        },
        params={"holder": holder},
    )


def undo_case(case_id: str, reason: str | None = None) -> Call[DecisionUndone]:
    """Take a decision back: what went live by it goes, and its assets wait again."""
    return json_call("DELETE", path("reviews", "cases", case_id, "decision"), DecisionUndone, params={"reason": reason})


def claim_case(case_id: str, holder: str | None = None, epoch: int | None = None) -> Call[Claim]:
    """Have a case for a minute, or keep it for another: nobody else decides on it meanwhile."""
    return json_call("POST", path("reviews", "cases", case_id, "claim"), Claim, body={"holder": holder, "epoch": epoch})


def release_case(case_id: str, epoch: int | None = None, holder: str | None = None) -> Call[None]:
    """Give a case back; a claim that has ended already changes nothing."""
    return json_call(
        "DELETE", path("reviews", "cases", case_id, "claim"), None, params={"epoch": epoch, "holder": holder}
    )


def list_reviews(state: str | None = None, sku: str | None = None, limit: int | None = None) -> Call[Page[Review]]:
    """The tenant's reviews in a state, by id."""
    return json_call("GET", path("reviews"), Page[Review], params={"state": state, "sku": sku, "limit": limit})


def get_review(review_id: str) -> Call[Review]:
    """A review and what the gates said."""
    return json_call("GET", path("reviews", review_id), Review)


def decide(
    review_id: str,
    approved: bool,
    reason: str | None = None,
    redo: bool | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Call[ReviewDecided]:
    """Decide on a review that waits. A rejection takes its picture down where it is live by rules of before."""
    return json_call(
        "POST",
        path("reviews", review_id, "decision"),
        ReviewDecided,
        body={"approved": approved, "reason": reason, "redo": redo, "parameters": parameters},
    )


def undo_decision(review_id: str, reason: str | None = None) -> Call[DecisionUndone]:
    """Take a decision back: what went live by it goes, and the review waits again."""
    return json_call("DELETE", path("reviews", review_id, "decision"), DecisionUndone, params={"reason": reason})


def list_letters(
    sku: str | None = None,
    code: str | None = None,
    event_id: str | None = None,
    since_ms: int | None = None,
    everything: bool | None = None,
) -> Call[Page[Letter]]:
    """The tenant's letters that fit every filter; those that were dealt with only with `everything`."""
    return json_call(
        "GET",
        path("dead-letters"),
        Page[Letter],
        params={"sku": sku, "code": code, "event_id": event_id, "since_ms": since_ms, "everything": everything},
    )


def get_letter(letter_id: str) -> Call[LetterContent]:
    """A letter: the event, its story, its headers. Its id is PARTITION-OFFSET."""
    return json_call("GET", path("dead-letters", letter_id), LetterContent)


def replay_letter(letter_id: str) -> Call[Page[Letter]]:
    """Send an open letter back to where it came from; one that was dealt with stays as it is."""
    return json_call("POST", path("dead-letters", letter_id, "replay"), Page[Letter])


def list_recipes() -> Call[Sequence[RecipeRow]]:
    """The recipes that count, by name."""
    return json_call("GET", path("recipes"), Sequence[RecipeRow])


def get_recipe(name: str) -> Call[Recipe]:
    """A recipe: its operations, their parameters, and what follows each."""
    return json_call("GET", path("recipes", name), Recipe)


def list_channels() -> Call[Sequence[ChannelRow]]:
    """The channels whose rules count, by name."""
    return json_call("GET", path("channels"), Sequence[ChannelRow])


def get_channel(name: str, category: str | None = None) -> Call[Channel]:
    """A channel's rules, for products of a category."""
    return json_call("GET", path("channels", name), Channel, params={"category": category})


def list_brands() -> Call[Sequence[BrandRow]]:
    """The brands, by name."""
    return json_call("GET", path("brands"), Sequence[BrandRow])


def list_webhooks() -> Call[Page[Webhook]]:
    """The tenant's endpoints."""
    return json_call("GET", path("webhooks"), Page[Webhook])


def add_webhook(url: str, events: Sequence[str] | None = None, scheme: str | None = None) -> Call[WebhookSecret]:
    """Have events of the tenant sent to a URL; shows once what receivers verify them with."""
    return json_call("POST", path("webhooks"), WebhookSecret, body={"url": url, "events": events, "scheme": scheme})


def get_webhook(endpoint: str) -> Call[Webhook]:
    """One endpoint."""
    return json_call("GET", path("webhooks", endpoint), Webhook)


def remove_webhook(endpoint: str) -> Call[None]:
    """Forget an endpoint and all its deliveries."""
    return json_call("DELETE", path("webhooks", endpoint), None)


def change_webhook(endpoint: str, state: str, why: str | None = None) -> Call[Webhook]:
    """Pause an endpoint, or have it go on."""
    return json_call("PATCH", path("webhooks", endpoint), Webhook, body={"state": state, "why": why})


def rotate_webhook(endpoint: str, keep_s: int | None = None) -> Call[WebhookSecret]:
    """Give an endpoint a new secret, shown this once; both sign until the one before is over."""
    return json_call("POST", path("webhooks", endpoint, "rotation"), WebhookSecret, body={"keep_s": keep_s})


def list_deliveries(
    endpoint: str, state: str | None = None, since_ms: int | None = None, limit: int | None = None
) -> Call[Page[WebhookDelivery]]:
    """What an endpoint was told, is to be told, and how each attempt went; the newest first."""
    return json_call(
        "GET",
        path("webhooks", endpoint, "deliveries"),
        Page[WebhookDelivery],
        params={"state": state, "since_ms": since_ms, "limit": limit},
    )


def replay_webhook(endpoint: str, since_ms: int, until_ms: int | None = None) -> Call[WebhookReplay]:
    """Send what was published in a range of time once more, each with the id that it had."""
    return json_call(
        "POST", path("webhooks", endpoint, "replay"), WebhookReplay, body={"since_ms": since_ms, "until_ms": until_ms}
    )
