"""`packshot assess`: what is read of a shop, what is called wrong, what is counted, and what the page shows of it."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from gpu_workers.local.looking import Seen
from schemas.channels import load
from schemas.records import Check, Verdict
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.assessing import assess as assessing
from streams.services.assessing import faults, kept, report
from streams.services.assessing.assess import Wanted
from streams.services.assessing.estimate import Business, Range, estimate, read_business, share_of
from streams.services.assessing.faults import KINDS
from streams.services.assessing.listing import Product, products_of
from streams.services.assessing.paper import Paper
from streams.services.assessing.remembered import Remembered

SOUND = {
    "ground_exact_share": 1.0,
    "ground_near_share": 1.0,
    "ground_red": 255.0,
    "ground_green": 255.0,
    "ground_blue": 255.0,
    "fill": 0.87,
    "cropped_edges": 0.0,
    "person_share": 0.0,
    "words_over": 0.0,
    "detail_scale": 1.0,
    "jpeg_quality": 90.0,
}


def seen(digest: str = "a", measures: Mapping[str, float] = {}, **other: Any) -> Seen:
    about = {
        "sha256": digest * 64,
        "media_type": "image/jpeg",
        "width_px": 1600,
        "height_px": 1600,
        "size_bytes": 200_000,
        "is_srgb": True,
        "looks_like": hash(digest) & 0xFFFFFFFF,
        "colour": (200, 200, 200),
        "measures": {**SOUND, **measures},
    }
    return Seen(**(about | other))  # type: ignore[arg-type]


def kinds(found: Seen, channel: str = "amazon", *, is_main: bool = True) -> list[str]:
    return sorted(fault.kind for fault in faults.of_picture(found, load(channel), is_main=is_main))


def test_a_sound_picture_has_no_fault() -> None:
    assert kinds(seen()) == []


@pytest.mark.parametrize(
    ("measures", "other", "kind"),
    [
        ({"ground_exact_share": 0.5}, {}, "background"),
        ({"ground_red": 250.0}, {}, "background"),
        ({"fill": 0.5}, {}, "fill"),
        ({"cropped_edges": 1.0}, {}, "cropped"),
        ({"person_share": 0.2}, {}, "person"),
        ({"words_over": 1.0}, {}, "text"),
        ({"detail_scale": 0.4}, {}, "soft"),
        ({"jpeg_quality": 40.0}, {}, "damaged"),
        ({}, {"width_px": 300}, "too_small"),
        ({}, {"height_px": 20_000}, "too_large"),
        ({}, {"size_bytes": 20_000_000}, "file_size"),
        ({}, {"media_type": "image/webp"}, "format"),
        ({}, {"is_srgb": False}, "colours"),
    ],
)
def test_each_kind_is_reported(measures: dict[str, float], other: dict[str, Any], kind: str) -> None:
    assert kinds(seen(measures=measures, **other)) == [kind]
    assert kind in KINDS


def test_a_second_picture_may_be_a_scene_worn_and_close_by() -> None:
    scene = seen(
        measures={"ground_exact_share": 0.0, "fill": 1.0, "cropped_edges": 4.0, "person_share": 0.3, "words_over": 2.0}
    )
    assert kinds(scene, is_main=False) == []
    assert kinds(seen(measures={"detail_scale": 0.3}, width_px=200), is_main=False) == ["soft", "too_small"]


def test_a_channel_that_wants_no_ground_of_its_own_says_nothing_of_it() -> None:
    assert "background" not in kinds(seen(measures={"ground_exact_share": 0.1}), "instagram")


def test_what_a_product_or_two_of_them_show_twice_is_reported() -> None:
    first, other = seen("a", looks_like=0b1111), seen("b", looks_like=0b1111 << 20)
    again = seen("c", looks_like=0b1110)
    assert faults.of_product({0: first, 1: other, 3: again}) == {3: faults.Fault("twice", text="as picture 1")}
    red = seen("d", looks_like=0b1111, colour=(250, 100, 100))
    assert faults.of_product({0: first, 1: red}) == {}, "another colour of it"
    shared = faults.shared({"A": {0: first}, "B": {0: other, 2: first}})
    assert shared == {("B", 2): faults.Fault("shared", text="as A")}


def test_a_product_in_fewer_pictures_than_are_advised_or_usual_misses_views() -> None:
    google, walmart = load("google"), load("walmart")
    usual = faults.usual({"Mugs": [3, 3, 1, 4, 3], "Lamps": [9, 9, 1, 9]})
    assert usual == {"Mugs": 3, "Lamps": 1}, "of four lamps nothing is usual"
    lacks = faults.of_views(1, usual["Mugs"], google)
    assert lacks is not None
    assert (lacks.kind, lacks.rule, lacks.measured, lacks.limit) == ("views", "", 1, "≥ 3")
    advised = faults.of_views(3, usual["Mugs"], walmart)
    assert advised is not None
    assert (advised.rule, advised.limit) == (walmart.rule_version, "≥ 4")
    assert faults.of_views(4, usual["Mugs"], walmart) is None
    assert faults.of_views(3, usual["Mugs"], google) is None
    assert faults.of_views(0, 3, google) is None, "of no picture at all another line tells"


# what a shop shows


def picture(path: Path, side_px: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side_px, side_px), "white").save(path)
    return path


def test_a_folder_is_read_by_its_folders_and_its_names(tmp_path: Path) -> None:
    for name in ("mug-1.png", "mug-2.png", "lamp.png", "chair/front.png", "chair/back.png"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("nothing")
    shelf = products_of(Settings(), str(tmp_path))
    assert {each.sku: len(each.pictures) for each in shelf.products} == {"chair": 2, "lamp": 1, "mug": 2}


def test_a_feed_is_read_with_its_addresses_beside_it(tmp_path: Path) -> None:
    feed = tmp_path / "feed.tsv"
    feed.write_text(
        "id\ttitle\timage link\tadditional image link\nA\tMug\thttps://x.example/a.jpg\tb.jpg\n\tnone\tc\t\n"
    )
    shelf = products_of(Settings(), str(feed))
    (mug,) = shelf.products
    assert mug.pictures == ("https://x.example/a.jpg", (tmp_path / "b.jpg").as_uri())
    assert mug.channels == ("google",)
    assert shelf.unread == ["feed.tsv, line 3: there is no id"]


def test_events_are_read_each_products_newest(tmp_path: Path) -> None:
    lines = [
        {"type": "CatalogChanged", "tenant": "t", "sku": "A", "version": version, "title": f"{version}",
         "sources": [{"uri": "https://x.example/a.jpg"}], "channels": ["amazon"]}
        for version in (2, 1)
    ]  # fmt: skip
    gone = {"type": "CatalogChanged", "tenant": "t", "sku": "B", "version": 1, "change": "delete"}
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(map(json.dumps, [*lines, gone, {"type": "What"}])))
    shelf = products_of(Settings(), str(file))
    assert shelf.products == [Product("A", "2", "", ("amazon",), ("https://x.example/a.jpg",))]
    assert len(shelf.unread) == 1


def test_what_is_nowhere_is_refused_by_its_name() -> None:
    with pytest.raises(Refused, match="is no folder and no file") as refusal:
        products_of(Settings(), "nowhere")
    assert refusal.value.field == "SOURCE"


# the whole, with a stand-in for the networks


class Stand:
    """A studio that makes a white picture of everything; of what is called `bad` it makes none."""

    def __init__(self) -> None:
        from schemas.channels.rulebook import SHIPPED

        self.rules = SHIPPED
        self.looked: list[str] = []

    def __enter__(self) -> "Stand":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def order(self, *_: object) -> str:
        return "order"

    def render(self, _order: str, sources: list[Any]) -> Any:
        if "bad" in sources[0].name:
            raise Refused("no_subject", "nothing stands out", field="sources")
        outcome = "review" if "dim" in sources[0].name else "pass"
        checks = [Check(point="edges", name="halo", outcome=outcome)]  # type: ignore[arg-type]
        verdict = Verdict(outcome=outcome, checks=checks, rules="r")  # type: ignore[arg-type]
        stream = io.BytesIO()
        Image.new("RGB", (60, 60), "white").save(stream, "PNG")
        return SimpleNamespace(file=stream.getvalue(), verdict=verdict)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    stand = Stand()

    def look(_studio: object, data: bytes, sha256: str, name: str) -> Seen:
        stand.looked.append(name)
        if "broken" in name:
            raise ZeroDivisionError("poison")
        measures = {} if "good" in name else {"fill": 0.4}
        return seen(sha256=sha256, size_bytes=len(data), measures=measures, looks_like=int(sha256[:12], 16))

    monkeypatch.setattr(assessing, "open_studio", lambda *_, **__: stand)
    monkeypatch.setattr(assessing, "look", look)
    return stand


def silent(*_: object) -> None:
    """Nobody looks on."""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for number, name in enumerate(("good", "low", "dim", "bad", "broken")):
        picture(tmp_path / "shop" / f"{name}.png", 40 + number)
    (tmp_path / "shop" / "none.png").write_bytes(b"")
    return tmp_path / "shop"


@pytest.mark.usefixtures("stand")
def test_a_shop_is_assessed_and_a_sample_of_it_mended(shop: Path, tmp_path: Path) -> None:
    wanted = Wanted(str(shop), tmp_path / "out", ("amazon",), business=Business(bottlenecks=["<b>Bob</b>"]))
    found, page = report.write(Settings(data_folder=tmp_path), wanted, silent)
    assert (found.products, found.pictures, found.wrong, found.mendable) == (6, 6, 5, 3)
    assert {(row.kind, row.pictures) for row in found.rows} == {("fill", 3), ("unreadable", 2)}
    assert {(each.sku, each.outcome) for each in found.mended} == {("low", "pass"), ("dim", "review"), ("bad", "none")}
    rows = {row.kind: row for row in found.rows}
    assert (rows["fill"].median, rows["fill"].limit) == (0.4, "≥ 0.85"), "how badly"
    assert (rows["unreadable"].median, rows["unreadable"].limit) == (None, "")
    text = page.read_text()
    assert "0.4 (≥ 0.85)" in text
    assert "&lt;b&gt;Bob&lt;/b&gt;" in text
    assert "<b>Bob" not in text
    figures = json.loads((tmp_path / "out" / report.FIGURES).read_text())
    assert figures["wrong"] == 5
    assert {each["sku"] for each in figures["wrong_pictures"]} == {"low", "dim", "bad", "broken", "none"}
    assert not list(shop.glob("*packshot*"))
    paper = (tmp_path / "out" / kept.PAPER).read_bytes()
    assert paper.startswith(b"%PDF-")
    assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ") >= 1


def test_paper_takes_as_many_sheets_as_it_needs_and_any_text() -> None:
    paper = Paper()
    for number in range(100):
        paper.row((f"{number}\n\x00", "衣服 " * 90), (0.5, 0.5))
    paper.pictures([(None, ("a" * 400, "")), (b"no picture", ())])
    assert len(paper.sheets) == 3
    assert paper.pdf().startswith(b"%PDF-")


@pytest.mark.usefixtures("stand")
def test_missing_views_are_told_of_products_and_no_picture_is_wrong_for_them(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    for number, name in enumerate(("a-good", "b-good", "c-good", "d-good", "e-good")):
        for view in (1, 2, 3)[: 1 if name == "e-good" else 3]:
            picture(shop / f"{name}-{view}.png", 40 + 4 * number + view)
    picture(shop / "d-good-4.png", 41 + 4 * 3)  # the first once more, and no further view
    found, page = report.write(Settings(data_folder=tmp_path), Wanted(str(shop), tmp_path / "out"), silent)
    assert (found.pictures, found.wrong, found.mendable) == (14, 1, 0), "the one that is there twice"
    rows = {row.kind: row for row in found.rows}
    assert (rows["views"].pictures, rows["views"].share) == (1, 0.2), "one of five products"
    assert (rows["twice"].pictures, rows["twice"].share) == (1, 1 / 14)
    text = page.read_text()
    assert "fewer pictures than advised or usual</td><td>1 (≥ 3)" in text
    assert text.count("<article>") == 1, "what is not there is no picture among the worst"


@pytest.mark.usefixtures("stand")
def test_a_product_without_a_picture_is_a_fault_and_no_picture(tmp_path: Path) -> None:
    feed = tmp_path / "feed.tsv"
    picture(tmp_path / "low.png")
    feed.write_text("id\timage link\tadditional image link\nA\t\t\nB\tlow.png\tlow.png, low.png\nC\tlow.png\t\n")
    found = assessing.assess(Settings(data_folder=tmp_path), Wanted(str(feed), tmp_path / "out"), silent)
    assert (found.products, found.pictures, found.wrong) == (3, 2, 2)
    assert {(row.kind, row.pictures) for row in found.rows} == {("missing", 1), ("fill", 2), ("shared", 1)}


@pytest.mark.usefixtures("stand")
def test_what_is_gone_when_it_is_to_be_mended_or_breaks_what_mends_it_stops_nothing(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(_self: object, _order: object, sources: list[Any]) -> Any:
        if "dim" in sources[0].name:
            raise ZeroDivisionError("poison")
        raise AssertionError("it is gone")

    def progress(part: str, done: int, _total: int) -> None:
        if (part, done) == ("mended", 0):
            (shop / "low.png").unlink()
            (shop / "bad.png").unlink()

    monkeypatch.setattr(Stand, "render", render)
    wanted = Wanted(str(shop), tmp_path / "out", ("amazon",))
    found = assessing.assess(Settings(data_folder=tmp_path), wanted, progress)
    fields = {each.sku: (each.outcome, each.why.partition(":")[0]) for each in found.mended}
    gone = ("none", "source_not_found")
    assert fields == {"low": gone, "bad": gone, "dim": ("none", "unexpected")}


def test_two_tenants_may_have_the_same_sku(tmp_path: Path) -> None:
    event = {"type": "CatalogChanged", "sku": "A", "version": 1, "sources": [{"uri": "https://x.example/a.jpg"}]}
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(json.dumps(event | {"tenant": name, "channels": ["amazon"]}) for name in ("n", "s")))
    assert [each.sku for each in products_of(Settings(), str(file)).products] == ["n|A", "s|A"]


def test_a_later_run_looks_only_at_what_is_new(stand: Stand, shop: Path, tmp_path: Path) -> None:
    wanted = Wanted(str(shop), tmp_path / "out", ("amazon",), sample=0)
    assessing.assess(Settings(data_folder=tmp_path), wanted, silent)
    before = len(stand.looked)
    picture(shop / "good-2.png", 90)
    with (tmp_path / "out" / assessing.SEEN).open("ab") as file:
        file.write(b'{"code":"cut o')
    assessing.assess(Settings(data_folder=tmp_path), wanted, silent)
    again = [Path(name).name for name in stand.looked[before:]]
    assert sorted(again) == ["broken.png", "good-2.png"]


def test_what_was_seen_by_other_code_is_looked_at_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Remembered(tmp_path / "seen").add(seen("a"))
    assert Remembered(tmp_path / "seen").of("a" * 64) == seen("a")
    monkeypatch.setattr("gpu_workers.code.Code.fingerprint", lambda *_: "f" * 64)
    assert Remembered(tmp_path / "seen").of("a" * 64) is None


@pytest.mark.parametrize(
    ("source", "channels", "code"),
    [("empty", (), "nothing_to_assess"), ("shop", ("nowhere",), "unknown_channel"), ("gone", (), "source_not_found")],
)
@pytest.mark.usefixtures("stand", "shop")
def test_what_cannot_be_assessed_is_refused(tmp_path: Path, source: str, channels: tuple[str, ...], code: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused) as refusal:
        assessing.assess(
            Settings(data_folder=tmp_path), Wanted(str(tmp_path / source), tmp_path / "o", channels), silent
        )
    assert refusal.value.code == code


# what it takes


def test_the_estimate_is_the_shops_own_numbers_where_it_gave_them() -> None:
    own = Business(pictures_a_month=1000, minutes_per_picture=30, cost_per_picture=12, hour_of_work=40)
    estimated = estimate(own, 1000, 18, 20, 3.6, 0.05)
    assert (estimated.hours_by_hand, estimated.cost_by_hand) == (Range(500, 500), Range(12_000, 12_000))
    assert estimated.hours_here.most == pytest.approx(1000 * (1 - estimated.passing.least) * 0.5 / 60)
    assert estimated.cost_here.least == pytest.approx(1000 * 3.6 / 3600 * 0.05 + estimated.hours_here.least * 40)
    assert estimated.passing.least < 0.9 < estimated.passing.most


@pytest.mark.parametrize(
    ("count", "total", "least", "most"), [(0, 0, 0.0, 1.0), (20, 20, 0.839, 1.0), (5, 10, 0.237, 0.763)]
)
def test_a_share_has_its_interval(count: int, total: int, least: float, most: float) -> None:
    its = share_of(count, total)
    assert (round(its.least, 3), round(its.most, 3)) == (least, most)


@pytest.mark.parametrize(
    ("text", "field"), [("pictures_a_month: -1", "pictures_a_month"), ("what: 1", "what"), ("[", "business.yaml")]
)
def test_numbers_that_are_none_are_refused_by_their_field(tmp_path: Path, text: str, field: str) -> None:
    file = tmp_path / "business.yaml"
    file.write_text(text)
    with pytest.raises(Refused, match=field) as refusal:
        read_business(file)
    assert refusal.value.code == "bad_business"
