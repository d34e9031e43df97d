"""Tokens for Kafka: asked for once for all clients, and anew before they end."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from streams.consumer import tokens as given
from streams.consumer.clients import client_config
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings, SettingsError

SECRET = "planted secret of a client"


class Provider:
    """A token endpoint."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer = httpx.Response(200, json={"access_token": "one", "expires_in": 100}, request=_REQUEST)

    def post(self, url: str, **how: Any) -> httpx.Response:
        self.asked.append({"url": url, **how})
        return self.answer


_REQUEST = httpx.Request("POST", "https://id.example/token")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    made = Provider()
    monkeypatch.setattr(httpx, "post", made.post)
    given.tokens.cache_clear()
    return made


def settings_in(folder: Path, **more: Any) -> Settings:
    named = {"kafka_oauth_token_url": str(_REQUEST.url), "kafka_oauth_client_id": "packshot"}
    kafka = {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_mechanism": "OAUTHBEARER"}
    fields = {**kafka, **named, "kafka_oauth_client_secret": SECRET, "data_folder": folder} | more
    return Settings(kafka_bootstrap_servers="127.0.0.1:1", **fields)


def test_a_token_is_asked_for_once_for_every_client(provider: Provider, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, kafka_oauth_scope="kafka.write")
    clients = [client_config(settings) for _ in range(3)]
    assert given.tokens(settings).newest()[0] == "one"
    assert not {"sasl.username", "sasl.password"} & clients[0].keys()
    assert clients[0]["sasl.oauthbearer.scope"] == "kafka.write"
    Producer(clients[0] | {"log_level": 0})  # librdkafka knows each of these
    (asked,) = provider.asked
    assert asked["url"] == str(_REQUEST.url)
    assert asked["data"] == {"grant_type": "client_credentials", "scope": "kafka.write"}
    header = next(asked["auth"].auth_flow(_REQUEST)).headers["Authorization"]
    assert header == next(httpx.BasicAuth("packshot", SECRET).auth_flow(_REQUEST)).headers["Authorization"]


def test_a_new_one_is_asked_for_before_the_last_ends(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(given, "time", SimpleNamespace(time=lambda: now))
    asked = given.tokens(settings_in(tmp_path))
    assert asked.newest() == ("one", now + 100)
    now += 79
    assert asked.newest()[0] == "one"
    provider.answer = httpx.Response(200, json={"access_token": "two", "expires_in": 100}, request=_REQUEST)
    now += 2
    assert asked.newest() == ("two", now + 100)
    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"error": "invalid_client"}, request=_REQUEST),
        httpx.Response(200, text="<html>", request=_REQUEST),
        httpx.Response(200, json={"token": "x"}, request=_REQUEST),
        httpx.Response(200, json={"access_token": "x", "expires_in": "soon"}, request=_REQUEST),
    ],
)
def test_who_gives_no_token_is_away_and_is_named(provider: Provider, tmp_path: Path, answer: httpx.Response) -> None:
    provider.answer = answer
    with pytest.raises(Unavailable, match=r"https://id\.example/token") as away:
        client_config(settings_in(tmp_path))
    assert SECRET not in str(away.value)


def test_what_is_missing_is_named(provider: Provider, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"PACKSHOT_KAFKA_OAUTH_TOKEN_URL$"):
        client_config(settings_in(tmp_path, kafka_oauth_token_url=None))
    assert provider.asked == []
