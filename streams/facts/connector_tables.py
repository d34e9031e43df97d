"""The tables of connectors. No facts: shops and PIMs, and how their products stand on both sides, see connectors.py."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from schemas.records import AssetName, Label, Name, Sku
from streams.facts.tables import Characters, apart

connectors = Table(
    "connectors",
    apart,
    Column("connector", Characters(Name), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("tenant", Characters(Name), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("channels", Text, nullable=False),  # JSON, as options and secrets are
    Column("options", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("swept_at_ms", BigInteger),
    Column("fully_swept_at_ms", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("held_by", Text, nullable=False),
    Column("held_until_ms", BigInteger, nullable=False),
)

connector_products = Table(
    "connector_products",
    apart,
    Column("connector", Characters(Name), primary_key=True),
    Column("source_id", Characters(Label), primary_key=True),
    Column("sku", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),  # 0 while nothing was told of it
    Column("digest", Text, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("why", Text, nullable=False),  # not taken in
    Column("why_unwritten", Text, nullable=False),
    Column("due_at_ms", BigInteger),  # when its pictures are to be written
    Column("serial", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Index("connector_products_sku", "connector", "sku"),
    Index("connector_products_due", "connector", "due_at_ms"),
    Index("connector_products_seen", "connector", "deleted", "seen_ms"),
)

connector_pictures = Table(
    "connector_pictures",
    apart,
    Column("connector", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), primary_key=True),
    Column("asset", Characters(AssetName), primary_key=True),
    Column("file", Text, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

connector_changes = Table(
    "connector_changes",
    apart,
    Column("connector", Characters(Name), primary_key=True),
    Column("source_id", Characters(Label), primary_key=True),
    Column("noted_ms", BigInteger, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
)

connector_hooks = Table(
    "connector_hooks",
    apart,
    Column("connector", Characters(Name), primary_key=True),
    Column("hook", Characters(Label), primary_key=True),
    Column("at_ms", BigInteger, nullable=False, index=True),
)
