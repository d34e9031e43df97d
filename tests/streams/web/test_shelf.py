"""The shelf: live pictures beside each other, what stands out first."""

from streams.facts import Database
from tests.streams.flow import Flow
from tests.streams.test_shelves import live, shelf
from tests.streams.web.conftest import SignIn


def test_what_stands_out_comes_first_and_says_what_differs(sign_in: SignIn, database: Database) -> None:
    flow = Flow(database)
    for sku in ("A", "B"):
        live(flow, sku)
    live(flow, "C<b>", 0.4)
    flow.say(shelf(version=1_700_000_000_000))
    text = sign_in("demo", role="viewer").get("/desk/demo/shelf").text
    assert text.count('class="stand') == 3
    assert text.index("C&lt;b&gt;") < text.index("A: amazon-1")
    assert "C<b>" not in text
    assert "Room about the product, beside the shelf" in text
    assert "40 pictures" in text
    assert "too few" not in text


def test_a_shelf_that_nobody_looked_at_and_one_that_is_none_are_pages_too(sign_in: SignIn, database: Database) -> None:
    client = sign_in("demo", role="viewer")
    assert "Nothing is live yet" in client.get("/desk/demo/shelf").text
    live(Flow(database), "A")
    assert "nobody has looked at it yet" in client.get("/desk/demo/shelf").text
    none = client.get("/desk/demo/shelf?name=%3Cscript%3E")
    assert (none.status_code, "<script>" in none.text) == (200, False)
