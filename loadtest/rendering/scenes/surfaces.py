"""Stone, plaster, concrete and cloth. Colours are sRGB hex strings, lengths centimetres."""

from __future__ import annotations

import bpy
import materials as mats


def scaled(colour: str, factor: float) -> tuple[float, float, float, float]:
    """A colour made lighter or darker, linear RGBA."""
    return (*(min(1.0, channel * factor) for channel in mats.linear(colour)[:3]), 1.0)


def paint(name: str, colour: str, rough: float = 0.75) -> bpy.types.Material:
    """Matt wall paint: almost even, a trace of the roller."""
    return mats.plain(name, colour, rough, variation=0.04, spread=0.012, grain=0.012, grain_scale=1.6)


def plaster(name: str, colour: str, relief: float = 0.12) -> bpy.types.Material:
    """Troweled lime plaster: cloudy, with wide shallow strokes."""
    material, g = mats.new(name)
    at = g.coords()
    clouds = g.noise(g.coords((1, 1, 1.6)), 0.05, 5.0, 0.6, 0.6, exact=True)
    g.set(g.bsdf.inputs["Base Color"], g.mix(g.span(clouds, 0, 1), scaled(colour, 0.9), scaled(colour, 1.06)))
    g.set(g.bsdf.inputs["Roughness"], 0.85)
    g.set(g.bsdf.inputs["Specular IOR Level"], 0.25)
    g.bump(clouds, relief * 2)
    g.bump(g.noise(at, 0.6, 4.0), relief)
    g.bump(g.noise(at, 6.0, 3.0), relief * 0.12)
    return material


def concrete(name: str, colour: str, rough: float = 0.7) -> bpy.types.Material:
    """Cast concrete: clouds, fine sand and a few pores."""
    material, g = mats.new(name)
    at = g.coords()
    clouds = g.noise(at, 0.09, 6.0, 0.65, 0.4, exact=True)
    sand = g.noise(at, 7.0, 4.0)
    tone = g.mix(g.span(clouds, 0, 1), scaled(colour, 0.8), scaled(colour, 1.12))
    cells = g.add("ShaderNodeTexVoronoi", {"Vector": at, "Scale": 0.55}).outputs["Distance"]
    holes = g.math("LESS_THAN", cells, g.span(g.noise(at, 0.8), 0.0, 0.16, 0.5, 0.75))
    tone = g.mix(g.math("MULTIPLY", holes, 0.55), tone, scaled(colour, 0.35))
    g.set(g.bsdf.inputs["Base Color"], g.mix(g.span(sand, 0.0, 0.22), tone, scaled(colour, 0.55)))
    g.set(g.bsdf.inputs["Roughness"], g.span(clouds, rough - 0.08, rough + 0.1))
    g.set(g.bsdf.inputs["Specular IOR Level"], 0.35)
    g.bump(g.math("MULTIPLY", holes, -1.0), 0.08)
    g.bump(sand, 0.02)
    return material


def marble(name: str, base: str, vein: str, rough: float = 0.15, size: float = 1.0) -> bpy.types.Material:
    """Polished marble: soft clouds, broad faint veins and thin darker ones."""
    material, g = mats.new(name)
    at = g.coords((1 / size, 0.6 / size, 1 / size))
    warp = g.noise(at, 0.035, 6.0, 0.6, 1.4, exact=True)
    fine = g.noise(g.coords((0.7 / size, 1.1 / size, 1 / size)), 0.07, 7.0, 0.62, 2.2, exact=True)
    broad = g.span(g.math("ABSOLUTE", g.math("SUBTRACT", warp, 0.5)), 0.5, 0.0, 0.0, 0.055)
    thin = g.span(g.math("ABSOLUTE", g.math("SUBTRACT", fine, 0.52)), 0.75, 0.0, 0.0, 0.011)
    thin = g.math("MULTIPLY", thin, g.span(g.noise(at, 0.06, exact=True), 0.0, 1.0, 0.42, 0.62))
    tone = g.mix(g.span(fine, 0, 1), scaled(base, 0.94), scaled(base, 1.03))
    tone = g.mix(g.math("MAXIMUM", broad, thin), tone, mats.linear(vein))
    g.set(g.bsdf.inputs["Base Color"], tone)
    g.set(g.bsdf.inputs["Roughness"], g.span(g.noise(at, 1.3, 5.0), rough - 0.04, rough + 0.06))
    return material


def speckled(
    name: str, base: str, chips: tuple[str, ...], rough: float = 0.25, size: float = 0.5
) -> bpy.types.Material:
    """Composite stone with small chips in it."""
    material, g = mats.new(name)
    at = g.coords()
    tone = g.mix(g.noise(at, 0.2, 5.0), scaled(base, 0.93), scaled(base, 1.04))
    for k, chip in enumerate(chips):
        cells = g.add("ShaderNodeTexVoronoi", {"Vector": g.coords(offset=(7.3 * k, 3.1 * k, 0)), "Scale": 1 / size})
        inside = g.span(cells.outputs["Distance"], 1.0, 0.0, 0.22, 0.28)
        kept = g.math("GREATER_THAN", g.add("ShaderNodeSeparateColor", {0: cells.outputs["Color"]}).outputs[0], 0.62)
        tone = g.mix(g.math("MULTIPLY", inside, kept), tone, mats.linear(chip))
    g.set(g.bsdf.inputs["Base Color"], tone)
    g.set(g.bsdf.inputs["Roughness"], g.span(g.noise(at, 0.9, 5.0), rough - 0.05, rough + 0.06))
    return material


def rock(name: str, colour: str, second: str, relief: float = 0.35) -> bpy.types.Material:
    """Riven natural stone."""
    material, g = mats.new(name)
    at = g.coords()
    layers = g.noise(g.coords((1, 1, 3.5)), 0.08, 8.0, 0.62, 0.8, exact=True)
    grit = g.noise(at, 4.0, 5.0)
    tone = g.mix(g.span(layers, 0, 1), mats.linear(second), mats.linear(colour))
    g.set(g.bsdf.inputs["Base Color"], g.mix(g.span(grit, 0.0, 0.3), tone, scaled(colour, 0.5)))
    g.set(g.bsdf.inputs["Roughness"], 0.85)
    g.set(g.bsdf.inputs["Specular IOR Level"], 0.3)
    g.bump(layers, relief * 2)
    g.bump(g.noise(at, 0.5, 6.0), relief)
    g.bump(grit, relief * 0.15)
    return material
