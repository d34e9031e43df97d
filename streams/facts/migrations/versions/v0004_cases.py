"""Review cases: what many assets wait for together, how cutouts were retouched, and who looks at a case."""

import msgspec
from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, Table, Text, insert, inspect, select, text, update

from schemas.doubts import doubts_of, picture_of
from schemas.records import ReviewRequested

revision = "0004"
down_revision = "0003"

tables = MetaData()


def upgrade() -> None:
    """Makes the tables, and has what waits for a person wait for its cases."""
    bind = op.get_bind()
    tables.create_all(bind)
    if "picture" in {column["name"] for column in inspect(bind).get_columns("reviews")}:
        return  # tables without a revision may have been made by any version
    bind.execute(text("ALTER TABLE reviews ADD COLUMN picture TEXT NOT NULL DEFAULT ''"))
    for identity in bind.execute(select(reviews.c.review_id)).scalars().all():
        row = bind.execute(select(reviews).where(reviews.c.review_id == identity)).one()  # one at a time: they are long
        _carry_over(identity, msgspec.json.decode(row.record, type=ReviewRequested), row.updated_at_ms)
    if bind.dialect.name == "postgresql":
        bind.execute(text("ALTER TABLE reviews ALTER COLUMN picture DROP DEFAULT"))
    bind.execute(text("CREATE INDEX ix_reviews_picture ON reviews (picture)"))
    bind.execute(text("CREATE INDEX reviews_of_asset ON reviews (tenant, sku, asset)"))


def _carry_over(review_id: str, request: ReviewRequested, since_ms: int) -> None:
    """The picture and the doubts of a review from before there were cases."""
    bind, task = op.get_bind(), request.completed.task
    picture = picture_of(request.completed, request.verdict)
    bind.execute(update(reviews).where(reviews.c.review_id == review_id).values(picture=picture))
    for doubt in doubts_of(request.completed, request.verdict):
        case = {"case_id": doubt.case, "tenant": task.tenant, "sku": task.sku, "about": doubt.about}
        if bind.execute(select(cases.c.case_id).where(cases.c.case_id == doubt.case)).first() is None:
            bind.execute(insert(cases).values(**case, version=0, decision=None, updated_at_ms=since_ms))
        row = {"channel": task.step.channel or "", "category": task.category, "deadline_ms": task.deadline_ms}
        row |= {"review_id": review_id, "case_id": doubt.case, "tenant": task.tenant, "settled": False}
        bind.execute(insert(doubts).values(**row, checks=f",{','.join(doubt.checks)},", updated_at_ms=since_ms))


reviews = Table(
    "reviews",
    MetaData(),
    Column("review_id", Text, primary_key=True),
    Column("record", Text),
    Column("picture", Text),
    Column("updated_at_ms", BigInteger),
)

cases = Table(
    "cases",
    tables,
    Column("case_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("decision", Text),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("cases_of_product", "tenant", "sku"),
)

doubts = Table(
    "doubts",
    tables,
    Column("review_id", Text, primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("checks", Text, nullable=False),
    Column("deadline_ms", BigInteger),
    Column("settled", Boolean, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("doubts_of_case", "case_id"),
    Index("doubts_that_wait", "tenant", "settled"),
)

Table(
    "retouches",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

Table(
    "case_claims",
    tables,
    Column("case_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False, index=True),
    Column("said", BigInteger, nullable=False),
)
