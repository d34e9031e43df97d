"""Settings: what the environment says, and what is given."""

from dataclasses import fields, replace
from typing import Any

import pytest

from streams.runtime.settings import Settings, SettingsError, default_of, read_settings, variable


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
def test_what_a_setting_cannot_be_is_told_and_not_shown(name: str, value: object, why: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable(name)}: .*{why}") as wrong:
        Settings(**{name: value})
    assert "planted" not in str(wrong.value)


def test_every_wrong_setting_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKSHOT_KAFKA_PARTITIONS", "none")
    monkeypatch.setenv("PACKSHOT_BATCH_MAX", "-1")
    monkeypatch.setenv("PACKSHOT_LOG_LEVL", "info")
    with pytest.raises(SettingsError) as refused:
        read_settings()
    for said in ("PACKSHOT_KAFKA_PARTITIONS: ", "PACKSHOT_BATCH_MAX: ", "did you mean PACKSHOT_LOG_LEVEL?"):
        assert said in str(refused.value)
