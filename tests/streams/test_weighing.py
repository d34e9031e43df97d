"""Weights that people's decisions speak for: found again where they were planted, refused where labels are few."""

import math
from collections.abc import Sequence
from random import Random

import pytest
from click.testing import CliRunner

from gpu_workers.operations.cutout import uncertainty
from schemas.identity import content_id
from streams.commands.calibrate import calibrate
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services import weighing
from streams.services.calibrating import Label

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
    found = weighing.weighed("amazon", labels(2000, Random(seed)), 0.25)
    assert found.weights["faint_edge"] > 2 * uncertainty.WEIGHTS["faint_edge"]
    assert found.weights["veiled"] < uncertainty.WEIGHTS["veiled"] / 2
    assert found.weights["ragged"] == pytest.approx(uncertainty.WEIGHTS["ragged"], abs=0.05), "which no label shows"
    assert found.is_better
    assert found.then.wrong < found.now.wrong
    assert found.fitted + found.held_out == 2000


def test_what_is_reported_is_reported_of_labels_that_nothing_was_fitted_on() -> None:
    every = labels(2000, Random(1))
    found = weighing.weighed("amazon", every, 0.25)
    turned = [Label(each.name, each.doubt, each.is_good != each.is_held_out, measures=each.measures) for each in every]
    against = weighing.weighed("amazon", turned, 0.25)
    assert against.weights == found.weights
    assert against.then.wrong > 0.5


@pytest.mark.parametrize("count", [0, 60, 200])
def test_few_labels_propose_nothing(count: int) -> None:
    with pytest.raises(Refused) as refused:
        weighing.weighed("amazon", labels(count, Random(0)), 0.25)
    assert refused.value.code == "too_few_labels"


def test_labels_without_measures_say_nothing() -> None:
    bare = [Label(each.name, each.doubt, each.is_good) for each in labels(2000, Random(0))]
    with pytest.raises(Refused, match="of 0 cutouts"):
        weighing.weighed("amazon", bare, 0.25)


def test_what_was_doubted_for_something_else_stays_doubtful() -> None:
    (label,) = labels(1, Random(0))
    held = Label(label.name, 1.0, is_good=True, measures=label.measures)  # somebody is seen, or it was solved coarsely
    assert weighing._anew(held, -20.0, uncertainty.WEIGHTS).doubt == 1.0
    assert weighing._anew(label, -20.0, uncertainty.WEIGHTS).doubt < 1e-3


def test_the_command_refuses_and_proposes_no_file(settings: Settings) -> None:
    database = Database(settings.database)
    database.create_tables()
    database.close()
    options = ["--from-decisions", "--weights", "--channel", "amazon"]
    refused = CliRunner().invoke(calibrate, options, obj=settings)
    assert isinstance(refused.exception, Refused)
    assert refused.exception.code == "too_few_labels"
    assert CliRunner().invoke(calibrate, [*options, "--out", "x.yaml"], obj=settings).exit_code == 2


def test_the_command_tells_weights_and_effect(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighing, "propose", lambda *_: weighing.weighed("amazon", labels(2000, Random(0)), 0.25))
    ended = CliRunner().invoke(calibrate, ["--from-decisions", "--weights", "--channel", "amazon"], obj=settings)
    assert ended.exit_code == 0, ended.output
    assert "faint_edge = " in ended.output
    assert "less of that is wrong" in ended.output


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_folder=tmp_path_factory.mktemp("data"))
