"""Settings: what the environment says, and what is given."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from streams.runtime.settings import Settings, SettingsError, default_of, read_settings, variable
from streams.services.reports.setting_views import changed


def test_the_environment_counts_in_any_case_and_what_is_given_counts_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("packshot_kafka_partitions", "7")
    monkeypatch.setenv("PACKSHOT_RETRY_DELAYS_MS", "20, 10")
    monkeypatch.setenv("PACKSHOT_SOURCE_BUCKETS", "a,b")
    settings = read_settings()
    assert (settings.kafka_partitions, settings.retry_delays, settings.source_buckets) == (7, (10, 20), ("a", "b"))
    assert Settings(kafka_partitions=3).kafka_partitions == 3
    assert replace(settings, kafka_partitions=5).kafka_partitions == 5


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_default_is_one_that_may_be_given(field: Any) -> None:
    default = default_of(field)
    assert getattr(Settings(**{field.name: default}), field.name) == default


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("engine", "planted", "none of auto, tensorrt, openvino, onnxruntime"),
        ("gateway_port", "planted", "a whole number"),
        ("gateway_port", 70_000, "65535"),
        ("replaced_grace_s", -1, "0"),
        ("cutout_model", "planted@", "matching regex"),
        ("source_private_networks", "10.0.0.0/8,planted", "network 2 is none"),
        ("retry_delays_ms", "100,planted", "whole milliseconds"),
        ("no_such_thing", "planted", "no such setting"),
    ],
)
def test_what_a_setting_cannot_be_is_reported_and_not_shown(name: str, value: object, why: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable(name)}: .*{why}") as wrong:
        Settings(**{name: value})
    assert "planted" not in str(wrong.value)


def test_every_wrong_setting_is_reported_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKSHOT_KAFKA_PARTITIONS", "none")
    monkeypatch.setenv("PACKSHOT_BATCH_MAX", "-1")
    monkeypatch.setenv("PACKSHOT_LOG_LEVL", "info")
    with pytest.raises(SettingsError) as wrong:
        read_settings()
    for said in ("PACKSHOT_KAFKA_PARTITIONS: ", "PACKSHOT_BATCH_MAX: ", "did you mean PACKSHOT_LOG_LEVEL?"):
        assert said in str(wrong.value)


def test_a_secret_may_lie_in_a_file_as_it_is_mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://packshot:planted@db/packshot\n")
    monkeypatch.setenv("PACKSHOT_DATABASE_URL_FILE", str(secret))
    settings = read_settings()
    assert settings.database == "postgresql://packshot:planted@db/packshot"
    assert "planted" not in repr(settings)
    secret.unlink()
    assert replace(settings, batch_max=3).database == settings.database, "it is read once"


@pytest.mark.parametrize(
    ("content", "also", "why"),
    [
        (None, False, "cannot be read"),
        (b"planted\xff", False, "no text"),
        (b"planted" * 10_000, False, "more than 65536 bytes"),
        (b"planted", True, "PACKSHOT_KAFKA_SASL_PASSWORD is set, too"),
    ],
)
def test_a_secret_that_cannot_be_had_from_its_file_is_reported_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, also: bool, why: str
) -> None:
    secret = tmp_path / "password"
    if content is not None:
        secret.write_bytes(content)
    monkeypatch.setenv("PACKSHOT_KAFKA_SASL_PASSWORD_FILE", str(secret))
    if also:
        monkeypatch.setenv("PACKSHOT_KAFKA_SASL_PASSWORD", "planted")
    with pytest.raises(SettingsError, match=f"PACKSHOT_KAFKA_SASL_PASSWORD_FILE: .*{why}") as wrong:
        read_settings()
    assert "planted" not in str(wrong.value)


def test_what_is_wrong_in_a_secrets_file_is_reported_by_its_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text("planted")
    monkeypatch.setenv("PACKSHOT_DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(SettingsError, match="PACKSHOT_DATABASE_URL: ") as wrong:
        read_settings()
    assert "planted" not in str(wrong.value)


def test_only_secrets_have_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKSHOT_BATCH_MAXS_FILE", "x")
    monkeypatch.setenv("PACKSHOT_DATABASE_UR_FILE", "x")
    with pytest.raises(SettingsError, match="did you mean PACKSHOT_DATABASE_URL_FILE"):
        read_settings()


def test_what_is_logged_of_settings_shows_no_secret() -> None:
    settings = Settings(database_url="postgresql://packshot:planted@db/packshot", kafka_partitions=7)
    shown = changed(settings)
    assert shown["kafka_partitions"] == "7"
    assert "database_url" in shown
    assert "planted" not in str(shown)
    assert "batch_max" not in shown
