"""The tables of the desk: no facts, but who may look at them, and what audits found. See sessions.py, audits.py."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from schemas.records import Name, Sha256
from streams.facts.tables import Characters, apart

desk_links = Table(
    "desk_links",
    apart,
    Column("digest", Characters(Sha256), primary_key=True),  # of the link's code, which is kept nowhere
    Column("name", Characters(Name), nullable=False),
    Column("role", Characters(Name), nullable=False),  # viewer, reviewer, operator
    Column("tenants", Characters(), nullable=False),  # a JSON array
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
    Column("used_at_ms", BigInteger),
)

desk_sessions = Table(
    "desk_sessions",
    apart,
    Column("digest", Characters(Sha256), primary_key=True),  # of the cookie's token, likewise
    Column("name", Characters(Name), nullable=False),
    Column("role", Characters(Name), nullable=False),
    Column("tenants", Characters(), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
    Column("seen_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
)

audits = Table(
    "audits",
    apart,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("begun_at_ms", BigInteger, nullable=False),
    Column("asked_by", Characters(), nullable=False),
    Column("deep", Boolean, nullable=False),
    Column("ended_at_ms", BigInteger),  # null while it is at work
    Column("found", BigInteger, nullable=False),
    Column("figures", Text, nullable=False),  # a JSON object, and an array
    Column("findings", Text, nullable=False),
    Column("why", Characters(), nullable=False),
    sqlite_autoincrement=True,
)
