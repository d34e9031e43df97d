"""Facts in SQL: what is true now of products, assets, tasks, reviews and campaigns."""

from streams.catalogue.catalogue import Catalogue, CatalogueStanding, CatalogueUnavailable
from streams.catalogue.facts import Asset, AssetState, Facts, Product, Refusal, Review, Standing, TaskFact

__all__ = [
    "Asset",
    "AssetState",
    "Catalogue",
    "CatalogueStanding",
    "CatalogueUnavailable",
    "Facts",
    "Product",
    "Refusal",
    "Review",
    "Standing",
    "TaskFact",
]
