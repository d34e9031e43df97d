"""Settings: what the environment says, and what is given."""

import pytest

from streams.runtime.settings import Settings, SettingsError, read_settings


def test_the_environment_counts_in_any_case_and_what_is_given_counts_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("packshot_kafka_partitions", "7")
    monkeypatch.setenv("PACKSHOT_RETRY_DELAYS_MS", "20, 10")
    monkeypatch.setenv("PACKSHOT_SOURCE_BUCKETS", "a,b")
    settings = read_settings()
    assert (settings.kafka_partitions, settings.retry_delays, settings.source_buckets) == (7, (10, 20), ["a", "b"])
    assert Settings(kafka_partitions=3).kafka_partitions == 3
    assert Settings.model_validate({"kafka_partitions": 5}).kafka_partitions == 5


def test_every_wrong_setting_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKSHOT_KAFKA_PARTITIONS", "none")
    monkeypatch.setenv("PACKSHOT_BATCH_MAX", "-1")
    monkeypatch.setenv("PACKSHOT_LOG_LEVL", "info")
    with pytest.raises(SettingsError) as told:
        read_settings()
    for said in ("PACKSHOT_KAFKA_PARTITIONS: ", "PACKSHOT_BATCH_MAX: ", "did you mean PACKSHOT_LOG_LEVEL?"):
        assert said in str(told.value)
