"""What can be asked of the API, a file a subject; each handler is a few lines over a service."""

from streams.api.routes import (
    assets,
    batches,
    campaigns,
    cases,
    connectors,
    documents,
    events,
    letters,
    pictures,
    products,
    reviews,
    rules,
    uploads,
    webhooks,
)

ROUTES = (
    *documents.ROUTES,
    *products.ROUTES,
    *batches.ROUTES,
    *pictures.ROUTES,
    *uploads.ROUTES,
    *assets.ROUTES,
    *campaigns.ROUTES,
    *cases.ROUTES,
    *reviews.ROUTES,
    *letters.ROUTES,
    *events.ROUTES,
    *rules.ROUTES,
    *connectors.ROUTES,
    *webhooks.ROUTES,
)
