"""Mockups of several products: the others that a recipe names, by the cut-outs and heights that the facts know."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.operations.base import BadParameters
from schemas.operations.mockup import MockupParameters
from schemas.records import (
    CampaignRequested,
    CatalogChanged,
    ModelReleased,
    RecipeReleased,
    Task,
    TaskCompleted,
)
from streams.facts import Database
from tests.streams.flow import Flow, blob, done, tasks, upsert

TOGETHER = """\
name: together
version: 1
steps:
  - operation: cutout
    next:
      - {operation: mockup, each: channel, parameters: {others: "CUP, JUG"}}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    flow = Flow(database)
    flow.say(RecipeReleased(recipe="together", version=1, text=TOGETHER, released_at_ms=1))
    yield flow
    database.close()


UNWRITTEN = {"overlay_words": 0.0, "watermark_words": 0.0}


def product(sku: str, height_cm: str, version: int = 1) -> CatalogChanged:
    return replace(upsert(version, sku, ["shopify"], f"{sku}-{version}.jpg"), attributes={"height_cm": height_cm})


def cut_out(
    flow: Flow, event: CatalogChanged, digest: str, model: str = "net@1", doubt: float = 0.1, skin: float = 0.0
) -> None:
    (task,) = tasks(flow.say(event))
    made = replace(done(task, uncertainty=doubt, person_share=skin, **UNWRITTEN), outputs=[blob(digest)], model=model)
    flow.say(made)


def completed_task(flow: Flow, sku: str = "POT") -> TaskCompleted:
    """The completion of the cut-out of a product that is wanted with the others."""
    if sku == "POT":
        flow.say(product("POT", "20"))
    wanted = CampaignRequested(tenant="demo", campaign="x", skus=[sku], recipe="together", channels=["shopify"])
    (task,) = tasks(flow.say(wanted))
    return replace(done(task, uncertainty=0.05, person_share=0.0, **UNWRITTEN), model="net@2")


def mockup(flow: Flow, event: TaskCompleted) -> Task:
    (task,) = tasks(flow.say(event))
    return task


def test_the_others_stand_beside_it_as_they_are_cut_out_now(flow: Flow) -> None:
    cut_out(flow, product("CUP", "9.50"), "c", doubt=0.2, skin=0.3)
    cut_out(flow, product("JUG", "31"), "d")
    completed = completed_task(flow)
    task = mockup(flow, completed)
    assert [each.digest[0] for each in task.inputs] == ["a", "c", "d"]
    assert task.step.parameters == {"height_cm": "20", "others.height_cm": "9.5,31"}
    assert task.models == ["net@1", "net@2"], "a recall of either finds it"
    assert task.measures["cutout.uncertainty"] == 0.2, "the gates judge the most doubtful"
    assert task.measures["cutout.person_share"] == 0.3, "and whoever is seen with one of them"
    assert mockup(flow, completed) == task
    cut_out(flow, product("CUP", "9.50", version=2), "e")
    again = mockup(flow, completed)
    assert [each.digest[0] for each in again.inputs] == ["a", "e", "d"]
    assert again.task_id != task.task_id
    (request, *_) = flow.say(done(again))
    assert type(request).__name__ == "PublishRequested", "it is planned as it was made"


def test_one_that_is_in_the_list_itself_is_not_beside_itself(flow: Flow) -> None:
    cut_out(flow, product("CUP", "9.5"), "c")
    cut_out(flow, product("JUG", "31"), "d")
    task = mockup(flow, completed_task(flow, "CUP"))
    assert ([each.digest[0] for each in task.inputs], task.step.parameters["others.height_cm"]) == (["a", "d"], "31")


def test_one_that_is_not_there_is_reported_and_the_picture_comes_when_it_is(flow: Flow) -> None:
    cut_out(flow, product("CUP", "9.5"), "c")
    completed = completed_task(flow)
    assert flow.letters(completed) == [("imagery.retry.1000ms", "unknown_other")]
    flow.say(product("JUG", "31"))
    assert flow.letters(completed) == [("imagery.retry.1000ms", "no_cutout")]
    assert flow.letters(completed, attempt=1) == [("imagery.dead", "no_cutout")]
    (asset,) = [each for each in flow.assets("POT") if each.campaign == "x"]
    assert (asset.state, asset.reason) == ("failed", "no_cutout: JUG beside it is not cut out yet")
    cut_out(flow, product("JUG", "31", version=2), "d")
    flow.say(done(mockup(flow, completed)))
    assert flow.states("POT")["x.shopify-1"] == "publishing"


def test_a_missing_height_is_refused_for_good(flow: Flow) -> None:
    cut_out(flow, product("CUP", "9.5"), "c")
    cut_out(flow, replace(product("JUG", "31"), attributes={}), "d")
    completed = completed_task(flow)
    assert flow.letters(completed) == [("imagery.dead", "missing_attribute")]
    (asset,) = [each for each in flow.assets("POT") if each.campaign == "x"]
    assert asset.reason.startswith("missing_attribute: JUG beside it: how tall")


def test_a_cut_out_of_a_recalled_network_is_none(flow: Flow) -> None:
    cut_out(flow, product("CUP", "9.5"), "c")
    cut_out(flow, product("JUG", "31"), "d", model="u2netp@1")
    completed = completed_task(flow)
    recall = ModelReleased(operation="cutout", model="u2netp@1", stage="withdrawn", recall=True, released_at_ms=1)
    flow.say(recall)
    assert flow.letters(completed) == [("imagery.retry.1000ms", "no_cutout")]


@pytest.mark.parametrize("values", [{"others": "CUP", "others.height_cm": "9"}, {"others": "CUP,CUP"}, {"others": ""}])
def test_others_that_cannot_be_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(BadParameters, match="others") as refused:
        MockupParameters.parse(values)
    assert refused.value.field in values


def test_parameters_that_no_mockup_has_are_reported(flow: Flow) -> None:
    completed = completed_task(flow)
    (step,) = completed.task.step.next
    odd = replace(step, parameters={"others": "CUP", "../x": "1"})
    foreign = replace(completed, task=replace(completed.task, step=replace(completed.task.step, next=[odd])))
    assert flow.letters(foreign) == [("imagery.dead", "bad_parameters")]
