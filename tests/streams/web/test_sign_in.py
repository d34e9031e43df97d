"""Signing in: a link works once and not for long, a session ends, and nothing is changed from another site's page."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner

from streams.commands.desk import desk
from streams.facts import Database, DeskSessions
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.access import sessions
from streams.web.visitors import COOKIE
from tests.streams.web.conftest import Client

SignIn = Callable[..., Client]


def later(monkeypatch: pytest.MonkeyPatch, by_ms: int) -> None:
    now = now_ms()
    monkeypatch.setattr(sessions, "now_ms", lambda: now + by_ms)


def test_a_link_signs_in_once(client: Client, database: Database) -> None:
    code = sessions.link(database, "ada", ("demo",), "reviewer")
    answer = client.post("/desk/-/sign-in", data={"code": code}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/desk" in cookie
    assert client.get("/desk/demo/products").status_code == 200
    client.cookies.clear()
    again = client.post("/desk/-/sign-in", data={"code": code}, follow_redirects=False)
    assert again.status_code == 403
    assert "used before" in again.text
    assert "set-cookie" not in again.headers


def test_of_many_that_use_a_link_at_once_one_gets_in(database: Database) -> None:
    code = sessions.link(database, "ada", ("demo",), "viewer")

    def enter(_number: int) -> bool:
        try:
            sessions.enter(database, code)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as executor:
        assert sum(executor.map(enter, range(8))) == 1


def test_a_link_is_over_after_a_while(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    code = sessions.link(database, "ada", ("demo",), "viewer")
    later(monkeypatch, sessions.LINK_MS)
    with pytest.raises(Refused, match="over"):
        sessions.enter(database, code)


@pytest.mark.parametrize("code", ["", "x", "A" * 43, "A" * 44, "' OR 1=1 --"])
def test_what_is_no_link_opens_nothing(code: str, database: Database) -> None:
    with pytest.raises(Refused):
        sessions.enter(database, code)
    assert sessions.opened(database, code) is None


def test_nothing_that_opens_anything_is_kept(database: Database) -> None:
    code = sessions.link(database, "ada", ("demo",), "viewer")
    token, session = sessions.enter(database, code)
    with database.look() as connection:
        for table in ("desk_links", "desk_sessions"):
            kept = repr(connection.exec_driver_sql(f"SELECT * FROM {table}").fetchall())
            assert "ada" in kept
            assert code not in kept
            assert token not in kept
    assert session.digest == sessions.digest_of(token)


def test_a_session_ends(sign_in: SignIn, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sign_in("demo")
    token = client.cookies[COOKIE]
    assert client.get("/desk/demo/products").status_code == 200
    answer = client.post("/desk/-/sign-out", follow_redirects=False)
    assert answer.headers["location"] == "/desk/-/sign-in"
    assert sessions.opened(database, token) is None
    kept = sign_in("demo").cookies[COOKIE]
    assert sessions.opened(database, kept) is not None
    later(monkeypatch, sessions.IDLE_MS)
    assert sessions.opened(database, kept) is None


def test_who_stays_is_still_signed_out_after_a_day(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    token, session = sessions.enter(database, sessions.link(database, "ada", ("demo",), "viewer"))
    now = session.created_at_ms
    while now < session.expires_at_ms - 1:
        now = min(now + sessions.IDLE_MS - 1, session.expires_at_ms - 1)
        monkeypatch.setattr(sessions, "now_ms", lambda now=now: now)
        assert sessions.opened(database, token) is not None
    monkeypatch.setattr(sessions, "now_ms", lambda: session.expires_at_ms)
    assert sessions.opened(database, token) is None


def test_who_is_not_signed_in_is_led_to_the_door(client: Client) -> None:
    answer = client.get("/desk/demo/products", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/-/sign-in")
    fetched = client.get("/desk/demo/flow/lanes", headers={"X-Form-Token": "x"})
    assert fetched.status_code == 401
    assert client.get("/", follow_redirects=False).headers["location"] == "/desk"


FORM = {"sku": "A", "reason": "wrong"}


def test_a_form_without_its_token_changes_nothing(sign_in: SignIn) -> None:
    client, other = sign_in("demo"), sign_in("demo", name="eve")
    theirs, mine = other.headers["X-Form-Token"], client.headers.pop("X-Form-Token")
    address = "/desk/demo/product/take-down"
    for token in ("", "x", theirs, "é"):
        assert client.post(address, data={**FORM, "form_token": token}).status_code == 403
    assert client.post(address, json={**FORM, "form_token": mine}).status_code == 403
    assert client.post(address, data={**FORM, "form_token": mine}).status_code == 404  # there is no such product


def test_another_sites_page_changes_nothing(sign_in: SignIn, database: Database) -> None:
    client = sign_in("demo")
    there = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/desk/demo/product/take-down", data=FORM, headers=there).status_code == 403
    code = sessions.link(database, "eve", ("demo",), "viewer")
    assert client.post("/desk/-/sign-in", data={"code": code}, headers=there).status_code == 403
    assert sessions.enter(database, code)


def test_a_role_is_all_that_somebody_may_do(sign_in: SignIn) -> None:
    viewer, reviewer = sign_in("demo", role="viewer"), sign_in("demo")
    assert viewer.post("/desk/demo/product/take-down", data=FORM).status_code == 403
    assert reviewer.post("/desk/demo/product/take-down", data=FORM).status_code == 404
    assert reviewer.get("/desk/demo/flow/readers").status_code == 403
    assert reviewer.post("/desk/demo/flow/replay", data={"letter": "0/1"}).status_code == 403


def test_the_command_makes_a_link(settings: Settings, client: Client) -> None:
    made = CliRunner().invoke(desk, ["link", "--tenant", "demo", "--name", "ada"], obj=settings)
    assert made.exit_code == 0, made.output
    address = made.stdout.strip()
    assert address.startswith(f"{settings.gateway}/desk/-/sign-in#")
    code = address.partition("#")[2]
    assert client.post("/desk/-/sign-in", data={"code": code}, follow_redirects=False).status_code == 303


@pytest.mark.parametrize(("name", "tenant"), [("", "demo"), ("ada", ""), ("a b", "demo"), ("ada", "**")])
def test_a_link_for_a_bad_name_is_refused(name: str, tenant: str, database: Database) -> None:
    with pytest.raises(Refused):
        sessions.link(database, name, (tenant,), "viewer")


def test_who_runs_the_system_sees_every_tenant(sign_in: SignIn, database: Database) -> None:
    client = sign_in("*", role="operator")
    assert client.get("/desk/demo/products").status_code == 200
    assert client.get("/desk/other/products").status_code == 200
    assert client.get("/desk/*/products").status_code == 404
    assert DeskSessions(database).find("0" * 64) is None
