"""The table of shelves: see shelves.py."""

from sqlalchemy import BigInteger, Column, Table

from schemas.records import AssetName, Name
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
