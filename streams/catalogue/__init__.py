"""Facts in SQL: what is true now of products, assets, tasks, reviews and campaigns."""

from streams.catalogue.catalogue import Catalogue, CatalogueUnavailable
from streams.catalogue.facts import Asset, AssetState, Facts, Product, Refusal, Review

__all__ = [
    "Asset",
    "AssetState",
    "Catalogue",
    "CatalogueUnavailable",
    "Facts",
    "Product",
    "Refusal",
    "Review",
]
