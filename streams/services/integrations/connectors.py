"""What commands and the gateway do about connectors: add, look, sweep, and take hooks."""

import base64
import secrets as chance
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec

from schemas import topics
from schemas.decoding import prepare
from schemas.records import Name
from streams.blobs import open_store
from streams.connectors.base import Shop, ShopProduct, kind, kinds
from streams.connectors.http import Client
from streams.connectors.noting import Noting, inbound
from streams.connectors.showing import Showing
from streams.connectors.signatures import WHSEC
from streams.connectors.taking import Taking
from streams.connectors.working import Progress, Work, opened
from streams.consumer import reading
from streams.consumer.registry import codec_of
from streams.facts import Connector, ConnectorProduct, Connectors, Database
from streams.facts.sealing import Sealer
from streams.flow.relay import Sender
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.operating.local import connect
from streams.services.reports.status import open_database
from streams.services.reports.views import View

SECRET_BYTES = 32
HINDERED_SHOWN = 20
HELD_WITHIN_S = 300.0  # longer than the lease of one that was killed
RECIPE = "recipe"


@dataclass(frozen=True)
class Kind:
    """A kind of shop, and what it needs to be told: names, each with what it is."""

    name: str
    text: str
    secrets: Mapping[str, str]
    options: Mapping[str, str]
    signed_by: str | None


@dataclass(frozen=True)
class Checked:
    """Who answers for a connector, and some of the products that something hinders."""

    answer: str
    counts: Mapping[str, int]
    hindered: Sequence[ConnectorProduct]


class ConnectorView(View, frozen=True, kw_only=True):
    """A connector; of its secrets only their names."""

    connector: str
    kind: str
    tenant: str
    url: str
    channels: Sequence[str]
    options: Mapping[str, str]
    secrets: Sequence[str]
    why: str
    created_at_ms: int
    cursor: str
    swept_at_ms: int | None
    fully_swept_at_ms: int | None
    failures: int
    due_at_ms: int


class ListedConnector(ConnectorView, frozen=True, kw_only=True):
    """A connector, how many products it has, how many of them are hindered, and how many pictures wait."""

    products: int
    hindered: int
    to_write: int


class AddedConnector(ConnectorView, frozen=True, kw_only=True):
    """A new connector; where its hooks go to, and the secret that was made for them, which is shown this once."""

    hook: str | None
    hook_secret: str | None


def listed(connector: Connector, counts: Mapping[str, int]) -> ListedConnector:
    """A connector as it is told."""
    return ListedConnector(**_shared(connector) | dict(counts))


def added(connector: Connector, hook: str | None, hook_secret: str | None) -> AddedConnector:
    """A new connector as it is told."""
    return AddedConnector(**_shared(connector), hook=hook, hook_secret=hook_secret)


def _shared(connector: Connector) -> dict[str, Any]:
    return {**connector.__dict__, "secrets": sorted(connector.secrets)}


def every_kind() -> list[Kind]:
    """The kinds that there are."""
    return [one_kind(name) for name in kinds()]


def one_kind(name: str) -> Kind:
    """One kind. Raises Refused for one that is not there."""
    found = kind(name)
    options = {RECIPE: "the recipe of its products; marketplace", **found.OPTIONS}
    return Kind(name, found.TEXT, found.SECRETS, options, found.SIGNED_BY)


def add(settings: Settings, connector: Connector) -> Connector:
    """Adds a connector whose shop answers; with a secret for its hooks, where that is ours to choose.

    Raises Refused, Unavailable where the shop does not answer.
    """
    known = one_kind(connector.kind)
    signed_by = known.signed_by
    made = {signed_by: new_secret()} if signed_by and not connector.secrets.get(signed_by) else {}
    connector = _with(connector, secrets={**connector.secrets, **made}, created_at_ms=now_ms())
    _check_names(connector, known)
    with open_database(settings) as database:
        _check_makeable(database, connector)
        rows = _rows(settings, database)
        if rows.get(connector.connector) is None:
            with _shop(settings, connector) as shop:
                shop.check()
                keys = shop.published_keys()
            connector = _with(connector, options={**connector.options, **({} if keys is None else {"keys": keys})})
        rows.add(connector)
    return connector


def listing(settings: Settings, tenant: str | None) -> list[tuple[Connector, dict[str, int]]]:
    """The connectors, each with how many products it has and what of them waits."""
    with open_database(settings) as database:
        rows = _rows(settings, database)
        return [(each, rows.counts(each.connector)) for each in rows.every(tenant)]


def check(settings: Settings, name: str) -> Checked:
    """Asks a shop whether it answers. Raises Refused, Unavailable."""
    with open_database(settings) as database:
        rows = _rows(settings, database)
        connector = opened(rows, name)
        with _shop(settings, connector) as shop:
            answer = shop.check()
        return Checked(answer, rows.counts(name), rows.hindered(name, HINDERED_SHOWN))


def products(settings: Settings, name: str) -> tuple[list[ShopProduct], dict[str, str]]:
    """Every product that a shop has now, and why others cannot be read, by id. Raises Refused, Unavailable."""
    with open_database(settings) as database:
        connector = opened(_rows(settings, database), name)
    found: list[ShopProduct] = []
    unread: dict[str, str] = {}
    with _shop(settings, connector) as shop:
        for page in shop.pages(None):
            found += page.products
            unread |= page.unread
    return found, unread


def remove(settings: Settings, name: str) -> None:
    """Forgets a connector; its products and pictures stay as they are. Raises Refused."""
    with open_database(settings) as database:
        rows = _rows(settings, database)
        rows.remove(opened(rows, name).connector)


def sync(settings: Settings, name: str, believes: bool, tell: Callable[[Progress], None]) -> Progress:
    """Takes a whole shop in, in lane bulk, and notes which of its pictures are live already; tells how far it is.

    Raises Refused where another process works for it for long, Unavailable where the shop does not answer.
    """
    with connect(settings) as (database, producer):
        rows, holder, progress = _rows(settings, database), uuid4().hex, Progress()
        connector = opened(rows, name)
        _wait_for(rows, name, holder)
        try:
            showing = Showing(rows, open_store(settings.origin, s3_endpoint=settings.s3_endpoint))
            held = lambda: rows.hold(name, holder, now_ms())  # noqa: E731
            work = Work(rows, Taking(database, rows, producer), showing, now_ms, held)
            with _shop(settings, connector) as shop:
                for progress in work.sweep(shop, full=True, lane="bulk", believes=believes):
                    tell(progress)
            _note_published(settings, rows, name)
        finally:
            rows.release(name, holder)
        return progress


def warm_up(rows: Connectors) -> None:
    """Loads the kinds that there are connectors of, which else the first hook of each would wait for."""
    for name in sorted({each.kind for each in rows.told()} & {*kinds()}):
        kind(name)


def receive(rows: Connectors, sender: Sender, name: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Takes a hook: checked, and on its topic when this returns; False for one that was taken before.

    Raises Refused, and NotAcknowledged.
    """
    connector = opened(rows, name)
    now = now_ms()
    hook = kind(connector.kind)(connector, Client()).received(headers, body, now)
    if rows.knows_hook(name, hook.hook):
        return False
    sender.send([inbound(name, hook, body, now)])
    rows.note_hook(name, hook.hook, now)
    return True


def new_secret() -> str:
    """A secret as Standard Webhooks has them."""
    return WHSEC + base64.b64encode(chance.token_bytes(SECRET_BYTES)).decode()


def _rows(settings: Settings, database: Database) -> Connectors:
    return Connectors(database, Sealer(settings.sealing_keys))


def _wait_for(rows: Connectors, name: str, holder: str) -> None:
    """Holds a connector once whoever works for it has come to an end. Raises Refused where that takes too long."""
    give_up_at_s = time.monotonic() + HELD_WITHIN_S
    while not rows.hold(name, holder, now_ms()):
        if time.monotonic() > give_up_at_s:
            raise Refused("connector_at_work", f"another process is at work for {name}: try again later", field="NAME")
        time.sleep(0.2)


def _note_published(settings: Settings, rows: Connectors, name: str) -> None:
    """What was published before the connector was there."""
    noting, tenant = Noting(rows, now_ms, codec_of(settings)), opened(rows, name).tenant
    for record in reading.read(settings, [topics.PUBLISHED.name]):
        if record.tenant == tenant:
            try:
                noting.note_published(record, only=name)
            except Refused:
                continue  # no event of ours; `packshot audit` tells of it


def _check_names(connector: Connector, known: Kind) -> None:
    for field, text in (("NAME", connector.connector), ("tenant", connector.tenant)):
        try:
            msgspec.convert(text, Name)
        except msgspec.ValidationError as error:
            raise Refused("bad_name", f"{text!r}: {error}", field=field) from error
    for what, given, wanted in (
        ("secret", connector.secrets, known.secrets),
        ("option", connector.options, known.options),
    ):
        unknown = sorted(given.keys() - wanted.keys())
        if unknown:
            raise Refused(f"unknown_{what}", f"{unknown[0]!r} is none of {', '.join(wanted) or 'any'}", field=what)
    missing = sorted(known.secrets.keys() - {name for name, value in connector.secrets.items() if value})
    if missing:
        raise Refused("secret_required", f"{missing[0]}: {known.secrets[missing[0]]}", field="secret")


def _check_makeable(database: Database, connector: Connector) -> None:
    """Raises Refused for channels or a recipe that are not there."""
    with database.read() as facts:
        cookbook = facts.recipes.cookbook()
    unknown = sorted(set(connector.channels) - set(cookbook.rules.names()))
    if unknown or not connector.channels:
        message = f"{', '.join(unknown) or 'none'}: there are {', '.join(cookbook.rules.names())}"
        raise Refused("unknown_channel", message, field="channel")
    if RECIPE in connector.options:
        cookbook.recipe(connector.options[RECIPE])


def _with(connector: Connector, **changes: object) -> Connector:
    return Connector(**{**connector.__dict__, **changes})


@contextmanager
def _shop(settings: Settings, connector: Connector) -> Iterator[Shop]:
    client = Client(settings.connector_private_networks)
    try:
        yield kind(connector.kind)(connector, client, settings.s3_endpoint)
    finally:
        client.close()


prepare(ConnectorView, ListedConnector, AddedConnector)
