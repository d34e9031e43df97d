"""What the API takes and answers; /docs says what each means.

Generated from schemas/openapi.json by `python -m streams.api.generate`; not to be edited.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from streams.client.base import Record, ready


class Accepted(Record, frozen=True, kw_only=True):
    """See Accepted there."""

    event_id: str
    subject: str
    version: int
    test: bool


class Asset(Record, frozen=True, kw_only=True):
    """See AssetView there."""

    tenant: str
    sku: str
    asset: str
    version: int
    channel: str
    campaign: str | None
    state: str
    reason: str
    url: str | None
    srcset: Mapping[str, str]
    verdict: Mapping[str, Any] | None
    cost_nanos: int
    disclosure: Mapping[str, Any] | None
    live: Mapping[str, Any] | None


class BrandRow(Record, frozen=True, kw_only=True):
    """See BrandRow there."""

    name: str
    parameters: Mapping[str, str]
    wrong: str


class CampaignRequest(Record, frozen=True, kw_only=True):
    """See CampaignBody there."""

    skus: Sequence[str]
    channels: Sequence[str]
    recipe: str = "campaign"
    priority: str = "urgent"
    deadline_ms: int | None = None
    version: int = 0


class Campaign(Record, frozen=True, kw_only=True):
    """See CampaignView there."""

    tenant: str
    campaign: str
    version: int
    cancelled: bool
    complete: bool
    recipe: str
    channels: Sequence[str]
    priority: str
    deadline_ms: int | None
    assets: Sequence[Asset]


class CaseSummary(Record, frozen=True, kw_only=True):
    """See CaseSummary there."""

    case_id: str
    tenant: str
    sku: str
    title: str
    category: str
    about: str
    state: str
    why: str
    again: str
    checks: Sequence[str]
    channels: Sequence[str]
    waiting: int
    releases: int
    deadline_ms: int | None
    since_ms: int
    source: Mapping[str, Any] | None
    cutout: Mapping[str, Any] | None
    picture: Mapping[str, Any]
    claimed_by: str | None
    claimed_until_ms: int | None
    opinions: int = 0


class Channel(Record, frozen=True, kw_only=True):
    """See Channel there."""

    name: str
    version: str
    source: str
    second_hand: Sequence[str]
    canvas: Mapping[str, Any]
    smallest: Mapping[str, Any]
    largest: Mapping[str, Any]
    background: str | None
    background_required: bool
    background_exact_min: float
    fill: Mapping[str, Any]
    scale_max: float
    formats: Sequence[str]
    file_bytes_max: int
    shadow: str
    bans: Sequence[str]
    notes: Sequence[str]
    trim: bool = False
    people: bool = False
    uncertainty_max: float | None = None
    uncertainty_weights: Mapping[str, Any] | None = {}
    demands: Sequence[str] = ()
    pictures_advised: int = 1


class ChannelRow(Record, frozen=True, kw_only=True):
    """See ChannelRow there."""

    name: str
    version: str
    wrong: str


class Claim(Record, frozen=True, kw_only=True):
    """See ClaimView there."""

    case_id: str
    holder: str
    epoch: int
    until_ms: int


class Costs(Record, frozen=True, kw_only=True):
    """See Costs there."""

    currency: str
    groups: Sequence[Mapping[str, Any]]


class Letter(Record, frozen=True, kw_only=True):
    """See LetterView there."""

    id: str
    state: str
    event_id: str
    tenant: str
    sku: str
    origin: str
    origin_position: str
    failed_at_ms: int
    kind: str
    code: str
    field: str
    message: str
    resolved: Mapping[str, Any] | None


class LetterContent(Record, frozen=True, kw_only=True):
    """See LetterContent there."""

    letter: Letter
    event: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    headers: Mapping[str, str]


class LineAnswer(Record, frozen=True, kw_only=True):
    """See LineAnswer there."""

    line: int
    status: int
    subject: str = ""
    version: int = 0
    event_id: str = ""
    code: str = ""
    field: str = ""
    detail: str = ""
    retryable: bool | None = None


class ProductAssets(Record, frozen=True, kw_only=True):
    """See ProductAssets there."""

    tenant: str
    sku: str
    version: int
    settled: bool
    assets: Sequence[Asset]


class Product(Record, frozen=True, kw_only=True):
    """See ProductBody there."""

    version: int | None = None
    title: str = ""
    category: str = ""
    colour: str | None = None
    sources: Sequence[Mapping[str, Any]]
    channels: Sequence[str]
    attributes: Mapping[str, str] = {}
    recipe: str = "marketplace"
    priority: str = "standard"
    occurred_at_ms: int | None = None


class KnownProduct(Record, frozen=True, kw_only=True):
    """See ProductView there."""

    tenant: str
    sku: str
    version: int
    deleted: bool
    title: str
    category: str
    colour: str | None
    sources: Sequence[Mapping[str, Any]]
    channels: Sequence[str]
    attributes: Mapping[str, str]
    recipe: str
    priority: str


class Quality(Record, frozen=True, kw_only=True):
    """See QualityView there."""

    states: Mapping[str, int]
    judged: int
    is_all: bool
    channels: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]


class Recipe(Record, frozen=True, kw_only=True):
    """See Recipe there."""

    name: str
    version: int
    steps: Sequence[Mapping[str, Any]]


class RecipeRow(Record, frozen=True, kw_only=True):
    """See RecipeRow there."""

    name: str
    version: int | None
    wrong: str


class RetractionDecided(Record, frozen=True, kw_only=True):
    """See RetractionDecided there."""

    tenant: str
    sku: str
    version: int
    assets: Sequence[str] = ()
    reason: str
    decided_by: str = ""
    type: str


class ReviewDecided(Record, frozen=True, kw_only=True):
    """See ReviewDecided there."""

    review_id: str
    tenant: str
    sku: str
    approved: bool
    reason: str = ""
    decided_by: str = ""
    redo: bool = False
    parameters: Mapping[str, str] = {}
    version: int = 1
    case: str | None = None
    checks: Sequence[str] = ()
    type: str


class Case(Record, frozen=True, kw_only=True):
    """See CaseView there."""

    summary: CaseSummary
    checks: Sequence[Mapping[str, Any]]
    assets: Sequence[Mapping[str, Any]]
    steps: Sequence[Mapping[str, Any]]
    version: int
    decision: ReviewDecided | None
    retouch: Mapping[str, Any] | None
    claim: Claim | None


class DecisionUndone(Record, frozen=True, kw_only=True):
    """See DecisionUndone there."""

    tenant: str
    sku: str
    decision: ReviewDecided
    version: int
    reason: str = ""
    decided_by: str = ""
    type: str


class Review(Record, frozen=True, kw_only=True):
    """See ReviewView there."""

    review_id: str
    tenant: str
    sku: str
    version: int
    asset: str
    state: str
    reason: str
    verdict: Mapping[str, Any]
    picture: str


class Upload(Record, frozen=True, kw_only=True):
    """See UploadView there."""

    upload_id: str
    state: str
    url: str
    headers: Mapping[str, str]


class WebhookDelivery(Record, frozen=True, kw_only=True):
    """See WebhookDeliveryView there."""

    message: str
    sku: str
    type: str
    state: str
    tries: int
    due_at_ms: int
    created_at_ms: int
    ended_at_ms: int | None
    log: Sequence[Mapping[str, Any]]


class WebhookReplay(Record, frozen=True, kw_only=True):
    """See WebhookReplay there."""

    endpoint: str
    sent_again: int


class WebhookSecret(Record, frozen=True, kw_only=True):
    """See WebhookSecret there."""

    endpoint: str
    secret: str


class Webhook(Record, frozen=True, kw_only=True):
    """See WebhookView there."""

    endpoint: str
    tenant: str
    url: str
    events: Sequence[str]
    state: str
    why: str
    created_at_ms: int
    failing_since_ms: int | None
    secrets: Sequence[Mapping[str, Any]]
    deliveries: Mapping[str, int]


class Word(Record, frozen=True, kw_only=True):
    """See Word there."""

    case_id: str
    version: int
    outcome: str
    assets: int
    is_final: bool = True


ready()
