"""Secrets at rest, of webhooks and of connectors: sealed, sealed anew under a newer key, and never shown."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from streams.commands.cli import packshot
from streams.facts import Connector, Connectors, Database, Endpoint, Secret, Webhooks
from streams.facts.connector_tables import connectors
from streams.facts.resealing import reseal
from streams.facts.sealing import Sealer
from streams.facts.tables import webhook_endpoints
from streams.facts.webhooks import SEALED_WAIT_MS
from streams.runtime.settings import SettingsError
from streams.webhooks.slots import Slots
from tests.streams.webhook_world import endpoint, message

OLD, NEW = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))
HOOK, TOKEN = "whsec_c2VjcmV0IG9mIHRoZSBlbmRwb2ludA==", "token-of-the-shop"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/facts.db")
    made.create_tables()
    yield made
    made.close()


def put(database: Database, sealer: Sealer) -> None:
    endpoint = Endpoint("e", "demo", "https://demo.example/", ("asset.published",), (Secret(HOOK),), created_at_ms=1)
    Webhooks(database, sealer).add(endpoint)
    secrets = {"token": TOKEN, "hook": HOOK}
    Connectors(database, sealer).add(
        Connector("shop", "shopify", "demo", "https://demo.example", ("web",), {}, secrets)
    )


def rows(database: Database) -> list[str]:
    """What lies in the database."""
    with database.look() as connection:
        return [
            *connection.execute(select(webhook_endpoints.c.secrets)).scalars(),
            *connection.execute(select(connectors.c.secrets)).scalars(),
        ]


def opened(database: Database, *keys: str) -> list[str]:
    """What is read of it under these keys."""
    sealer = Sealer(keys)
    (endpoint,), (connector,) = Webhooks(database, sealer).endpoints(), Connectors(database, sealer).every()
    return [endpoint.secrets[0].secret, connector.secrets["token"]]


def is_plain(text: str) -> bool:
    return HOOK in text or TOKEN in text


def test_what_lay_there_plain_is_sealed_and_reads_the_same(database: Database) -> None:
    put(database, Sealer())
    assert all(map(is_plain, rows(database)))
    assert reseal(database, Sealer()) == 0, "without a key it stays"
    assert reseal(database, Sealer([OLD])) == 2
    assert not any(map(is_plain, rows(database)))
    assert opened(database, OLD) == [HOOK, TOKEN]
    before = rows(database)
    assert (reseal(database, Sealer([OLD])), rows(database)) == (0, before)


def test_a_newer_key_takes_the_place_of_the_one_before_which_is_needed_no_more(database: Database) -> None:
    put(database, Sealer([OLD]))
    assert not any(map(is_plain, rows(database)))
    with pytest.raises(SettingsError, match="PACKSHOT_SECRETS_KEYS"):
        reseal(database, Sealer([NEW]))
    assert reseal(database, Sealer([NEW, OLD])) == 2
    assert opened(database, NEW) == [HOOK, TOKEN]


def test_what_is_sealed_is_not_read_without_its_key(database: Database) -> None:
    put(database, Sealer([OLD]))
    for read in (lambda: Connectors(database, Sealer()).every(), lambda: Webhooks(database, Sealer()).endpoints()):
        with pytest.raises(SettingsError, match="PACKSHOT_SECRETS_KEYS"):
            read()


def test_an_endpoint_whose_secrets_no_key_opens_says_so_and_holds_up_no_other(database: Database) -> None:
    now_ms, slots = 1_700_000_000_000, Slots()
    Webhooks(database, Sealer([OLD])).add(endpoint("sealed"))
    webhooks = Webhooks(database, Sealer())
    webhooks.add(endpoint("open"))
    assert webhooks.note(message(1), [each.endpoint for each in webhooks.hearing("acme")], now_ms) == 2
    assert [each.endpoint for each, _ in webhooks.take("me", now_ms, slots, 9)] == ["open"]
    (sealed,) = [each for each in webhooks.hearing("acme") if each.endpoint == "sealed"]
    assert "PACKSHOT_SECRETS_KEYS" in sealed.why
    mended = Webhooks(database, Sealer([OLD]))
    assert mended.take("me", now_ms, slots, 9) == []
    assert [each.endpoint for each, _ in mended.take("me", now_ms + SEALED_WAIT_MS, slots, 9)] == ["sealed"]
    assert [each.why for each in mended.hearing("acme")] == ["", ""]


def test_an_upgrade_seals_and_no_command_shows_a_secret(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(database, Sealer())
    monkeypatch.setenv("PACKSHOT_DATABASE_URL", f"sqlite:///{tmp_path}/facts.db")
    monkeypatch.setenv("PACKSHOT_SECRETS_KEYS", OLD)
    assert CliRunner().invoke(packshot, ["database", "upgrade"]).exit_code == 0
    assert not any(map(is_plain, rows(database)))
    for command in (["connectors", "list"], ["connectors", "list", "--json"], ["webhooks", "list", "--json"]):
        shown = CliRunner().invoke(packshot, command)
        assert shown.exit_code == 0, shown.output
        assert "shop" in shown.output or "demo.example" in shown.output
        assert not is_plain(shown.output)
