"""What is told of webhooks: the same for routes and for `--json`, and of secrets only what is public."""

from collections.abc import Mapping, Sequence

from schemas.decoding import prepare
from streams.facts import Attempt, Endpoint, Secret, WebhookDelivery
from streams.services.reports.views import View
from streams.webhooks.signing import Scheme, scheme_of, verifier


class SecretView(View, frozen=True, kw_only=True):
    """A secret, of which only what is public is told, and until when it signs."""

    scheme: Scheme
    public_key: str | None
    until_ms: int | None


class WebhookView(View, frozen=True, kw_only=True):
    """An endpoint: how it stands and why, and how many deliveries it has by state."""

    endpoint: str
    tenant: str
    url: str
    events: Sequence[str]
    state: str
    why: str
    created_at_ms: int
    failing_since_ms: int | None
    secrets: Sequence[SecretView]
    deliveries: Mapping[str, int]


class WebhookSecret(View, frozen=True, kw_only=True):
    """What a receiver verifies with: told this once."""

    endpoint: str
    secret: str


class WebhookDeliveryView(View, frozen=True, kw_only=True):
    """What an endpoint was told, or is to be, and each attempt. `dropped`: `tries` of them, while it was full."""

    message: str
    sku: str
    type: str
    state: str
    tries: int
    due_at_ms: int
    created_at_ms: int
    ended_at_ms: int | None
    log: Sequence[Attempt]


def webhook_view(endpoint: Endpoint, deliveries: Mapping[str, int]) -> WebhookView:
    """An endpoint as it is told."""
    shared = {name: getattr(endpoint, name) for name in WebhookView.__struct_fields__ if hasattr(endpoint, name)}
    secrets = [
        SecretView(
            scheme=scheme_of(each.secret),
            public_key=verifier(each.secret) if scheme_of(each.secret) == "v1a" else None,
            until_ms=each.until_ms,
        )
        for each in endpoint.secrets
    ]
    return WebhookView(**shared | {"secrets": secrets, "deliveries": deliveries})


def secret_view(endpoint: str, secret: Secret) -> WebhookSecret:
    """A new secret as it is told once."""
    return WebhookSecret(endpoint=endpoint, secret=verifier(secret.secret))


def delivery_view(delivery: WebhookDelivery) -> WebhookDeliveryView:
    """A delivery as it is told."""
    return WebhookDeliveryView(**{name: getattr(delivery, name) for name in WebhookDeliveryView.__struct_fields__})


prepare(SecretView, WebhookView, WebhookSecret, WebhookDeliveryView)
