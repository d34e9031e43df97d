"""What pictures are made with, as a page shows it."""

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_workers.library import scenes as stages
from gpu_workers.library.scenes import BadScene, Scene
from gpu_workers.pools.compose import library
from streams.runtime.settings import Settings
from streams.services import brands as houses
from streams.services import models, recipes
from streams.services.showing import Shown


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
