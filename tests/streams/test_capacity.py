"""The capacity calculator: every figure is used and has its source, ranges hold what they say, bad input is named."""

import json
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from streams.commands.capacity import Count
from streams.commands.capacity import capacity as command
from streams.runtime.errors import Refused
from streams.services.capacity import Asked, Capacity, Need, capacity, load
from streams.services.capacity.figures import FILE

ASKED = Asked(products=2_000_000, changes=300_000, gpu="h100")


def need(found: Capacity, group: str, name: str) -> Need:
    [one] = [each for each in found.needs if (each.group, each.name) == (group, name)]
    return one


def test_every_figure_is_used_and_every_need_says_by_which() -> None:
    figures = load()
    used = set(capacity(ASKED, figures).figures) | set(capacity(Asked(1, 1), figures).figures)
    known = {f"{part}.{name}" for part in ("measured", "prices") for name in getattr(figures, part)}
    assert used == known | {"gpus.h100"}
    for each in capacity(ASKED, figures).needs:
        assert each.by or each.name in ("changes", "partitions", "in all"), each.name
        assert 0 <= each.low <= each.high, each.name


def test_measured_figures_name_what_measured_them() -> None:
    for name, figure in load().measured.items():
        assert "make bench-" in figure.source or "footprint" in figure.source or "README.md" in figure.source, name
    assert all(figure.read for part in (load().prices, load().gpus) for figure in part.values())


def test_a_gpu_that_nobody_timed_is_a_range_and_says_so() -> None:
    never = capacity(ASKED, load())
    workers = need(never, "processes", "workers of the pool cutout")
    assert workers.low < workers.high
    assert any("h100" in note and "timed" in note for note in never.notes)


def test_a_gpu_that_was_timed_is_counted_by_that(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    timed = {"low": 0.5, "high": 0.5, "unit": "s of a GPU", "source": "ours"}
    own.write_text(yaml.safe_dump({"engine": {"h100": timed}}))
    found = capacity(ASKED, load(own))
    # 300,000 a day at three times the mean, 0.5 s each, 85 % used
    assert need(found, "processes", "workers of the pool cutout").high == 7
    assert not any("timed" in note for note in found.notes)


def test_twice_the_changes_are_twice_the_work_and_more_of_everything() -> None:
    once, twice = (capacity(Asked(2_000_000, changes, "h100"), load()) for changes in (300_000, 600_000))
    for before, after in zip(once.needs, twice.needs, strict=True):
        assert after.low >= before.low
        assert after.high >= before.high
    assert need(twice, "month", "GPUs").high == pytest.approx(2 * need(once, "month", "GPUs").high)


def test_no_group_has_more_members_than_partitions() -> None:
    found = capacity(ASKED, load())
    partitions = need(found, "topics", "partitions")
    assert partitions.high >= max(each.high for each in found.needs if each.group == "processes")
    assert partitions.low >= max(each.low for each in found.needs if each.group == "processes")


def test_without_a_gpu_nobody_pays_for_one() -> None:
    found = capacity(Asked(1000, 100), load())
    assert not [each for each in found.needs if each.name == "GPUs"]
    assert need(found, "processes", "workers of the pool cutout").low == 1


@pytest.mark.parametrize(
    ("said", "field", "why"),
    [
        ("prices: {core: {low: 1, high: 1, unit: USD, source: ours}}", "prices.core", "no figure"),
        ("prices: {core_hour: {low: 1, high: 1, unit: EUR an hour, source: ours}}", "prices.core_hour.unit", "USD"),
        ("prices: {core_hour: {low: 2, high: 1, unit: USD an hour, source: ours}}", "prices", "no range"),
        ("prices: {core_hour: {low: -1, high: 1, unit: USD an hour, source: ours}}", "prices", ">= 0.0"),
        ("prices: {core_hour: {low: 1, high: .inf, unit: USD an hour, source: ours}}", "prices", "no range"),
        ("prices: {core_hour: {low: 1, high: 1, unit: USD an hour}}", "prices", "source"),
        ("gpu: {}", "prices", "gpu"),
        ("[1", "prices", "own.yaml"),
        ("\x00", "prices", "own.yaml"),
    ],
)
def test_a_file_of_prices_that_cannot_be_names_what_is_wrong(tmp_path: Path, said: str, field: str, why: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(said)
    with pytest.raises(Refused, match=why) as refused:
        load(own)
    assert refused.value.field == field


def test_a_gpu_without_a_price_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(Refused, match="h100") as refused:
        capacity(Asked(1, 1, "l4"), load())
    assert refused.value.field == "gpu"


@pytest.mark.parametrize(
    ("said", "count"), [("300000", 300_000), ("300k", 300_000), ("2.5M", 2_500_000), ("1G", 10**9)]
)
def test_counts_are_read(said: str, count: int) -> None:
    assert Count().convert(said, None, None) == count


@pytest.mark.parametrize("said", ["0", "-1", "1e9", "nan", "2 M", "2m", "9999999G", "", "１"])
def test_what_is_no_count_is_refused(said: str) -> None:
    done = CliRunner().invoke(command, ["--products", said, "--changes-per-day", "1"])
    assert done.exit_code == 2
    assert "--products" in done.output


@pytest.mark.parametrize("option", ["--assets", "--peak", "--years"])
@pytest.mark.parametrize("said", ["nan", "inf", "-1", "1e400"])
def test_what_is_no_number_is_refused(option: str, said: str) -> None:
    done = CliRunner().invoke(command, ["--products", "1", "--changes-per-day", "1", option, said])
    assert done.exit_code == 2
    assert option in done.output


def test_the_command_tells_the_same_as_text_and_as_json() -> None:
    asked = ["--products", "2M", "--changes-per-day", "300k", "--gpu", "h100"]
    told = json.loads(CliRunner().invoke(command, [*asked, "--json"]).stdout)
    assert told == json.loads(msgspec.json.encode(capacity(ASKED, load())))
    text = CliRunner().invoke(command, asked).stdout
    for each in told["needs"]:
        assert each["name"] in text
    for name in told["figures"]:
        assert name in text
    assert all(note in text for note in told["notes"])


def test_figures_are_data() -> None:
    assert set(yaml.safe_load(FILE.read_text())) == {"measured", "prices", "gpus"}
