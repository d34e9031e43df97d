"""What there is to look at, a file a subject; each handler is a few lines over a service."""

from streams.web.routes import (
    audit,
    campaigns,
    door,
    flow,
    library,
    mending,
    office,
    pictures,
    products,
    quality,
    rating,
    recipes,
    review,
    shelf,
    trying,
)

ROUTES = (
    *door.ROUTES,
    *trying.ROUTES,
    *review.ROUTES,
    *mending.ROUTES,
    *products.ROUTES,
    *shelf.ROUTES,
    *campaigns.ROUTES,
    *flow.ROUTES,
    *quality.ROUTES,
    *rating.ROUTES,
    *library.ROUTES,
    *recipes.ROUTES,
    *audit.ROUTES,
    *office.ROUTES,
    *pictures.ROUTES,
)
