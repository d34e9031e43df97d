"""Signing in by an identity provider: against a real one from npm, and against tokens that do not hold."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from litestar.testing import TestClient
from litestar.types import ASGIApp

from infra.servers import oidc as servers
from infra.servers.process import ServerUnavailable
from streams.facts import Database
from streams.runtime.addresses import Address, SecretStr
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings
from streams.services.access import sessions
from streams.services.access.oidc import Provider
from streams.services.display.showing import Showing
from streams.web.app import build
from streams.web.place import Place
from tests.servers import skip_or_fail
from tests.streams.flow import Recorder

CACHE = Path(__file__).parents[3] / ".cache"
ISSUER = "https://id.example"
DESK = "http://127.0.0.1:8088"
ADA = {"preferred_username": "ada", "packshot_tenants": ["demo", "acme"], "packshot_role": ["staff", "reviewer"]}
PEOPLE = {
    "ada": ADA,
    "eve": ADA | {"preferred_username": "eve", "packshot_role": "guest"},
    "mallory": ADA | {"preferred_username": "mallory", "packshot_tenants": "*"},
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, oidc_issuer=Address(ISSUER), oidc_client_secret=SecretStr(servers.SECRET))


# Against a real provider.


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[str]:
    try:
        with servers.provider(tmp_path, CACHE, f"{DESK}/desk/-/oidc/back", PEOPLE) as address:
            yield address
    except ServerUnavailable as missing:
        skip_or_fail(str(missing))


@pytest.fixture
def browser(issuer: str, settings: Settings, database: Database, recorder: Recorder) -> Iterator[TestClient[ASGIApp]]:
    place = Place(replace(settings, oidc_issuer=Address(issuer)), database, recorder, Showing(settings))
    with TestClient(build(place), base_url=DESK, raise_server_exceptions=False) as opened:
        yield opened


def away(browser: TestClient[ASGIApp], name: str) -> str:
    """Goes to the provider, logs in there and consents; the address that it sends the browser back to."""
    assert "/desk/-/oidc" in browser.get("/desk/-/sign-in").text
    sent = browser.get("/desk/-/oidc", follow_redirects=False)
    with httpx.Client(follow_redirects=False, timeout=60) as elsewhere:
        answer = elsewhere.get(sent.headers["location"])
        while not answer.headers.get("location", "").startswith(DESK):
            if answer.is_redirect:
                answer = elsewhere.get(str(answer.request.url.join(answer.headers["location"])))
                continue
            assert answer.status_code == 200, answer.text
            action = re.search(r'action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert action is not None
            assert prompt is not None
            form = {"prompt": prompt[1], "login": name, "password": "any"}
            answer = elsewhere.post(str(answer.request.url.join(action[1])), data=form)
    return str(answer.headers["location"]).removeprefix(DESK)


@pytest.mark.long
def test_a_real_provider_signs_a_reviewer_in_with_tenants_and_role(browser: TestClient[ASGIApp]) -> None:
    callback = away(browser, "ada")
    entered = browser.get(callback, follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/desk"), entered.text
    assert browser.get("/desk/demo/products").status_code == 200
    assert browser.get("/desk/acme/products").status_code == 200
    assert browser.get("/desk/other/products").status_code == 404
    assert "packshot_oidc" not in browser.cookies
    again = browser.get(callback, follow_redirects=False)
    assert again.status_code == 403, "what came back once opens nothing twice"


@pytest.mark.long
@pytest.mark.parametrize(("name", "claim"), [("eve", "packshot_role"), ("mallory", "packshot_tenants")])
def test_who_is_nobody_here_learns_which_claim_is_missing(browser: TestClient[ASGIApp], name: str, claim: str) -> None:
    answer = browser.get(away(browser, name), follow_redirects=False)
    assert answer.status_code == 403
    assert claim in answer.text
    assert "packshot_desk" not in browser.cookies


@pytest.mark.long
def test_what_comes_back_to_another_browser_opens_nothing(browser: TestClient[ASGIApp]) -> None:
    callback = away(browser, "ada")
    browser.cookies.clear()
    answer = browser.get(callback, follow_redirects=False)
    assert (answer.status_code, "another browser" in answer.text) == (403, True)


# Against tokens that do not hold.


class StandIn:
    """A provider that answers what it is told to."""

    def __init__(self, settings: Settings) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.published = [self.key]
        self.person: dict[str, Any] = ADA
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.signed_by, self.requests = self.key, list[str]()
        self.provider = Provider(settings, httpx.MockTransport(self._answer))

    def token(self, nonce: str) -> str:
        now = now_ms() // 1000
        required = {
            "iss": ISSUER,
            "aud": "packshot",
            "sub": "1",
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            **self.person,
        }
        header = {"alg": "RS256", "kid": self.signed_by.kid}
        return jwt.encode(header, required | self.person | self.claims, self.signed_by)

    def sign_in(self, database: Database, **changed: str) -> Any:
        begun = self.provider.begin()
        query = {name: each[0] for name, each in parse_qs(urlsplit(begun.address).query).items()}
        assert query["code_challenge_method"] == "S256"
        self.nonce = query["nonce"]
        return self.provider.end(database, begun.seed, {"state": query["state"], "code": "c"} | changed)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append(path)
        if path.endswith("openid-configuration"):
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            endpoints = {name: f"{ISSUER}/{each}" for name, each in names.items()}
            return httpx.Response(200, json={"issuer": ISSUER, "userinfo_endpoint": f"{ISSUER}/me", **endpoints})
        if path == "/keys":
            return httpx.Response(200, json={"keys": [each.as_dict(private=False) for each in self.published]})
        if path == "/me":
            assert request.headers["authorization"] == "Bearer a"
            return httpx.Response(200, json=self.userinfo)
        form = parse_qs(request.content.decode())
        assert (path, form["code"], len(form["code_verifier"][0])) == ("/token", ["c"], 43)
        return httpx.Response(200, json={"id_token": self.token(self.nonce), "access_token": "a"})


@pytest.fixture
def stand_in(settings: Settings) -> StandIn:
    return StandIn(settings)


def test_a_token_that_holds_opens_a_session(stand_in: StandIn, database: Database) -> None:
    token, session = stand_in.sign_in(database)
    assert (session.name, session.tenants, session.role) == ("ada", ("demo", "acme"), "reviewer")
    assert sessions.opened(database, token) == session


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"iss": "https://other.example"}, "iss"),
        ({"aud": "another"}, "aud"),
        ({"nonce": "another"}, "nonce"),
        ({"exp": 1}, "expired"),
        ({"azp": "another"}, "another client"),
        ({"preferred_username": "ada lovelace"}, "preferred_username"),
        ({"packshot_tenants": []}, "packshot_tenants"),
        ({"packshot_role": "root"}, "packshot_role"),
    ],
)
def test_a_token_that_does_not_hold_opens_nothing(
    stand_in: StandIn, database: Database, claims: dict[str, Any], message: str
) -> None:
    stand_in.claims = claims
    with pytest.raises(Refused, match=message) as refusal:
        stand_in.sign_in(database)
    assert refusal.value.code == "sign_in_refused"


def test_a_token_that_somebody_else_has_signed_opens_nothing(stand_in: StandIn, database: Database) -> None:
    stand_in.signed_by = RSAKey.generate_key(2048, {"kid": "1"})
    with pytest.raises(Refused, match="does not hold"):
        stand_in.sign_in(database)


def test_a_new_key_of_the_provider_is_asked_for_and_no_more_often_than_that(
    stand_in: StandIn, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.sign_in(database)
    stand_in.signed_by = RSAKey.generate_key(2048, {"kid": "2"})
    with pytest.raises(Refused):
        stand_in.sign_in(database)
    assert stand_in.requests.count("/keys") == 1, "asked a moment ago"
    stand_in.published.append(stand_in.signed_by)
    monkeypatch.setattr("streams.services.access.oidc.ASKED_AGAIN_S", -1.0)
    assert stand_in.sign_in(database)
    assert stand_in.requests.count("/keys") == 2


def test_what_the_token_lacks_the_provider_is_asked_for(stand_in: StandIn, database: Database) -> None:
    stand_in.person = {"preferred_username": "ada"}
    stand_in.userinfo = {"sub": "1", "packshot_role": "viewer", "packshot_tenants": "demo"}
    _, session = stand_in.sign_in(database)
    assert (session.role, session.tenants) == ("viewer", ("demo",))
    stand_in.userinfo["sub"] = "2"
    with pytest.raises(Refused, match="somebody else"):
        stand_in.sign_in(database)


@pytest.mark.parametrize(
    "changed", [{"state": "another"}, {"iss": "https://other.example"}, {"code": ""}], ids=["state", "iss", "code"]
)
def test_an_answer_that_was_not_asked_for_opens_nothing(
    stand_in: StandIn, database: Database, changed: dict[str, str]
) -> None:
    seed, query = stand_in.provider.begin().seed, {"state": "another"} | changed
    with pytest.raises(Refused):
        stand_in.provider.end(database, seed, query)
    assert "/token" not in stand_in.requests


def test_a_provider_that_is_away_or_another_is_said(settings: Settings) -> None:
    def answering(answer: Callable[[], httpx.Response]) -> Provider:
        return Provider(settings, httpx.MockTransport(lambda _request: answer()))

    def fails() -> httpx.Response:
        raise httpx.ConnectError("refused")

    for answer in (
        fails,
        lambda: httpx.Response(503, json={}),
        lambda: httpx.Response(200, content=b"<html>"),
        lambda: httpx.Response(200, json={"issuer": "https://other.example"}),
    ):
        with pytest.raises(Unavailable):
            answering(answer).begin()


def test_without_a_provider_there_is_no_such_page(database: Database, recorder: Recorder, tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path, kafka_bootstrap_servers="127.0.0.1:1")
    with TestClient(build(Place(settings, database, recorder, Showing(settings)))) as client:
        assert client.get("/desk/-/oidc").status_code == 404
        assert "/desk/-/oidc" not in client.get("/desk/-/sign-in").text
