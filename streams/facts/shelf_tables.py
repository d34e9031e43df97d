"""The tables of what is only seen across many pictures: see shelves.py and marks.py."""

from sqlalchemy import BigInteger, Column, Table

from schemas.records import AssetName, Name, Sku
from streams.facts.tables import Characters, metadata

shelves = Table(
    "shelves",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("shelf", Characters(AssetName), primary_key=True),
    Column("version", BigInteger, nullable=False),  # Unix time in ms
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

marks = Table(  # words at a place in a tenant's photographs
    "marks",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("mark", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), primary_key=True),
    Column("updated_at_ms", BigInteger, nullable=False),
)
