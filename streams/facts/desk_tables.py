"""The tables of the desk: no facts, but who may look at them. See sessions.py."""

from sqlalchemy import BigInteger, Column, Table

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
