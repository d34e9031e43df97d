"""What pictures are made with, as a page shows it."""

import hashlib
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_workers.library import scenes as stages
from gpu_workers.library.brands import BadBrand, BrandProfile
from gpu_workers.library.scenes import BadScene, Scene
from gpu_workers.pools.compose import library
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.display import showing
from streams.services.display.showing import Shown
from streams.services.releases import brands as houses
from streams.services.releases import models, recipes

SAMPLE = "oak-table-window"  # a scene that ships, with wood, white and shade: what a style changes is seen on it
SAMPLE_PX = 960  # its longer side


@dataclass(frozen=True)
class Sample:
    """A brand's style to be seen on a scene: its right half as the brand has it, its left as it was.

    `name` is another one as soon as the brand's files are.
    """

    name: str
    brand: BrandProfile
    plate: Path

    def draw(self) -> Shown:
        """The picture. Raises Refused where the brand's own look cannot be read."""
        import numpy as np
        from PIL import Image

        from gpu_workers.operations.style.style import style

        with Image.open(self.plate) as opened:
            opened.thumbnail((SAMPLE_PX, SAMPLE_PX))
            canvas = np.asarray(opened.convert("RGB"))
        try:
            styled = style(canvas, np.zeros(canvas.shape[:2], np.uint8), self.brand).canvas.astype(np.uint8)
        except BadBrand as error:
            raise Refused.because(error) from error
        middle = canvas.shape[1] // 2
        styled[:, :middle] = canvas[:, :middle]
        return showing.encoded(styled)


@dataclass(frozen=True)
class Stage:
    """A scene; `scene` is None where its files are not as they should be, and `wrong` says why."""

    name: str
    scene: Scene | None
    wrong: str = ""


def recipes_of(settings: Settings, tenant: str) -> list[recipes.Row]:
    """Every recipe by name, and the tenant's own defaults."""
    return [each for each in recipes.overview(settings) if each.kind == "recipe" or each.name == tenant]


def scenes(settings: Settings) -> list[Stage]:
    """Every scene by name."""
    return [_stage(name, folder) for name, folder in sorted(library(settings).scenes.items())]


def brands(settings: Settings) -> Sequence[houses.Row]:
    """Every brand by name."""
    return houses.overview(settings)


def sample(settings: Settings, name: str) -> Sample | None:
    """What shows a brand's style; None where there is no such brand, or its file is not as it should be."""
    row = next((each for each in brands(settings) if each.name == name), None)
    scene = plate(settings, SAMPLE)
    if row is None or row.brand is None or scene is None:
        return None
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in row.brand.files()))
    return Sample(f"brand-{digest.hexdigest()}", row.brand, scene)


def networks(settings: Settings) -> Sequence[models.Row]:
    """Every network, and how those in the shadow compare."""
    return models.overview(settings)


def plate(settings: Settings, name: str) -> Path | None:
    """The picture of a scene without anything in it; None where there is none."""
    folder = library(settings).scenes.get(name)
    if folder is None:
        return None
    stage = _stage(name, folder)
    return None if stage.scene is None else folder / stage.scene.plate


def picture(file: Path) -> Shown:
    """A picture of the library as browsers show it."""
    return Shown(file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream")


def _stage(name: str, folder: Path) -> Stage:
    try:
        return Stage(name, stages.load(folder))
    except BadScene as error:
        return Stage(name, None, str(error))
