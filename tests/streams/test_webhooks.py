"""Webhooks by the standard: signatures, payloads, the schedule, and where none may lead."""

import base64
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import standardwebhooks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace
from sqlalchemy import select

from schemas.records import AssetPublished, AssetRetracted, ProductPublished, Rendition, Verdict
from streams.facts import Database, Secret, Webhooks, tables
from streams.facts.sealing import Sealer
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings, SettingsError
from streams.services.integrations import webhooks as desk
from streams.webhooks import payload, signing
from streams.webhooks.posting import check_url, retry_after_s
from streams.webhooks.schedule import AWAY, DELAYS_S, DISABLED_AFTER_S, Answer, Health, Ruling, ruling
from streams.webhooks.slots import Slots
from tests.streams.webhook_world import SECRET, endpoint, message

_e = tables.webhook_endpoints.c

NOW_MS = 1_700_000_000_000
FILE = Rendition(
    key="k", url="https://cdn.example/k.jpg", media_type="image/jpeg", width_px=2, height_px=2, size_bytes=9,
    sha256="0" * 64,
)  # fmt: skip
ASSET = AssetPublished(
    tenant="acme", sku="MUG-1", version=3, asset="amazon-1", channel="amazon", file=FILE, renditions=[FILE] * 100,
    srcset={"image/jpeg": "k 2w"}, verdict=Verdict(outcome="pass", rules="amazon@1", checks=[]), engine="e",
    manifest_url="https://cdn.example/m.json", published_at_ms=NOW_MS,
)  # fmt: skip


def verified(headers: dict[str, str], body: bytes, public: str) -> None:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for each in headers["webhook-signature"].split(" "):
        version, _, signature = each.partition(",")
        if version == "v1a":
            key.verify(base64.b64decode(signature), signed)
            return
    raise InvalidSignature


def test_a_signature_is_the_published_one() -> None:
    """The vector that the standard's own libraries are tested with."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_asymmetric_signature_is_that_of_rfc_8032() -> None:
    """Its first test, of an empty message: here the key alone, for ours are never empty."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    secret = "whsk_" + base64.b64encode(seed + public).decode()
    assert signing.verifier(secret) == "whpk_" + base64.b64encode(public).decode()
    headers = signing.headers("msg_1", 1, b"{}", [secret])
    verified(headers, b"{}", signing.verifier(secret))
    with pytest.raises(InvalidSignature):
        verified(headers, b"{ }", signing.verifier(secret))


def test_receivers_verify_by_the_standards_library_also_while_a_secret_is_rotated() -> None:
    old, new = signing.new_secret("v1"), signing.new_secret("v1")
    headers = signing.headers("msg_1", int(datetime.now(UTC).timestamp()), '{"a":"ü"}'.encode(), [new, old])
    for secret in (old, new):
        assert standardwebhooks.Webhook(secret).verify('{"a":"ü"}', headers) == {"a": "ü"}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(signing.new_secret("v1")).verify('{"a":"ü"}', headers)


def test_secrets_are_as_long_as_the_standard_wants_and_never_the_same() -> None:
    secrets = {signing.new_secret("v1") for _ in range(50)}
    assert len(secrets) == 50
    assert all(24 <= len(base64.b64decode(each.removeprefix("whsec_"))) <= 64 for each in secrets)
    assert signing.scheme_of(signing.new_secret("v1a")) == "v1a"


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(ValueError, match="none of the endpoint's secrets"):
        signing.headers("msg_1", 1, b"{}", [])


def test_a_rotation_keeps_the_scheme_and_one_secret_before_and_says_why_it_cannot(tmp_path: Path) -> None:
    with desk.opened(Settings(database_url=f"sqlite:///{tmp_path}/facts.db", data_folder=tmp_path)) as webhooks:
        added = desk.add(webhooks, (), "acme", "https://shop.example/hook", (), "v1a")
        new = desk.rotate(webhooks, added.endpoint, kept_s=3600)
        found, _ = desk.endpoint(webhooks, added.endpoint)
        assert (signing.scheme_of(new.secret), found.secrets[0]) == ("v1a", new)
        assert [each.secret for each in found.secrets] == [new.secret, added.secrets[0].secret]
        assert refused(lambda: desk.rotate(webhooks, added.endpoint, kept_s=3600)) == "rotation_running"
        webhooks.change_secrets(added.endpoint, lambda _: [Secret(new.secret, until_ms=1)])
        assert refused(lambda: desk.rotate(webhooks, added.endpoint, kept_s=3600)) == "no_secret"
        assert refused(lambda: desk.rotate(webhooks, "ep_none", kept_s=3600)) == "unknown_endpoint"


def test_of_two_rotations_at_once_one_is_refused(tmp_path: Path) -> None:
    """The second sees what the first has made, and no secret that was handed out is lost."""
    with desk.opened(Settings(database_url=f"sqlite:///{tmp_path}/facts.db", data_folder=tmp_path)) as webhooks:
        added = desk.add(webhooks, (), "acme", "https://shop.example/hook", (), "v1")
        meet = threading.Barrier(4)

        def rotate(_: int) -> str:
            meet.wait()
            try:
                return desk.rotate(webhooks, added.endpoint, kept_s=3600).secret
            except Refused as refusal:
                return refusal.code

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(rotate, range(4)))
        assert found.count("rotation_running") == 3
        handed_out = {each for each in found if each != "rotation_running"} | {added.secrets[0].secret}
        assert {each.secret for each in desk.known(webhooks, added.endpoint, None).secrets} == handed_out


def test_secrets_are_sealed_under_a_key_and_opened_by_any(tmp_path: Path) -> None:
    old, new = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    kept = Webhooks(database, Sealer([old]))
    kept.add(endpoint("ours"))
    Webhooks(database, Sealer()).add(endpoint("plain"))  # from before there was a key
    with database.look() as connection:
        rows = dict(connection.execute(select(_e.endpoint, _e.secrets)).all())
    assert (rows["ours"][:7], SECRET in rows["ours"], SECRET in rows["plain"]) == ("fernet:", False, True)
    for keys in ([old], [new, old]):
        assert [each.secrets for each in Webhooks(database, Sealer(keys)).endpoints()] == [(Secret(SECRET),)] * 2
    for keys in ([], [new]):
        with pytest.raises(SettingsError, match="PACKSHOT_SECRETS_KEYS"):
            Webhooks(database, Sealer(keys)).endpoints()
    with pytest.raises(SettingsError, match="32 bytes"):
        Sealer(["short"])
    database.close()


def test_a_full_endpoint_drops_and_says_so_and_a_replay_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.facts.webhooks.OPEN_MAX", 3)
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    webhooks = Webhooks(database, Sealer())
    webhooks.add(endpoint("ours", state="paused"))
    webhooks.add(endpoint("other"))
    noted = [webhooks.note(message(number), ["ours"], NOW_MS + number) for number in range(5)]
    assert noted == [1, 1, 1, 0, 0]
    assert webhooks.note(message(9), ["other"], NOW_MS) == 1
    (delivery,) = webhooks.deliveries("ours", state="dropped")
    assert (delivery.tries, delivery.created_at_ms, delivery.ended_at_ms) == (2, NOW_MS + 3, NOW_MS + 4)
    assert webhooks.counts("ours") == {"waiting": 1, "behind": 2, "dropped": 1}
    monkeypatch.setattr("streams.facts.webhooks.OPEN_MAX", 10)
    assert [webhooks.note(message(number), ["ours"], NOW_MS, anew=True) for number in (3, 4)] == [1, 1]
    database.close()


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as error:
        call()
    return error.value.code


def sent(event: payload.Published) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(payload.body(event))
    return found


def test_a_payload_has_type_timestamp_and_thin_data() -> None:
    payload_made = sent(ASSET)
    assert {"type", "timestamp", "data"} == set(payload_made)
    assert (payload_made["type"], payload_made["timestamp"]) == ("asset.published", "2023-11-14T22:13:20.000Z")
    data = payload_made["data"]
    assert isinstance(data, dict)
    assert (data["url"], data["state"], data["sku"]) == ("https://cdn.example/k.jpg", "published", "MUG-1")
    assert "renditions" not in data


LONG = [f"https://cdn.example/{number:06}/{'x' * 200}" for number in range(3000)]


@pytest.mark.parametrize(
    "event",
    [
        AssetRetracted(tenant="a", sku="s", version=1, asset="x", reason="ü" * 4000, urls=LONG, retracted_at_ms=NOW_MS),
        ProductPublished(
            tenant="a", sku="s", version=1, assets=[f"a-{number}" for number in range(9000)],
            withheld={f"w-{number}": "why " * 50 for number in range(900)}, manifest_url="m", published_at_ms=NOW_MS,
        ),
        replace(ASSET, manifest_url="東" * 4096, file=replace(FILE, url="東" * 4096)),
    ],
)  # fmt: skip
def test_every_payload_is_less_than_20_kb_and_says_when_it_was_cut(event: payload.Published) -> None:
    assert len(payload.body(event)) < 20_000
    data = sent(event)["data"]
    assert isinstance(data, dict)
    assert data["truncated"] is True
    assert data["sku"] == event.sku


def after(tries: int, answer: Answer, health: Health | None = None, now_ms: int = NOW_MS) -> Ruling:
    return ruling(tries, health or Health(), answer, now_ms, now_ms, 0.0)


def test_the_schedule_is_the_standards() -> None:
    now_ms, begins = NOW_MS, [0]
    for tries in range(1, 11):
        ruled = ruling(tries, Health(), Answer(500), now_ms, now_ms, 0.0)
        if ruled.state == "waiting":
            now_ms = ruled.due_at_ms
            begins.append((now_ms - NOW_MS) // 1000)
    assert begins == [0, 5, 305, 2105, 9305, 27305, 63305, 113705, 185705, 272105]  # 75 h 35 min 5 s
    assert ruled.state == "failed"
    assert len(begins) == len(DELAYS_S) == 10


@pytest.mark.parametrize("status", [*range(300, 311), 400, 401, 404, 418, 429, 500, 501, 502, 503, 504, None])
def test_all_but_2xx_is_a_failure(status: int | None) -> None:
    ruled = after(1, Answer(status))
    assert ruled.state == "waiting"
    assert (ruled.health.pauses > 0) == (status is None or status in AWAY)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_a_success_and_makes_an_endpoint_well(status: int) -> None:
    assert after(3, Answer(status), Health(1, 7, NOW_MS + 1)) == Ruling("delivered", NOW_MS, Health())


def test_410_disables() -> None:
    ruled = after(1, Answer(410))
    assert (ruled.state, bool(ruled.disabled)) == ("failed", True)


def test_an_endpoint_that_fails_for_days_is_disabled_and_not_before() -> None:
    long_ago_ms = NOW_MS - round(DISABLED_AFTER_S * 1000)
    assert after(1, Answer(500), Health(long_ago_ms)).disabled
    assert not after(1, Answer(500), Health(long_ago_ms + 1)).disabled


def test_retry_after_is_heeded_and_bounded() -> None:
    ruled = after(1, Answer(503, retry_after_s=900))
    assert ruled.due_at_ms == ruled.health.not_before_ms == NOW_MS + 900_000
    assert after(2, Answer(503, retry_after_s=1)).due_at_ms == NOW_MS + 300_000  # never sooner than the schedule
    assert after(1, Answer(503, retry_after_s=1e12)).due_at_ms == NOW_MS + 86_400_000


def test_retry_after_is_a_number_or_a_date() -> None:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert retry_after_s("120") == 120
    assert retry_after_s("Sun, 29 Nov 2026 12:02:00 GMT", now) == 120
    assert retry_after_s("Sun, 29 Nov 2026 11:02:00 GMT", now) == 0
    assert retry_after_s((now + timedelta(seconds=5)).strftime("%a, %d %b %Y %H:%M:%S -0000"), now) is not None
    for odd in ("", "soon", "-5", "1.5", "²"):
        assert retry_after_s(odd) is None


def test_pauses_grow_and_those_that_began_before_one_do_not_add_to_it() -> None:
    health, now_ms = Health(), NOW_MS
    lengths = []
    for _ in range(9):
        health = ruling(1, health, Answer(None), now_ms, now_ms, 0.0).health
        lengths.append((health.not_before_ms - now_ms) // 1000)
        now_ms = health.not_before_ms
    assert lengths == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    at_once = ruling(1, health, Answer(None), now_ms - 1, now_ms, 0.0).health
    assert at_once.pauses == health.pauses


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/", "https://", "x", "https://u:p@x.example/", "http://x.example/", "https://127.0.0.1/", "https://[::1]/",
        "https://2130706433/", "https://127.1/", "https://169.254.169.254/", "https://x.example:99999/",
        "https://x.example/\n", "https://x.example/" + "a" * 3000,
    ],
)  # fmt: skip
def test_what_can_be_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_url(url, ())
    assert refused.value.field == "url"


def test_allowed_networks_may_be_named_also_without_encryption() -> None:
    check_url("http://127.0.0.1:8099/hook", ("127.0.0.0/8",))
    check_url("https://shop.example/hook", ())


IDS = itertools.count()


def filled(slots: Slots, tenant: str, names: int, pauses: int = 0) -> int:
    count = 0
    for number in range(names):
        each = endpoint(f"{tenant}-{number}", tenant=tenant, pauses=pauses)
        for _ in range(slots.room(each)):
            slots.fill(each, next(IDS))
            count += 1
    return count


def test_a_tenant_that_floods_leaves_room_for_others_and_so_do_dead_endpoints() -> None:
    slots = Slots(total=128, of_tenant=32, of_endpoint=4)
    assert filled(slots, "dead", 1000, pauses=1) == 16
    assert filled(slots, "dead", 1000) == 16
    assert slots.full_tenants() == ["dead"]
    assert filled(slots, "flood", 1000) == 32
    assert filled(slots, "small", 1) == 4
    assert sum(filled(slots, f"dead-{number}", 100, pauses=1) for number in range(9)) == 48
    assert not slots.takes_doubtful()
    assert slots.left() == 128 - 32 - 32 - 4 - 48
