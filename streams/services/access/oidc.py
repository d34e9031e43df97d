"""Signing in at the desk by an identity provider: OpenID Connect 1.0, the authorization code flow with PKCE.

The browser that begins keeps a seed in a cookie; `state`, `nonce` and the code verifier are all made of it, so that no
gateway has to remember anything, and what comes back counts only in the browser that was sent away (RFC 9700).
"""

import hashlib
import hmac
import re
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

import httpx
import msgspec

from schemas.records import Name
from streams.facts import Database
from streams.facts.sessions import DeskSession, Role
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings
from streams.services.access import sessions

ANSWERS_WITHIN_S = 10.0
KNOWN_S = 3600.0  # the provider's description and keys; a key that is not known is asked for at once
ASKED_AGAIN_S = 10.0  # but no more often: anybody can send a token with a key of his own
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # none that is signed by the client's secret
LEEWAY_S = 60  # between the provider's clock and ours
SEED_S = 600  # that signing in may take
ROLES: tuple[Role, ...] = ("operator", "reviewer", "viewer")  # the best that the claim holds counts
REFUSAL = "sign_in_refused"
_SEED = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Begun:
    """Where to send a browser, and the seed that it is to keep."""

    address: str
    seed: str


class Provider:
    """The identity provider that the settings name. Thread-safe."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        """`transport` stands in for the network."""
        self._settings = settings
        self._transport = transport
        self._known: dict[str, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    @property
    def back(self) -> str:
        """Where the provider sends browsers back to; it is to be registered there."""
        return f"{self._settings.gateway}/desk/-/oidc/back"

    def begin(self) -> Begun:
        """Begins to sign somebody in. Raises Unavailable while the provider is away."""
        seed = secrets.token_urlsafe(32)
        challenge = hashlib.sha256(_made(seed, "verifier").encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self.back,
            "scope": self._settings.oidc_scope,
            "state": _made(seed, "state"),
            "nonce": _made(seed, "nonce"),
            "code_challenge": _text(challenge),
            "code_challenge_method": "S256",
        }
        endpoint = self._described()["authorization_endpoint"]
        return Begun(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", seed)

    def end(self, database: Database, seed: str, answered: Mapping[str, str]) -> tuple[str, DeskSession]:
        """The token of a new session, and the session, for a browser that came back. Raises Refused, Unavailable."""
        if not _SEED.fullmatch(seed) or not hmac.compare_digest(answered.get("state", ""), _made(seed, "state")):
            raise Refused(REFUSAL, "it was begun in another browser, or too long ago: begin again", field="state")
        if answered.get("iss", self._settings.oidc_issuer) != self._settings.oidc_issuer:  # RFC 9207
            raise Refused(REFUSAL, "another provider answers than was asked", field="iss")
        if "code" not in answered:
            raise Refused(REFUSAL, f"the provider says {answered.get('error', 'nothing')[:100]}", field="code")
        tokens = self._tokens(answered["code"], seed)
        claims = self._claims(tokens["id_token"], seed)
        name, tenants, role = self._mapped(self._about(claims, tokens.get("access_token")))
        return sessions.enter(database, sessions.link(database, name, tenants, role))

    def _tokens(self, code: str, seed: str) -> dict[str, Any]:
        query = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.back,
            "client_id": self._settings.oidc_client_id,
            "code_verifier": _made(seed, "verifier"),
        }
        secret, client = self._settings.oidc_client_secret, self._settings.oidc_client_id
        login = None if secret is None else httpx.BasicAuth(client, secret.get_secret_value())
        answer = self._request("POST", self._described()["token_endpoint"], data=query, auth=login)
        if not isinstance(answer.get("id_token"), str):
            raise Refused(REFUSAL, f"the provider says {str(answer.get('error', 'nothing'))[:100]}", field="code")
        return answer

    def _claims(self, token: str, seed: str) -> Mapping[str, Any]:
        """What a token says of somebody, once it is the provider's, for us, fresh, and of this sign-in."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        wanted = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": str(self._settings.oidc_issuer)},
            aud={"essential": True, "value": self._settings.oidc_client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": _made(seed, "nonce")},
            sub={"essential": True},
        )
        try:
            claims = self._verified(token).claims
            wanted.validate(claims)
        except (JoseError, ValueError) as error:
            raise Refused(REFUSAL, f"the provider's token does not hold: {error}", field="id_token") from error
        if claims.get("azp", self._settings.oidc_client_id) != self._settings.oidc_client_id:
            raise Refused(REFUSAL, "the provider's token is for another client", field="azp")
        return cast(Mapping[str, Any], claims)

    def _verified(self, token: str) -> Any:
        """A token that one of the provider's keys has signed; they are asked for once more where none has."""
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, InvalidKeyIdError
        from joserfc.jwk import KeySet

        address = self._described()["jwks_uri"]
        try:
            return jwt.decode(token, KeySet.import_key_set(self._kept(address, KNOWN_S)), algorithms=ALGORITHMS)
        except (BadSignatureError, InvalidKeyIdError):
            keys = KeySet.import_key_set(self._kept(address, ASKED_AGAIN_S))
            return jwt.decode(token, keys, algorithms=ALGORITHMS)

    def _about(self, claims: Mapping[str, Any], access: object) -> Mapping[str, Any]:
        """What is known of somebody: many providers tell the rest only at their endpoint for it."""
        endpoint, settings = self._described().get("userinfo_endpoint"), self._settings
        wanted = (settings.oidc_name_claim, settings.oidc_tenants_claim, settings.oidc_role_claim)
        if endpoint is None or not isinstance(access, str) or all(name in claims for name in wanted):
            return claims
        profile = self._request("GET", endpoint, headers={"Authorization": f"Bearer {access}"})
        if profile.get("sub") != claims["sub"]:
            raise Refused(REFUSAL, "the provider tells of somebody else", field="sub")
        return {**profile, **claims}

    def _mapped(self, claims: Mapping[str, Any]) -> tuple[str, tuple[str, ...], Role]:
        """The name, the tenants and the role that the settings' claims give. Raises Refused."""
        settings = self._settings
        name = claims.get(settings.oidc_name_claim)
        tenants = _words(claims.get(settings.oidc_tenants_claim))
        roles = _words(claims.get(settings.oidc_role_claim))
        for claim, words in ((settings.oidc_name_claim, [name]), (settings.oidc_tenants_claim, tenants)):
            if not words or not all(_is_name(each) for each in words):
                raise Refused(REFUSAL, f"the provider says of you no {claim} that is a name here", field=claim)
        role = next((each for each in ROLES if each in roles), None)
        if role is None:
            wanted = f"{settings.oidc_role_claim} with one of {', '.join(ROLES)}"
            raise Refused(REFUSAL, f"the provider says of you no {wanted}", field=settings.oidc_role_claim)
        return str(name), tuple(tenants), role

    def _described(self) -> dict[str, str]:
        """The provider's description. Raises Unavailable for one that is not its own."""
        issuer = str(self._settings.oidc_issuer)
        found: dict[str, str] = self._kept(f"{issuer.rstrip('/')}/.well-known/openid-configuration", KNOWN_S)
        lacking = [name for name in ("authorization_endpoint", "token_endpoint", "jwks_uri") if name not in found]
        if found.get("issuer") != issuer or lacking:
            raise Unavailable(f"{issuer} describes another provider, or lacks {', '.join(lacking) or 'nothing'}")
        return found

    def _kept(self, address: str, known_s: float) -> Any:
        """What an address answered less than `known_s` ago."""
        with self._lock:
            at_s, found = self._known.get(address, (-float("inf"), None))
            if time.monotonic() - at_s > known_s:
                found = self._request("GET", address)
                self._known[address] = time.monotonic(), found
        return found

    def _request(self, method: str, address: str, **sent: Any) -> dict[str, Any]:
        try:
            sent["headers"] = {"Accept": "application/json", **sent.get("headers", {})}
            with httpx.Client(timeout=ANSWERS_WITHIN_S, transport=self._transport) as client:
                answer = client.request(method, address, **sent)
            found = msgspec.json.decode(answer.content)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise Unavailable(f"the identity provider does not answer: {type(error).__name__}") from error
        if answer.status_code >= 500 or not isinstance(found, dict):
            raise Unavailable(f"the identity provider answers {answer.status_code}")
        return found


def _made(seed: str, purpose: str) -> str:
    return _text(hmac.digest(seed.encode(), f"packshot.oidc.{purpose}".encode(), "sha256"))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _words(claim: object) -> list[str]:
    """A claim's values: a list, or a text with spaces or commas between."""
    if isinstance(claim, str):
        return re.split(r"[\s,]+", claim.strip()) if claim.strip() else []
    return [each for each in claim if isinstance(each, str)] if isinstance(claim, list) else []


def _is_name(value: object) -> bool:
    try:
        msgspec.convert(value, Name)
    except msgspec.ValidationError:
        return False
    return True
