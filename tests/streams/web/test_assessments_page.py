"""The page of assessments: what was kept for a tenant is shown to that tenant, and nothing half written is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streams.commands.assess import assess as command
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.assessing import assess as assessing
from streams.services.assessing import kept, report
from streams.services.assessing.assess import Wanted
from streams.web.place import Place
from tests.streams.web.assessed import assessment
from tests.streams.web.conftest import Client

SignIn = Callable[..., Client]
AT = "/desk/demo/assessments"
FILES = {kept.PAGE: b"<!doctype html>", kept.PAPER: b"%PDF-1.7"}


def test_without_one_the_page_says_how(sign_in: SignIn) -> None:
    assert "packshot assess SHOP --tenant demo" in sign_in("demo", role="viewer").get(AT).text


def test_one_is_shown_with_its_figures_pictures_and_files(place: Place, sign_in: SignIn) -> None:
    kept.keep(place.blobs.store, "demo", assessment(), dict(FILES), 5)
    client = sign_in("demo", role="viewer")
    page = client.get(AT).text
    for shown in (
        "&lt;b&gt;shop&lt;/b&gt;",
        "1,234",
        "67%",
        "goes live",
        "&lt;i&gt;none&lt;/i&gt;",
        "&lt;i&gt;Bob&lt;/i&gt;",
    ):
        assert shown in page
    for markup in ("<b>shop", "<i>none", "<i>Bob"):
        assert markup not in page
    assert page.count("assessments/picture?") == 3, "what could not be made has no picture"
    paper = client.get(f"{AT}/file?at=5&file=pdf")
    assert (paper.content, paper.headers["content-type"]) == (FILES[kept.PAPER], "application/pdf")
    whole = client.get(f"{AT}/file?at=5&file=html")
    assert whole.content == FILES[kept.PAGE]
    assert whole.headers["content-disposition"].startswith("attachment"), "a page from elsewhere is not opened here"
    picture = client.get(f"{AT}/picture?at=5&n=0&side=after")
    assert picture.content[8:12] == b"WEBP"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("file?at=6&file=pdf", 404),
        ("file?at=5&file=figures", 400),
        ("file?at=-1&file=pdf", 400),
        ("file?at=../../x&file=pdf", 400),
        ("picture?at=5&n=1&side=after", 404),
        ("picture?at=5&n=99&side=before", 404),
    ],
)
def test_what_there_is_not_is_an_answer(place: Place, sign_in: SignIn, query: str, status: int) -> None:
    kept.keep(place.blobs.store, "demo", assessment(), dict(FILES), 5)
    assert sign_in("demo").get(f"{AT}/{query}").status_code == status


def test_another_tenant_sees_none_of_it(place: Place, sign_in: SignIn) -> None:
    kept.keep(place.blobs.store, "demo", assessment("their catalogue"), dict(FILES), 5)
    client = sign_in("other")
    assert "their catalogue" not in client.get("/desk/other/assessments").text
    assert client.get("/desk/other/assessments/file?at=5&file=pdf").status_code == 404
    assert client.get(f"{AT}/file?at=5&file=pdf").status_code == 404


def test_the_newest_is_shown_first_and_any_may_be_chosen(place: Place, sign_in: SignIn) -> None:
    for at_ms in range(1, kept.KEPT + 3):
        kept.keep(place.blobs.store, "demo", assessment(f"shop number {at_ms}"), dict(FILES), at_ms)
    assert [each.made_at_ms for each in kept.newest(place.blobs.store, "demo")] == list(range(kept.KEPT + 2, 2, -1))
    client = sign_in("demo")
    assert f"shop number {kept.KEPT + 2} " in client.get(AT).text
    assert "shop number 7 " in client.get(f"{AT}?at=7").text
    assert "There is no assessment of that time" in client.get(f"{AT}?at=1").text
    assert not list(place.blobs.store.keys("assessments/demo/0000000000001/")), "the oldest are forgotten"


def test_what_is_half_written_or_from_another_version_is_not_shown(place: Place, sign_in: SignIn) -> None:
    store = place.blobs.store
    store.put("assessments/demo/0000000000008/assessment.html", b"x")
    store.put("assessments/demo/0000000000009/figures.json", b'{"source": 3}')
    kept.keep(store, "demo", assessment(), dict(FILES), 5)
    assert [each.made_at_ms for each in kept.newest(store, "demo")] == [5]
    assert sign_in("demo").get(AT).status_code == 200


def test_the_command_keeps_one_for_a_tenant_and_else_none(
    settings: Settings, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = assessment()
    monkeypatch.setattr(report, "assess", lambda *_: found)
    monkeypatch.chdir(tmp_path)
    plain = CliRunner().invoke(command, ["shop"], obj=settings, catch_exceptions=False)
    assert plain.exit_code == 0
    assert kept.newest(place.blobs.store, "demo") == []
    named = CliRunner().invoke(command, ["shop", "--tenant", "demo"], obj=settings, catch_exceptions=False)
    assert named.exit_code == 0
    (told,) = kept.newest(place.blobs.store, "demo")
    assert (told.source, told.wrong, [each.after for each in told.made]) == (found.source, 2, [True, False])
    assert kept.file(place.blobs.store, "demo", told.made_at_ms, kept.PAPER).startswith(b"%PDF-")


@pytest.mark.parametrize("tenant", ["", "../x", "a/b", "*"])
def test_a_name_that_no_tenant_has_is_refused_before_anything_is_looked_at(
    tenant: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked(*_: Any) -> None:
        raise AssertionError("it looks")

    monkeypatch.setattr(assessing, "products_of", looked)
    with pytest.raises(Refused) as refusal:
        report.write(settings, Wanted("shop", tmp_path, tenant=tenant), lambda *_: None)
    assert (refusal.value.code, refusal.value.field) == ("bad_tenant", "tenant")
