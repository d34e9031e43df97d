"""Try it: a photograph, a recipe and a channel give the recipe's picture with the gates' word on it."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.system import draw_product
from tests.streams.web.conftest import Client

SignIn = Callable[..., Client]
AT = "/desk/demo/try"


def asked(client: Client, photograph: bytes, **fields: str) -> Any:
    files = {"photograph": ("mug.png", photograph, "image/png")}
    return client.post(f"{AT}/render", data=fields, files=files)


@pytest.fixture
def photograph(tmp_path: Path) -> bytes:
    draw_product(tmp_path / "MUG.png", (170, 40, 60))
    return (tmp_path / "MUG.png").read_bytes()


def test_recipes_are_offered_beside_operations(sign_in: SignIn) -> None:
    page = sign_in("demo").get(AT).text
    assert 'value="recipe:marketplace"' in page
    assert "<option selected>packshot</option>" in page


def test_a_recipe_makes_the_channels_picture_with_its_checks(sign_in: SignIn, photograph: bytes) -> None:
    answer = asked(sign_in("demo"), photograph, operation="recipe:marketplace", channel="amazon")
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["name"].startswith("mug-marketplace.")
    assert Image.open(io.BytesIO(base64.b64decode(made["file"]))).size == (made["width_px"], made["height_px"])
    assert made["outcome"] in ("pass", "review", "fail")
    assert any(each["rule"].startswith("amazon@") for each in made["checks"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"operation": "recipe:nothing", "channel": "amazon"}, "nothing"),
        ({"operation": "recipe:", "channel": "amazon"}, "recipe"),
        ({"operation": "recipe:marketplace", "channel": "nowhere"}, "nowhere"),
        ({"operation": "recipe:marketplace"}, "channel"),
        ({"operation": "nothing", "channel": "amazon"}, "nothing"),
    ],
)
def test_what_cannot_be_made_is_an_answer(
    fields: dict[str, str], words: str, sign_in: SignIn, photograph: bytes
) -> None:
    answer = asked(sign_in("demo"), photograph, **fields)
    assert answer.status_code in (404, 422), answer.text
    assert words in answer.text
