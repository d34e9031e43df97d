"""The tables of review cases, beside those of the reviews: see cases.py, opinions.py, retouches.py, ratings.py and
claims.py."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table

from schemas.records import AssetName, Name, Sha256, Sku, Text
from streams.facts.tables import Characters, apart, metadata

cases = Table(
    "cases",
    metadata,
    Column("case_id", Characters(Sha256), primary_key=True),
    Column("tenant", Characters(Name), nullable=False),
    Column("sku", Characters(Sku), nullable=False),
    Column("about", Characters(Name), nullable=False),
    Column("version", BigInteger, nullable=False),  # of the newest word on it, 0 for none
    Column("decision", Characters()),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("cases_of_product", "tenant", "sku"),
)

doubts = Table(  # which review waits for which case
    "doubts",
    metadata,
    Column("review_id", Characters(Sha256), primary_key=True),
    Column("case_id", Characters(Sha256), primary_key=True),
    Column("tenant", Characters(Name), nullable=False),
    Column("channel", Characters(Name), nullable=False),
    Column("category", Characters(Text), nullable=False),
    Column("checks", Characters(), nullable=False),  # ",name,name,"
    Column("deadline_ms", BigInteger),
    Column("settled", Boolean, nullable=False),  # the case lets it pass; others may not yet
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("doubts_of_case", "case_id"),
    Index("doubts_that_wait", "tenant", "settled"),
)

opinions = Table(  # the newest word of each person on each case that more than one decides on
    "opinions",
    metadata,
    Column("case_id", Characters(Sha256), primary_key=True),
    Column("decided_by", Characters(Text), primary_key=True),
    Column("tenant", Characters(Name), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("stands", Boolean, nullable=False),  # not withdrawn, and nothing was decided since
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("opinions_of_tenant", "tenant"),
)

retouches = Table(
    "retouches",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), primary_key=True),
    Column("source", Characters(Sha256), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

ratings = Table(  # the newest word of each person on each picture
    "ratings",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("picture", Characters(Sha256), primary_key=True),
    Column("rated_by", Characters(Text), primary_key=True),
    Column("purpose", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), nullable=False),
    Column("asset", Characters(AssetName), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ratings_of_product", "tenant", "sku"),
)

case_claims = Table(  # no facts: who looks at a case just now
    "case_claims",
    apart,
    Column("case_id", Characters(Sha256), primary_key=True),
    Column("tenant", Characters(Name), nullable=False),
    Column("holder", Characters(Text), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False, index=True),
    Column("said", BigInteger, nullable=False),  # the newest word on it that the broker has
)
