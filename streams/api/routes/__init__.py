"""What can be asked of the API, a file a subject; each handler is a few lines over a service."""

from streams.api.routes import (
    assets,
    batches,
    campaigns,
    cases,
    documents,
    events,
    letters,
    products,
    reviews,
    rules,
)

ROUTES = (
    *documents.ROUTES,
    *products.ROUTES,
    *batches.ROUTES,
    *assets.ROUTES,
    *campaigns.ROUTES,
    *cases.ROUTES,
    *reviews.ROUTES,
    *letters.ROUTES,
    *events.ROUTES,
    *rules.ROUTES,
)
