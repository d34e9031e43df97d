"""Tokens that Kafka's clients show for SASL's OAUTHBEARER (RFC 7628).

An OpenID provider gives them for a client's id and secret (RFC 6749, 4.4). aiokafka asks here. librdkafka asks by
itself, in a thread of its own: its callback for tokens waits for a poll before 2.13, and a client that only lists or
creates topics does not poll (confluent-kafka-python#1713).
"""

import ssl
import threading
import time
from collections.abc import Callable
from functools import cache

import httpx
import msgspec

from schemas.decoding import prepare
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings, SettingsError, variable

ANSWERS_WITHIN_S = 10.0
LIFETIME_S = 300.0  # of a token whose provider does not say: the shortest that providers are known to give by default
# A new one is asked for when this share of a lifetime is over, as librdkafka does.
RENEWED_AT = 0.8

_NEEDED = ("kafka_oauth_token_url", "kafka_oauth_client_id", "kafka_oauth_client_secret")

Token = tuple[str, float]  # and until when it counts, in Unix time


class _Granted(msgspec.Struct):
    """What a token endpoint answers."""

    access_token: str
    expires_in: float = LIFETIME_S


prepare(_Granted)


class Tokens:
    """The newest token, for as long as it counts; any number of threads may ask."""

    def __init__(self, fetch: Callable[[], Token]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._token: Token = ("", 0.0)
        self._renewed_at = 0.0

    def newest(self) -> Token:
        """A token, and until when it counts. Raises Unavailable."""
        with self._lock:
            now = time.time()
            if now >= self._renewed_at:
                self._token = self._fetch()
                self._renewed_at = now + RENEWED_AT * (self._token[1] - now)
            return self._token


@cache
def tokens(settings: Settings) -> Tokens:
    """The tokens of a process with these settings. Raises SettingsError."""
    if missing := [variable(name) for name in _NEEDED if not getattr(settings, name)]:
        raise SettingsError(f"{variable('kafka_sasl_mechanism')}=OAUTHBEARER needs {', '.join(missing)}")
    return Tokens(lambda: _granted(settings))


def _granted(settings: Settings) -> Token:
    form = {"grant_type": "client_credentials"}
    if settings.kafka_oauth_scope:
        form["scope"] = settings.kafka_oauth_scope
    login = httpx.BasicAuth(settings.kafka_oauth_client_id or "", settings.oauth_client_secret)
    trusted = ssl.create_default_context(cafile=settings.kafka_oauth_ca_file)
    url, now = settings.kafka_oauth_token_url or "", time.time()
    try:
        answer = httpx.post(url, data=form, auth=login, verify=trusted, timeout=ANSWERS_WITHIN_S)
        answer.raise_for_status()
        granted = msgspec.json.decode(answer.content, type=_Granted)
    except (httpx.HTTPError, msgspec.DecodeError) as error:
        raise Unavailable(f"no token for Kafka from {url}: {error}") from error
    return granted.access_token, now + granted.expires_in
