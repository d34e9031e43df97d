"""A product that has been built, in its light, and what of it can be printed on."""

from __future__ import annotations

from dataclasses import dataclass, field

import bpy


@dataclass(frozen=True)
class Surface:
    """What can be printed on: objects whose UV layer runs 0..1 from left to right and from the top down."""

    objects: list[bpy.types.Object]
    layer: str
    width_cm: float
    height_cm: float


@dataclass(frozen=True)
class Setting:
    """A scene that has been built. Its first map is what a proof is printed on, in `print_materials`."""

    product: list[bpy.types.Object]
    product_materials: list[bpy.types.Material]
    ground_materials: list[bpy.types.Material]
    maps: dict[str, Surface]
    print_materials: list[bpy.types.Material] = field(default_factory=list)
