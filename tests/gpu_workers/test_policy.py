import pytest
from msgspec.structs import replace

from gpu_workers.models.manifest import UnknownModel, load_manifest
from gpu_workers.models.policy import split_by_policy
from schemas.records import ModelReleased
from streams.runtime.settings import Settings, SettingsError

MODELS = [replace(load_manifest("u2netp@1"), name="net", version=version) for version in ("1", "2", "10")]
RECALL = ModelReleased(operation="cutout", model="net@10", stage="withdrawn", recall=True, released_at_ms=2)
STABLE = ModelReleased(operation="cutout", model="net@2", stage="stable", released_at_ms=1)


@pytest.mark.parametrize(
    ("policy", "stable", "kept"),
    [
        ("released", ("net@2", "net@1"), 1),
        ("net@10", ("net@10",), 1),
        ("net:latest-2", ("net@10", "net@2", "net@1"), 2),
    ],
)
def test_a_policy_says_which_models_are_ready(policy: str, stable: tuple[str, ...], kept: int) -> None:
    split = split_by_policy(policy, "net@1", [STABLE], MODELS)
    assert (split.stable, split.kept) == (stable, kept)


@pytest.mark.parametrize("policy", ["net@10", "net:latest-2"])
def test_a_recalled_model_works_by_no_policy(policy: str) -> None:
    assert "net@10" not in split_by_policy(policy, "net@1", [RECALL], MODELS).stable


def test_the_latest_of_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UnknownModel, match="'other'"):
        split_by_policy("other:latest-1", "net@1", [], MODELS)


@pytest.mark.parametrize("policy", ["net", "net@", "net:latest-0", "net:newest", "@1", ""])
def test_a_setting_that_is_no_policy_is_refused(policy: str) -> None:
    with pytest.raises(SettingsError, match="PACKSHOT_CUTOUT_MODEL"):
        Settings(cutout_model=policy)
