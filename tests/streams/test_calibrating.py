"""Limits that people's decisions speak for: chosen on one half of them, told of the other, released like a rule."""

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from schemas import channels
from schemas.channels.rulebook import parse
from schemas.identity import content_id
from streams.commands.calibrate import calibrate
from streams.facts import Database
from streams.flow.gates import edges
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.review import calibrating, sampling
from streams.services.review.calibrating import Label
from tests.streams.case_flow import CHANNELS, case_of, decision, requested_reviews, retouch
from tests.streams.flow import Flow, Recorder, upsert
from tests.streams.test_sampling import events, live

AMAZON = (resources.files(channels) / "amazon.yaml").read_text()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    opened = Database(settings.database)
    opened.create_tables()
    yield opened
    opened.close()


def labels(count: int, wrong_from: float, random: Random) -> list[Label]:
    """Cutouts of which those are good whose doubt is less, but for one in fifty."""
    made = []
    for number in range(count):
        doubt = random.random()
        made.append(Label(content_id(number), doubt, (doubt < wrong_from) != (random.random() < 0.02)))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_the_limit_is_where_people_begin_to_refuse(seed: int) -> None:
    found = calibrating.proposal("amazon", AMAZON, labels(2000, 0.5, Random(seed)), 0.04)
    assert found.then.limit == pytest.approx(0.51, abs=0.04)
    assert found.then.passes > found.now.passes
    assert found.then.wrong_from <= 0.04
    assert found.is_better
    assert found.fitted + found.held_out == 2000
    rules = parse(found.text)
    assert (rules.uncertainty_max, rules.version) == (found.then.limit, "2026-11.1")
    again = calibrating.proposal("amazon", found.text, labels(2000, 0.5, Random(seed)), 0.04)
    assert parse(again.text).version == "2026-11.2"
    assert again.now.limit == found.then.limit


def test_where_the_gates_err_the_limit_falls() -> None:
    found = calibrating.proposal("amazon", AMAZON, labels(2000, 0.1, Random(1)), 0.04)
    assert found.then.limit < 0.25
    assert found.then.wrong < found.now.wrong
    assert found.is_better


@pytest.mark.parametrize(("count", "wrong_from"), [(99, 0.5), (400, 0.0), (400, 1.0)])
def test_few_decisions_propose_nothing(count: int, wrong_from: float) -> None:
    with pytest.raises(Refused) as refused:
        calibrating.proposal("amazon", AMAZON, labels(count, wrong_from, Random(0)), 0.04)
    assert refused.value.code == "too_few_labels"


def test_of_a_sample_each_counts_for_as_many_as_it_was_drawn_from() -> None:
    one = [Label("a", 0.1, is_good=False, counts=1), Label("b", 0.1, is_good=True, counts=9)]
    assert calibrating.effect(one, 0.5).wrong == pytest.approx(0.1)


def test_labels_are_what_people_said(database: Database) -> None:
    flow = Flow(database)
    reviews = requested_reviews(flow, upsert(sku="A", channels=CHANNELS))
    flow.say(decision(reviews))
    live(flow)
    with database.read() as facts:
        (labels,) = calibrating.labels_of("amazon", facts)
        assert (labels.name, labels.doubt, labels.is_good) == (case_of(reviews), 0.5, True)
        assert list(calibrating.labels_of("walmart", facts)) == []


def test_what_somebody_mended_was_no_good(database: Database) -> None:
    flow = Flow(database)
    case_id = case_of(requested_reviews(flow, upsert(channels=CHANNELS)))
    flow.say(retouch(case=case_id))
    with database.read() as facts:
        (labels,) = calibrating.labels_of("amazon", facts)
    assert not labels.is_good


def test_second_looks_are_labels(database: Database) -> None:
    flow, recorder = Flow(database), Recorder()
    live(flow)
    with database.read() as facts:
        found = next(each for each in sampling.sample("demo", facts).passed if each.channel == "amazon")
    sampling.look(database, recorder, "demo", found.digest, "ada", False, "the edge")
    flow.say(events(recorder)[-1])
    with database.read() as facts:
        (labels,) = calibrating.labels_of("amazon", facts)
    assert (labels.is_good, labels.counts) == (False, 1)


def test_a_channels_own_limit_counts_and_is_its_rules() -> None:
    measures = {"cutout.uncertainty": 0.3, "alpha_partial_share": 0.1, "alpha_coverage": 0.5}
    shipped = parse(AMAZON)
    taught = parse(AMAZON + "\nuncertainty_max: 0.4\n")
    assert edges.checks(measures, shipped)[0].outcome == "review"
    first = edges.checks(measures, taught)[0]
    assert (first.outcome, first.limit, first.rule) == ("pass", "≤ 0.4", "amazon@2026-11")
    assert edges.checks({}, taught)[0].outcome == "not_run"


def test_the_command_writes_rules_and_releases_nothing(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = CliRunner().invoke(calibrate, ["--from-decisions", "--channel", "amazon"], obj=settings)
    assert isinstance(refused.exception, Refused)
    monkeypatch.setattr(calibrating, "labels_of", lambda *_: labels(400, 0.5, Random(0)))
    file = tmp_path / "amazon.yaml"
    arguments = ["--from-decisions", "--channel", "amazon", "--out", str(file), "--json"]
    ran = CliRunner().invoke(calibrate, arguments, obj=settings)
    assert ran.exit_code == 0, ran.output
    assert parse(file.read_text()).uncertainty_max == json.loads(ran.stdout)["then"]["limit"]
    with database.read() as facts:
        assert facts.recipes.cookbook().rules.load("amazon").uncertainty_max is None
