"""Weights that people's decisions speak for: found again where they were planted, refused where labels are few."""

import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from schemas import channels, uncertainty
from schemas.channels.rulebook import BadChannel, parse
from schemas.identity import content_id
from schemas.records import ChannelReleased
from streams.commands.calibrate import calibrate
from streams.facts import Database
from streams.flow.gates import edges
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.releases.channels import text_before
from streams.services.review import calibrating, weighing
from streams.services.review.calibrating import Label
from tests.streams.flow import Flow

AMAZON = (resources.files(channels) / "amazon.yaml").read_text()
SURE = {"agreement": 1.0, "left_out_share": 0.0, "see_through_share": 0.0, "plain_background": 1.0}


def measured(random: Random) -> dict[str, float]:
    """A cutout that is plain but for two of its features."""
    found = {**dict.fromkeys(uncertainty.SEEN, 0.0), **SURE}
    found["veiled"], found["faint_edge"] = random.random(), random.random()
    return {f"cutout.{name}": value for name, value in found.items()}


def labels(count: int, random: Random, veiled: float = 0.0, faint_edge: float = 6.0) -> Sequence[Label]:
    """People who take what is veiled, and mind faint edges far more than the weights at work say."""
    made = []
    for number in range(count):
        measures = measured(random)
        plain = {name.removeprefix("cutout."): value for name, value in measures.items()}
        doubt = uncertainty.uncertainty(plain)
        logit = veiled * math.sqrt(plain["veiled"]) + faint_edge * math.sqrt(plain["faint_edge"]) - 4.0
        is_good = random.random() > 1 / (1 + math.exp(-logit))
        made.append(Label(content_id(number), doubt, is_good, measures=measures))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_weights_go_to_where_people_find_fault(seed: int) -> None:
    found = weighing.weighed("amazon", labels(2000, Random(seed)), AMAZON)
    assert found.weights["faint_edge"] > 2 * uncertainty.WEIGHTS["faint_edge"]
    assert found.weights["veiled"] < uncertainty.WEIGHTS["veiled"] / 2
    assert found.weights["ragged"] == pytest.approx(uncertainty.WEIGHTS["ragged"], abs=0.05), "which no label shows"
    assert found.is_better
    assert found.then.wrong < found.now.wrong
    assert found.fitted + found.held_out == 2000


def test_what_is_reported_is_reported_of_labels_that_nothing_was_fitted_on() -> None:
    every = labels(2000, Random(1))
    found = weighing.weighed("amazon", every, AMAZON)
    turned = [Label(each.name, each.doubt, each.is_good != each.is_held_out, measures=each.measures) for each in every]
    against = weighing.weighed("amazon", turned, AMAZON)
    assert against.weights == found.weights
    assert against.then.wrong > 0.5


@pytest.mark.parametrize("count", [0, 60, 200])
def test_few_labels_propose_nothing(count: int) -> None:
    with pytest.raises(Refused) as refused:
        weighing.weighed("amazon", labels(count, Random(0)), AMAZON)
    assert refused.value.code == "too_few_labels"


def test_labels_without_measures_say_nothing() -> None:
    bare = [Label(each.name, each.doubt, each.is_good) for each in labels(2000, Random(0))]
    with pytest.raises(Refused, match="of 0 cutouts"):
        weighing.weighed("amazon", bare, AMAZON)


def test_what_was_doubted_for_something_else_stays_doubtful() -> None:
    (label,) = labels(1, Random(0))
    held = Label(label.name, 1.0, is_good=True, measures=label.measures)  # somebody is seen, or it was solved coarsely
    lenient = replace(uncertainty.SHIPPED, bias=-20.0)
    assert weighing._anew(held, lenient).doubt == 1.0
    assert weighing._anew(label, lenient).doubt < 1e-3


def test_the_rules_that_are_written_are_what_the_gate_goes_by_and_can_be_proposed_on_again() -> None:
    every = labels(2000, Random(0))
    found = weighing.weighed("amazon", every, AMAZON)
    rules = parse(found.text)
    assert (rules.version, found.version) == ("2026-11.1", "amazon@2026-11.1")
    assert rules.uncertainty_weights is not None
    passing = 0
    held_out = [each for each in every if each.is_held_out]
    for each in held_out:
        (check, *_) = edges.checks({**each.measures, uncertainty.SUM: each.doubt}, rules)
        assert (check.limit, check.rule) == ("≤ 0.25", "amazon@2026-11.1")
        passing += check.outcome == "pass"
    assert passing / len(held_out) == pytest.approx(found.then.passes, abs=1e-9)
    again = weighing.weighed("amazon", every, found.text)
    assert again.now == found.then
    assert parse(again.text).version == "2026-11.2"


@pytest.mark.parametrize(
    "rule",
    [
        "{bias: -6}",
        "{bias: .nan, MORE}",
        "{bias: -6, ragged_edge: 1, MORE}",
        "{bias: -6, MORE, ragged: -1}",
        "{bias: -6, MORE, ragged: 1e9}",
        "15",
        "[1, 2]",
    ],
)
def test_weights_that_are_none_are_no_rules(rule: str) -> None:
    more = ", ".join(f"{name}: 1" for name in uncertainty.WEIGHTS if f"{name}:" not in rule)
    with pytest.raises(BadChannel):
        parse(f"{AMAZON}\nuncertainty_weights: {rule.replace('MORE', more)}\n")


def test_where_features_were_not_measured_or_the_alpha_is_the_suppliers_what_was_measured_stays() -> None:
    rules = parse(weighing.weighed("amazon", labels(2000, Random(0)), AMAZON).text)
    plain = measured(Random(0)) | {uncertainty.SUM: 0.01}
    own = plain | {"cutout.has_own_alpha": 1.0}
    bare = {uncertainty.SUM: 0.01}
    assert [edges.checks(each, rules)[0].measured for each in (own, bare)] == [0.01, 0.01]
    assert edges.checks({}, rules)[0].outcome == "not_run"


def test_the_command_refuses_and_writes_no_file(settings: Settings, tmp_path: Path) -> None:
    database = Database(settings.database)
    database.create_tables()
    database.close()
    out = tmp_path / "amazon.yaml"
    options = ["--from-decisions", "--weights", "--channel", "amazon", "--out", str(out)]
    refused = CliRunner().invoke(calibrate, options, obj=settings)
    assert isinstance(refused.exception, Refused)
    assert refused.exception.code == "too_few_labels"
    assert not out.exists()


def test_weights_are_released_and_recalled_like_a_rule(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "amazon.yaml"
    monkeypatch.setattr(calibrating, "labels_of", lambda *_: labels(2000, Random(0)))
    database = Database(settings.database)
    database.create_tables()
    options = ["--from-decisions", "--weights", "--channel", "amazon", "--out", str(out)]
    assert CliRunner().invoke(calibrate, options, obj=settings).exit_code == 0
    flow, text = Flow(database), out.read_text()
    release = ChannelReleased(channel="amazon", version=parse(text).number, text=text, released_at_ms=1)
    flow.say(release)
    assert at_work(database) == parse(text).uncertainty_weights is not None
    recalled = text_before("amazon", [text])  # which `packshot channels withdraw` sends
    flow.say(replace(release, version=parse(recalled).number, text=recalled, released_at_ms=2))
    assert at_work(database) is None
    database.close()


def at_work(database: Database) -> uncertainty.Weights | None:
    with database.read() as facts:
        return facts.recipes.cookbook().rules.load("amazon").uncertainty_weights


def test_the_command_tells_weights_and_effect(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighing, "propose", lambda *_: weighing.weighed("amazon", labels(2000, Random(0)), AMAZON))
    ended = CliRunner().invoke(calibrate, ["--from-decisions", "--weights", "--channel", "amazon"], obj=settings)
    assert ended.exit_code == 0, ended.output
    assert "faint_edge = " in ended.output
    assert "less of that is wrong" in ended.output


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_folder=tmp_path_factory.mktemp("data"))
