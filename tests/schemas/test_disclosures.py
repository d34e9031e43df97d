"""Disclosure rules: dated, with a source; what applies to what is made, and what the ledger may say."""

import datetime
from pathlib import Path

import pytest

from schemas.disclosures.applying import MADE, Rule, RuleFile, applied, argued, duties, made_as, shipped
from schemas.disclosures.ledger import NONE_GENERATED, ledger
from schemas.records import Action, Provenance

NOW_MS = int(datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC).timestamp() * 1000)
CUTOUT = Action(operation="cutout", model="u2netp@1", model_sha256="ab" * 32)
MOCKUP = Action(operation="mockup", parameters={"scene": "kitchen"})
RULES = [(file, rule) for file in shipped() for rule in file.rules]


def provenance(source_type: str, *actions: Action, people: bool | None = False) -> Provenance:
    return Provenance(actions=[CUTOUT, *actions], source_type=source_type, people=people)


def which(provenance: Provenance, channel: str = "web", at_ms: int = NOW_MS) -> set[str]:
    models = [each.model for each in provenance.actions if each.model]
    return {
        each.rule.partition("@")[0] + "/" + each.rule.rpartition("/")[2]
        for each in duties(made_as(provenance, models), channel, at_ms)
    }


@pytest.mark.parametrize(
    ("source_type", "actions"),
    [
        ("digitalCapture", []),
        ("algorithmicallyEnhanced", []),
        ("composite", [MOCKUP]),
        ("compositeSynthetic", [MOCKUP]),
    ],
)
@pytest.mark.parametrize("channel", ["amazon", "google", "instagram", "web"])
def test_what_no_network_generated_has_nothing_to_tell(source_type: str, actions: list[Action], channel: str) -> None:
    assert which(provenance(source_type, *actions), channel) == set()


def test_a_generated_background_is_disclosed_everywhere_with_the_generated_duty() -> None:
    found = which(provenance("compositeWithTrainedAlgorithmicMedia"), "google")
    assert {"eu-ai-act/mark", "eu-ai-act/label-scene", "cn-gb-45438/metadata", "google-merchant/source-type"} <= found
    assert "ny-396-b/synthetic-performer-in-scene" not in found, "nobody is in it"
    assert "eu-ai-act/label-people" not in found


def test_a_virtual_model_is_disclosed_as_one_though_no_network_made_it() -> None:
    worn = Provenance(
        actions=[CUTOUT, Action(operation="model")], source_type="compositeSynthetic", people=True, virtual=True
    )
    assert which(worn) == {"ny-396-b/virtual-model", "kr-kftc/virtual-person"}
    assert ledger(worn, ["u2netp@1"]).statement == NONE_GENERATED
    assert "It is a product on a virtual model" in " ".join(argued(made_as(worn, ["u2netp@1"])))


def test_people_who_were_not_looked_for_may_be_there() -> None:
    for people in (True, None):
        found = which(provenance("trainedAlgorithmicMedia", people=people))
        assert {"ny-396-b/synthetic-performer", "kr-kftc/virtual-person", "eu-ai-act/label-people"} <= found


def test_a_network_that_enlarges_is_marked_with_care_and_not_generative() -> None:
    enlarged = provenance("algorithmicallyEnhanced", Action(operation="upscale", model="x4@1"))
    found = which(enlarged)
    assert {"eu-ai-act/mark-enhanced", "cn-gb-45438/metadata-enhanced", "ads/dv360"} == found - {
        "ca-sb-942/latent",
        "ads/google-ads",
    }
    assert not any("label" in each for each in found)
    assert ledger(enlarged, ["u2netp@1", "x4@1"]).statement == NONE_GENERATED


def test_a_rule_holds_from_its_day_on() -> None:
    generated = provenance("trainedAlgorithmicMedia")
    day = int(datetime.datetime(2026, 8, 1, 23, 59, tzinfo=datetime.UTC).timestamp() * 1000)
    assert "eu-ai-act/mark" not in which(generated, at_ms=day)
    assert "eu-ai-act/mark" in which(generated, at_ms=day + 60_000)


def test_an_operation_that_is_not_known_is_taken_to_generate() -> None:
    painted = provenance("digitalCapture", Action(operation="paint", model="sd@3"))
    assert ledger(painted, ["u2netp@1", "sd@3"]).generative == ("sd@3",)
    assert "eu-ai-act/mark" in which(painted), "whatever the file says of itself"


def test_what_was_not_noted_is_not_said() -> None:
    for provenance in (None, Provenance(), Provenance(actions=[CUTOUT])):
        found = ledger(provenance, ["u2netp@1", "another@2"])
        assert found.generative is None
        assert NONE_GENERATED not in found.statement
    assert ledger(Provenance(), []).statement == NONE_GENERATED


def test_every_rule_says_where_it_is_from_and_of_which_day() -> None:
    known = {each.stem for each in (Path(__file__).parents[2] / "schemas" / "channels").glob("*.yaml")}
    for file, rule in RULES:
        assert file.source, file.name
        assert file.jurisdiction, file.name
        assert rule.why.endswith("."), rule.id
        assert rule.since <= file.found <= datetime.date(2026, 12, 31), rule.id
        assert set(rule.channels) <= known, rule.id
        if rule.kind != "mark":
            assert rule.fields, f"{file.name}/{rule.id}: what is to be sent or shown"
    names = [f"{file.name}/{rule.id}" for file, rule in RULES]
    assert len(names) == len(set(names))


def test_each_is_argued_in_sentences_also_those_that_do_not_apply() -> None:
    made = made_as(provenance("composite", MOCKUP), ["u2netp@1"])
    rules = applied(made, "google", NOW_MS)
    assert rules
    assert all(each.why.startswith("Not asked: it is about") for each in rules)
    assert "No generative model took part." in [*argued(made)]


@pytest.mark.parametrize("made", MADE)
def test_every_kind_of_picture_can_be_argued(made: str) -> None:
    terms = {"generated": "trainedAlgorithmicMedia", "rendered": "composite"}
    assert all(each.endswith(".") for each in argued(made_as(provenance(terms.get(made, "")), ["u2netp@1"])))


def test_rules_are_structs_that_refuse_what_they_do_not_know() -> None:
    import msgspec

    with pytest.raises(msgspec.ValidationError, match="made"):
        msgspec.convert({"id": "x", "kind": "mark", "made": [], "why": "w", "since": "2026-01-01"}, Rule)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"name": "x", "rulez": []}, RuleFile)
