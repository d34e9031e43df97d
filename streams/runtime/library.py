"""The settings of what pictures are made with: folders beside what ships."""

from dataclasses import dataclass
from pathlib import Path

from streams.runtime.fields import Field


@dataclass(frozen=True, init=False)
class LibrarySettings:
    """They are part of Settings."""

    scenes: Path | None = Field(None, description="A folder of scenes beside those that ship; see Scenes.")
    brands: Path | None = Field(None, description="A folder of brand profiles beside those that ship; see Brands.")
    templates: Path | None = Field(None, description="A folder of print templates beside those that ship.")
    bodies: Path | None = Field(None, description="A folder of mannequins beside those that ship; see Virtual models.")
