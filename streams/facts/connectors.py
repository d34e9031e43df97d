"""Connectors, and how each product of a shop stands on both sides. No facts: no event tells of them.

Of a product it is known what the shop said last (`updated_ms`, `digest`), when that was looked at (`seen_ms`), and
which version was told for it. Whoever tells more of it reads the row, tells, and puts the row in its place only where
that is still the one that was read; else it begins anew. Which process works for a connector is settled by a lease in
its row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from schemas.decoding import prepare
from schemas.records import Rendition
from streams.facts import connector_tables as t
from streams.facts.connector_records import Connector, ConnectorPicture, ConnectorProduct, NotedChange
from streams.facts.database import Database
from streams.facts.leases import is_over
from streams.facts.repository import dialect_of
from streams.facts.sealing import Sealer, Unsealable
from streams.runtime.errors import Refused

LEASE_MS = 120_000  # several times what one request to a shop may take; renewed between them
SEALED_WAIT_MS = 600_000  # until secrets are tried again that no key opens; it takes an operator, and a restart
_AT_ONCE_MAX = 500  # values that one statement names
_WHY_MAX = 2000  # characters
_c, _p, _f = t.connectors.c, t.connector_products.c, t.connector_pictures.c
_n, _h = t.connector_changes.c, t.connector_hooks.c


class Connectors:
    """The connectors' tables. Each call is a transaction of its own.

    Unsealable is raised for secrets that no key of ours opens, where they are asked for by name. Nobody else waits for
    such a connector.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def add(self, connector: Connector) -> None:
        """Adds a connector. Raises Refused where its name is taken."""
        try:
            with self._database.transaction() as connection:
                connection.execute(insert(t.connectors).values(**self._row(connector), held_by="", held_until_ms=0))
        except IntegrityError as error:
            raise Refused("connector_known", f"there is a connector {connector.connector}", field="NAME") from error

    def every(self, tenant: str | None = None) -> list[Connector]:
        """All connectors, or a tenant's, by name."""
        query = select(t.connectors).order_by(_c.connector)
        with self._database.look() as connection:
            return [self._connector(row) for row in connection.execute(_of_tenant(query, tenant))]

    def told(self, tenant: str | None = None) -> list[Connector]:
        """All connectors, or a tenant's, by name, without their secrets."""
        query = select(t.connectors).order_by(_c.connector)
        with self._database.look() as connection:
            return [_without_secrets(row) for row in connection.execute(_of_tenant(query, tenant))]

    def has(self, name: str) -> bool:
        """Whether there is a connector of that name."""
        with self._database.look() as connection:
            return connection.execute(select(_c.connector).where(_c.connector == name)).first() is not None

    def get(self, name: str) -> Connector | None:
        """One connector, or None."""
        with self._database.look() as connection:
            row = connection.execute(select(t.connectors).where(_c.connector == name)).first()
        return None if row is None else self._connector(row)

    def remove(self, name: str) -> None:
        """Forgets a connector and all that is known of its products."""
        with self._database.transaction() as connection:
            connection.execute(delete(t.connectors).where(_c.connector == name))
            for columns in (_p, _f, _n, _h):
                connection.execute(delete(columns.connector.table).where(columns.connector == name))

    def set(self, name: str, **values: Any) -> None:
        """Sets what a connector says of itself; its secrets stay."""
        assert "secrets" not in values, "they would not be sealed"
        columns = {key: _json(value) if isinstance(value, Mapping | tuple) else value for key, value in values.items()}
        columns |= {"why": str(columns["why"])[:_WHY_MAX]} if "why" in columns else {}
        with self._database.transaction() as connection:
            connection.execute(update(t.connectors).where(_c.connector == name).values(**columns))

    # Leases.

    def take(self, holder: str, now_ms: int, most: int, but_of: Collection[str] = ()) -> list[Connector]:
        """Connectors that have something to do and that nobody holds, now leased to `holder`; none of some tenants."""
        is_free = is_over(_c.held_until_ms, now_ms, LEASE_MS)
        query = select(t.connectors).where(is_free, _c.tenant.not_in(but_of), _has_work(now_ms))
        query = query.order_by(_c.due_at_ms).limit(most)
        with self._database.look() as connection:
            if connection.execute(query.with_only_columns(_c.connector)).first() is None:
                return []
        with self._database.transaction() as connection:
            locked = query.with_for_update(skip_locked=True, of=t.connectors)
            opened = [self._openable(connection, row, now_ms) for row in connection.execute(locked).all()]
            found = [each for each in opened if each is not None]
            names = [each.connector for each in found]
            held = {"held_by": holder, "held_until_ms": now_ms + LEASE_MS}
            connection.execute(update(t.connectors).where(_c.connector.in_(names)).values(**held))
        return found

    def hold(self, name: str, holder: str, now_ms: int) -> bool:
        """Takes or renews one lease; False while it is another's."""
        is_free = or_(_c.held_by == holder, is_over(_c.held_until_ms, now_ms, LEASE_MS))
        held = {"held_by": holder, "held_until_ms": now_ms + LEASE_MS}
        with self._database.transaction() as connection:
            its = update(t.connectors).where(_c.connector == name, is_free)
            return connection.execute(its.values(**held)).rowcount == 1

    def release(self, name: str, holder: str) -> None:
        """Gives up a lease."""
        with self._database.transaction() as connection:
            its = update(t.connectors).where(_c.connector == name, _c.held_by == holder)
            connection.execute(its.values(held_by="", held_until_ms=0))

    # Hooks, and what they tell of.

    def knows_hook(self, name: str, hook: str) -> bool:
        """Whether a hook was taken before."""
        with self._database.look() as connection:
            return connection.execute(select(_h.hook).where(_h.connector == name, _h.hook == hook)).first() is not None

    def note_hook(self, name: str, hook: str, now_ms: int) -> None:
        """Notes that a hook was taken."""
        row = {"connector": name, "hook": hook, "at_ms": now_ms}
        with self._database.transaction() as connection:
            dialect = dialect_of(connection)
            connection.execute(dialect.insert(t.connector_hooks).values(row).on_conflict_do_nothing())

    def forget_hooks(self, before_ms: int) -> None:
        """Forgets hooks that nobody sends again."""
        with self._database.transaction() as connection:
            connection.execute(delete(t.connector_hooks).where(_h.at_ms < before_ms))

    def note_change(self, name: str, source_id: str, now_ms: int) -> None:
        """Notes that a product is to be looked at; the same again only makes that later."""
        row = {"connector": name, "source_id": source_id, "noted_ms": now_ms, "due_at_ms": now_ms, "tries": 0}
        with self._database.transaction() as connection:
            statement = dialect_of(connection).insert(t.connector_changes).values(row)
            anew = {"noted_ms": now_ms, "due_at_ms": now_ms}
            keys = ["connector", "source_id"]
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=anew))

    def changes(self, name: str, now_ms: int, most: int) -> list[NotedChange]:
        """Products that are to be looked at now, those first that were noted first."""
        query = select(_n.source_id, _n.noted_ms, _n.tries).where(_n.connector == name, _n.due_at_ms <= now_ms)
        with self._database.look() as connection:
            return [NotedChange(*row) for row in connection.execute(query.order_by(_n.noted_ms).limit(most))]

    def end_changes(self, name: str, ended: Sequence[NotedChange], again_ms: int | None = None) -> None:
        """Forgets changes, or puts them off until then; not those that were noted again meanwhile."""
        with self._database.transaction() as connection:
            for each in ended:
                its = (_n.connector == name, _n.source_id == each.source_id, _n.noted_ms == each.noted_ms)
                if again_ms is None:
                    connection.execute(delete(t.connector_changes).where(*its))
                else:
                    put_off = {"due_at_ms": again_ms, "tries": each.tries + 1}
                    connection.execute(update(t.connector_changes).where(*its).values(**put_off))

    # Products.

    def product(self, name: str, source_id: str) -> ConnectorProduct | None:
        """A product by the shop's id, or None."""
        return next(iter(self._products(_p.connector == name, _p.source_id == source_id)), None)

    def holder_of(self, name: str, sku: str) -> ConnectorProduct | None:
        """The product that has an SKU and is not deleted, or None."""
        its = (_p.connector == name, _p.sku == sku, _p.deleted.is_(False), _p.version > 0)
        return next(iter(self._products(*its)), None)

    def put_product(self, row: ConnectorProduct, before: ConnectorProduct | None) -> bool:
        """Puts a row in the place of the one that was read; False where that has changed. Pictures of it become due."""
        with self._database.transaction() as connection:
            query = select(t.connector_products).where(*_key(row)).with_for_update()
            found = connection.execute(query).first()
            known = None if found is None else _product(found)
            if (known is None) != (before is None) or _compared(known) != _compared(before):
                return False
            kept = known or row
            seen_ms = max(row.seen_ms, kept.seen_ms)
            writing = {name: getattr(kept, name) for name in ("due_at_ms", "serial", "tries", "why_unwritten")}
            written = _with_pictures(connection, replace(row, seen_ms=seen_ms, **writing), known)
            return _write(connection, written, is_new=known is None)

    def saw(self, name: str, source_ids: Collection[str], seen_ms: int) -> None:
        """Notes that the shop has these products, which are as they were."""
        named = sorted(source_ids)
        with self._database.transaction() as connection:
            for first in range(0, len(named), _AT_ONCE_MAX):
                of_these = _p.source_id.in_(named[first : first + _AT_ONCE_MAX])
                its = update(t.connector_products).where(_p.connector == name, of_these, _p.seen_ms < seen_ms)
                connection.execute(its.values(seen_ms=seen_ms))

    def unseen(self, name: str, since_ms: int) -> list[str]:
        """Products that are not deleted, and that nobody has seen since then."""
        found = self._products(_p.connector == name, _p.deleted.is_(False), _p.seen_ms < since_ms)
        return [each.source_id for each in found]

    def counts(self, name: str) -> dict[str, int]:
        """How many products there are, how many of them something hinders, and how many wait for their pictures."""
        now = and_(_p.deleted.is_(False), _p.version > 0)
        waiting = func.count().filter(_p.due_at_ms.is_not(None))
        query = select(func.count().filter(now), func.count().filter(_is_hindered()), waiting)
        query = query.select_from(t.connector_products).where(_p.connector == name)
        with self._database.look() as connection:
            products, with_why, due = connection.execute(query).one()
        return {"products": products, "hindered": with_why, "to_write": due}

    def hindered(self, name: str, most: int) -> list[ConnectorProduct]:
        """Products that something hinders."""
        return self._products(_p.connector == name, _is_hindered(), most=most)

    # Pictures.

    def note_picture(self, name: str, picture: ConnectorPicture, now_ms: int) -> bool:
        """Notes what is to stand in the shop; False where that is known, or something newer is."""
        key = (_f.connector == name, _f.sku == picture.sku, _f.asset == picture.asset)
        with self._database.transaction() as connection:
            row = connection.execute(select(t.connector_pictures).where(*key).with_for_update()).first()
            known = None if row is None else _picture(row)
            if known is not None and (known.at_ms > picture.at_ms or _same(known, picture)):
                return False
            columns = {"file": _json(picture.file), "wanted": picture.wanted, "at_ms": picture.at_ms}
            _put_picture(connection, {"connector": name, "sku": picture.sku, "asset": picture.asset}, columns)
            its = update(t.connector_products).where(_p.connector == name, _p.sku == picture.sku)
            connection.execute(its.values(due_at_ms=now_ms, serial=_p.serial + 1, tries=0))
            return True

    def picture(self, name: str, sku: str, asset: str) -> ConnectorPicture | None:
        """One picture, or None."""
        return next((each for each in self.pictures(name, sku) if each.asset == asset), None)

    def pictures(self, name: str, sku: str) -> list[ConnectorPicture]:
        """What is to stand in the shop for a product, and what is to be gone from there."""
        query = select(t.connector_pictures).where(_f.connector == name, _f.sku == sku).order_by(_f.asset)
        with self._database.look() as connection:
            return [_picture(row) for row in connection.execute(query)]

    def due(self, name: str, now_ms: int, most: int) -> list[ConnectorProduct]:
        """Products whose pictures are to be written now."""
        return self._products(_p.connector == name, _p.due_at_ms <= now_ms, most=most)

    def written(self, product: ConnectorProduct, pictures: Sequence[ConnectorPicture]) -> None:
        """Notes that a product's pictures stand in the shop as `pictures` say; more may have been noted meanwhile."""
        with self._database.transaction() as connection:
            its = update(t.connector_products).where(*_key(product), _p.serial == product.serial)
            ended = connection.execute(its.values(due_at_ms=None, tries=0, why_unwritten="")).rowcount
            gone = [each.asset for each in pictures if not each.wanted]
            if ended and gone:
                mine = (_f.connector == product.connector, _f.sku == product.sku, _f.asset.in_(gone))
                connection.execute(delete(t.connector_pictures).where(*mine, _f.wanted.is_(False)))

    def not_written(self, product: ConnectorProduct, why: str, again_ms: int | None) -> None:
        """Notes why a product's pictures cannot be written, and when that is tried again, if it is."""
        columns = {"due_at_ms": again_ms, "tries": product.tries + 1, "why_unwritten": why[:_WHY_MAX]}
        with self._database.transaction() as connection:
            its = update(t.connector_products).where(*_key(product), _p.serial == product.serial)
            connection.execute(its.values(**columns))

    def _row(self, connector: Connector) -> dict[str, Any]:
        columns = {name: getattr(connector, name) for name in Connector.__dataclass_fields__}
        columns |= {name: _json(columns[name]) for name in ("channels", "options", "secrets")}
        return columns | {"secrets": self._sealer.sealed(columns["secrets"])}

    def _connector(self, row: Row[Any]) -> Connector:
        return replace(_without_secrets(row), secrets=msgspec.json.decode(self._sealer.opened(row.secrets)))

    def _openable(self, connection: Connection, row: Row[Any], now_ms: int) -> Connector | None:
        """The connector; None for one whose secrets no key of ours opens, which says why and is left for a while."""
        try:
            return self._connector(row)
        except Unsealable as why:
            from structlog import get_logger  # commands that ask the facts start without it

            get_logger().error("a connector's secrets cannot be opened", connector=row.connector, reason=str(why))
            left = {"why": str(why), "failures": row.failures + 1, "due_at_ms": now_ms + SEALED_WAIT_MS}
            connection.execute(update(t.connectors).where(_c.connector == row.connector).values(**left))
            return None

    def _products(self, *where: Any, most: int | None = None) -> list[ConnectorProduct]:
        query = select(t.connector_products).where(*where).order_by(_p.due_at_ms, _p.source_id).limit(most)
        with self._database.look() as connection:
            return [_product(row) for row in connection.execute(query)]


def _without_secrets(row: Row[Any]) -> Connector:
    fields = {name: getattr(row, name) for name in Connector.__dataclass_fields__}
    fields["channels"] = msgspec.json.decode(row.channels, type=tuple[str, ...])
    return Connector(**fields | {"options": msgspec.json.decode(row.options), "secrets": {}})


def _is_hindered() -> Any:
    return and_(_p.deleted.is_(False), or_(_p.why != "", _p.why_unwritten != ""))


def _of_tenant(query: Select[Any], tenant: str | None) -> Select[Any]:
    return query if tenant is None else query.where(_c.tenant == tenant)


def _has_work(now_ms: int) -> Any:
    """Something to sweep, to look at or to write; while a shop fails, none of it before its time."""
    changed = select(_n.source_id).where(_n.connector == _c.connector, _n.due_at_ms <= now_ms).exists()
    to_write = select(_p.source_id).where(_p.connector == _c.connector, _p.due_at_ms <= now_ms).exists()
    return or_(_c.due_at_ms <= now_ms, and_(_c.failures == 0, or_(changed, to_write)))


def _with_pictures(connection: Connection, row: ConnectorProduct, before: ConnectorProduct | None) -> ConnectorProduct:
    """A product that is new here, or has another SKU or title, with its pictures due where there are some."""
    if before is not None and (before.sku, before.title, before.deleted) == (row.sku, row.title, row.deleted):
        return row
    query = select(_f.asset).where(_f.connector == row.connector, _f.sku == row.sku).limit(1)
    if connection.execute(query).first() is None:
        return row
    return replace(row, due_at_ms=row.seen_ms, serial=row.serial + 1, tries=0)


def _compared(row: ConnectorProduct | None) -> tuple[object, ...]:
    """What a row is compared by: all but the state of its pictures, and when the same was seen."""
    return () if row is None else (row.sku, row.updated_ms, row.version, row.digest, row.deleted)


def _same(known: ConnectorPicture, wanted: ConnectorPicture) -> bool:
    return known.wanted == wanted.wanted and known.file == wanted.file


def _write(connection: Connection, row: ConnectorProduct, *, is_new: bool) -> bool:
    """Whether it is written: where there was none to hold, another may have been faster."""
    columns = asdict(row) | {"why": row.why[:_WHY_MAX]}
    if is_new:
        statement = dialect_of(connection).insert(t.connector_products).values(columns).on_conflict_do_nothing()
        return bool(connection.execute(statement).rowcount == 1)
    connection.execute(update(t.connector_products).where(*_key(row)).values(**columns))
    return True


def _put_picture(connection: Connection, key: dict[str, Any], columns: dict[str, Any]) -> None:
    statement = dialect_of(connection).insert(t.connector_pictures).values(key | columns)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=columns))


def _key(row: ConnectorProduct) -> tuple[Any, ...]:
    return _p.connector == row.connector, _p.source_id == row.source_id


def _product(row: Row[Any]) -> ConnectorProduct:
    return ConnectorProduct(**{name: getattr(row, name) for name in ConnectorProduct.__dataclass_fields__})


def _picture(row: Row[Any]) -> ConnectorPicture:
    file = msgspec.json.decode(row.file, type=Rendition)
    return ConnectorPicture(row.sku, row.asset, file, row.wanted, row.at_ms)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


prepare(Rendition)
