"""Materials. Colours are sRGB hex strings; texture sizes are features per centimetre."""

from __future__ import annotations

import bpy
import numpy as np

TILE_PERIODS, TILE_PIXELS, PEBBLES = 16, 1024, 40


def flat(name: str, colour: str, rough: float) -> bpy.types.Material:
    """Even matt surface without any texture: paper sweeps, black cards."""
    material, g = new(name)
    paint = g.add("ShaderNodeBsdfDiffuse", {"Color": linear(colour), "Roughness": rough})
    g.set(g.output.inputs["Surface"], paint.outputs[0])
    return material


def linear(hex_colour: str, alpha: float = 1.0) -> tuple[float, float, float, float]:
    """sRGB hex to scene-linear RGBA."""
    channels = [int(hex_colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    values = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return (*values, alpha)


def _tile(name: str, channels: list[np.ndarray]) -> bpy.types.Image:
    """Seamless float image from three (or one) fields in 0..1, made once a scene."""
    rgba = np.ones((TILE_PIXELS, TILE_PIXELS, 4), dtype=np.float32)
    for i in range(3):
        rgba[..., i] = channels[i % len(channels)]
    image = bpy.data.images.new(name, TILE_PIXELS, TILE_PIXELS, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    return image


def noise_tile() -> bpy.types.Image:
    """Fractal noise with 16 coarse periods across; far quicker to look up than to compute."""
    if "noise_tile" in bpy.data.images:
        return bpy.data.images["noise_tile"]
    freq = np.fft.fftfreq(TILE_PIXELS) * TILE_PIXELS
    f = np.hypot(freq[:, None], freq[None, :])
    shape = np.where((f > 5) & (f < 400), np.maximum(f, TILE_PERIODS * 0.7) ** -1.75, 0.0)
    rng, fields = np.random.default_rng(5), []
    for _ in range(3):
        field = np.fft.ifft2(np.fft.fft2(rng.normal(size=f.shape)) * shape).real
        fields.append(np.clip(0.5 + 0.12 * field / field.std(), 0, 1))
    return _tile("noise_tile", fields)


def pebble_tile() -> bpy.types.Image:
    """Rounded cells, 40 across, for leather: distance to the nearest of scattered points."""
    if "pebble_tile" in bpy.data.images:
        return bpy.data.images["pebble_tile"]
    rng = np.random.default_rng(8)
    jitter = rng.uniform(0.1, 0.9, (PEBBLES, PEBBLES, 2))
    at = (np.arange(TILE_PIXELS) + 0.5) * PEBBLES / TILE_PIXELS
    row, col = at.astype(int)[:, None], at.astype(int)[None, :]
    total = np.zeros((TILE_PIXELS, TILE_PIXELS))
    for dr in (-2, -1, 0, 1, 2):
        for dc in (-2, -1, 0, 1, 2):
            point = jitter[(row + dr) % PEBBLES, (col + dc) % PEBBLES]
            y, x = row + dr + point[..., 0], col + dc + point[..., 1]
            total += np.exp(-14 * np.hypot(at[:, None] - y, at[None, :] - x))
    return _tile("pebble_tile", [np.clip(-np.log(total) / 14, 0, 1)])


class Graph:
    """A few short-hands over a material's node tree."""

    def __init__(self, material: bpy.types.Material) -> None:
        self.tree = material.node_tree
        self.bsdf = self.tree.nodes["Principled BSDF"]
        self.output = self.tree.nodes["Material Output"]

    def add(self, kind: str, inputs: dict | None = None, **settings):
        """New node; inputs may hold values or output sockets."""
        node = self.tree.nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        for key, value in (inputs or {}).items():
            self.set(node.inputs[key], value)
        return node

    def set(self, socket, value) -> None:
        """Connect or assign."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def coords(self, scale=(1, 1, 1), kind: str = "Object", offset=None):
        """Texture coordinates in cm, stretched by `scale`; offset may be a socket."""
        source = self.add("ShaderNodeTexCoord").outputs[kind]
        mapping = self.add("ShaderNodeMapping", {"Vector": source, "Scale": scale})
        if offset is not None:
            self.set(mapping.inputs["Location"], offset)
        return mapping.outputs["Vector"]

    def tile(self, image: bpy.types.Image, vector, scale: float, flat: bool = False):
        """Colour socket of a seamless image, `scale` repeats a unit; box-projected unless flat."""
        at = self.add("ShaderNodeVectorMath", {0: vector, 1: (scale,) * 3}, operation="MULTIPLY")
        node = self.add("ShaderNodeTexImage", {"Vector": at.outputs[0]}, image=image)
        if not flat:
            node.projection, node.projection_blend = "BOX", 0.3
        return node.outputs["Color"]

    def noise(
        self,
        vector,
        scale: float,
        detail: float = 4.0,
        roughness: float = 0.55,
        distortion: float = 0.0,
        exact: bool = False,
        flat: bool = False,
    ):
        """Fractal noise 0..1, `scale` features a unit; looked up in a tile unless `exact`."""
        if not exact:
            colour = self.tile(noise_tile(), vector, scale / TILE_PERIODS, flat)
            return self.add("ShaderNodeSeparateColor", {0: colour}).outputs[0]
        return self.add(
            "ShaderNodeTexNoise",
            {"Vector": vector, "Scale": scale, "Detail": detail, "Roughness": roughness, "Distortion": distortion},
        ).outputs[0]

    def span(self, value, low: float, high: float, start: float = 0.3, end: float = 0.7):
        """Map start..end to low..high, clamped."""
        return self.add(
            "ShaderNodeMapRange", {"Value": value, "From Min": start, "From Max": end, "To Min": low, "To Max": high}
        ).outputs["Result"]

    def math(self, operation: str, a, b=0.0):
        """Scalar arithmetic."""
        node = self.add("ShaderNodeMath", operation=operation)
        self.set(node.inputs[0], a)
        self.set(node.inputs[1], b)
        return node.outputs[0]

    def mix(self, factor, a, b):
        """Colour mix."""
        node = self.add("ShaderNodeMix", data_type="RGBA")
        by_id = {s.identifier: s for s in node.inputs}
        for key, value in (("Factor_Float", factor), ("A_Color", a), ("B_Color", b)):
            self.set(by_id[key], value)
        return next(s for s in node.outputs if s.identifier == "Result_Color")

    def ramp(self, value, stops):
        """Colour ramp; stops are (position, hex)."""
        node = self.add("ShaderNodeValToRGB", {"Fac": value})
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, colour) in zip(elements, stops, strict=False):
            element.position = position
            element.color = linear(colour)
        return node.outputs["Color"]

    def bump(self, height, distance: float, strength: float = 1.0, normal=None) -> None:
        """Add relief of `distance` cm to what is already there."""
        node = self.add("ShaderNodeBump", {"Height": height, "Distance": distance, "Strength": strength})
        current = self.bsdf.inputs["Normal"]
        if normal is None and current.is_linked:
            normal = current.links[0].from_socket
        if normal is not None:
            self.set(node.inputs["Normal"], normal)
        self.set(current, node.outputs["Normal"])


def new(name: str, main: str | None = None) -> tuple[bpy.types.Material, Graph]:
    """Material with a Principled shader; `main` marks a colour for truth.json."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    if main:
        material["truth_hex"] = main
    return material, Graph(material)


def plain(
    name: str,
    colour: str,
    rough: float = 0.5,
    *,
    metallic: float = 0.0,
    coat: float = 0.0,
    sheen: float = 0.0,
    subsurface: float = 0.0,
    variation: float = 0.08,
    spread: float = 0.04,
    grain: float = 0.0,
    grain_scale: float = 12.0,
    main: bool = False,
    ior: float = 1.5,
):
    """Everyday surface: uneven colour (`spread`), uneven gloss (`variation`), grain cm deep."""
    material, g = new(name, colour if main else None)
    base = linear(colour)
    cloud = g.noise(g.coords(), 0.35, 5.0)
    dark = (*tuple(c * (1 - 2 * spread) for c in base[:3]), 1.0)
    light = (*tuple(min(1.0, c * (1 + spread)) for c in base[:3]), 1.0)
    g.set(g.bsdf.inputs["Base Color"], g.mix(cloud, dark, light))
    smear = g.noise(g.coords(), 1.1, 6.0, 0.65)
    g.set(g.bsdf.inputs["Roughness"], g.span(smear, max(0.02, rough - variation), min(1.0, rough + variation)))
    for key, value in (
        ("Metallic", metallic),
        ("Coat Weight", coat),
        ("Coat Roughness", 0.06),
        ("Sheen Weight", sheen),
        ("Subsurface Weight", subsurface),
        ("Subsurface Scale", 0.4),
        ("IOR", ior),
    ):
        g.set(g.bsdf.inputs[key], value)
    if grain > 0:
        g.bump(g.noise(g.coords(), grain_scale, 3.0), grain)
    return material


def metal(
    name: str, colour: str, rough: float, *, scratches: float = 0.0006, brushed: bool = False, main: bool = False
):
    """Metal with uneven polish and hairline scratches; brushed runs round the Z axis."""
    material, g = new(name, colour if main else None)
    g.set(g.bsdf.inputs["Base Color"], linear(colour))
    g.set(g.bsdf.inputs["Metallic"], 1.0)
    smear = g.noise(g.coords(), 0.7, 6.0, 0.7)
    g.set(g.bsdf.inputs["Roughness"], g.span(smear, rough * 0.6, rough * 1.7))
    stretch = (0.4, 0.4, 26.0) if brushed else (0.3, 14.0, 3.0)
    g.bump(g.noise(g.coords(stretch), 2.0, 2.0), scratches)
    return material


def wood(
    name: str,
    tones: tuple[str, str, str],
    rough: float = 0.42,
    *,
    axis: str = "x",
    scale: float = 1.0,
    main: bool = False,
    coat: float = 0.0,
):
    """Wood with its grain along `axis`; tones run from dark to light."""
    material, g = new(name, tones[1] if main else None)
    stretch = {"x": (0.045, 0.55, 0.55), "y": (0.55, 0.045, 0.55), "z": (0.55, 0.55, 0.045)}[axis]
    fine = {"x": (0.25, 14, 14), "y": (14, 0.25, 14), "z": (14, 14, 0.25)}[axis]
    shift = g.math("MULTIPLY", g.add("ShaderNodeObjectInfo").outputs["Random"], 70.0)
    body = g.coords(tuple(scale * s for s in stretch), offset=shift)
    rings = g.noise(body, 1.0, 2.0, 0.5, 0.9, exact=True)
    bands = g.math("FRACT", g.math("MULTIPLY", rings, 6.0))
    soft = g.span(bands, 0.0, 1.0, 0.0, 1.0)
    fibre = g.noise(g.coords(tuple(scale * s for s in fine), offset=shift), 1.0, 5.0, 0.7)
    value = g.math(
        "ADD",
        g.math("MULTIPLY", soft, 0.38),
        g.math("ADD", g.math("MULTIPLY", rings, 0.5), g.math("MULTIPLY", fibre, 0.3)),
    )
    colour = g.ramp(value, [(0.32, tones[0]), (0.58, tones[1]), (0.88, tones[2])])
    pores = g.span(fibre, 0.72, 1.0, 0.30, 0.46)
    tint = g.math("MULTIPLY", pores, g.span(g.add("ShaderNodeObjectInfo").outputs["Random"], 0.78, 1.08, 0.0, 1.0))
    shade = g.add("ShaderNodeVectorMath", {0: colour, 1: tint}, operation="MULTIPLY")
    g.set(g.bsdf.inputs["Base Color"], shade.outputs[0])
    g.set(g.bsdf.inputs["Roughness"], g.span(fibre, rough - 0.1, rough + 0.14))
    g.set(g.bsdf.inputs["Coat Weight"], coat)
    g.set(g.bsdf.inputs["Coat Roughness"], 0.15)
    g.bump(fibre, 0.012)
    return material


def _weave_plane(g: Graph, at):
    """Fold 3D coordinates to a plane on which every face shows crossing yarns."""
    split = g.add("ShaderNodeSeparateXYZ", {0: at}).outputs
    return g.add(
        "ShaderNodeCombineXYZ", {0: g.math("ADD", split[0], split[1]), 1: g.math("SUBTRACT", split[2], split[1])}
    ).outputs[0]


def woven(
    name: str,
    colour: str,
    threads: float,
    *,
    second: str | None = None,
    depth: float = 0.02,
    rough: float = 0.9,
    sheen: float = 0.25,
    main: bool = False,
    kind: str = "UV",
):
    """Plain weave, `threads` per texture unit in both directions; `second` is the other yarn."""
    material, g = new(name, colour if main else None)
    base = g.coords(kind=kind)
    if kind == "Object":
        base = _weave_plane(g, base)
    wobble = g.add("ShaderNodeVectorMath", {0: base}, operation="ADD")
    slow = g.tile(noise_tile(), base, threads * 0.35 / TILE_PERIODS, True)
    small = g.add("ShaderNodeVectorMath", {0: slow, 1: (0.22 / threads,) * 3}, operation="MULTIPLY")
    g.set(wobble.inputs[1], small.outputs[0])
    split = g.add("ShaderNodeSeparateXYZ", {0: wobble.outputs[0]})

    def wave(s):
        return g.math("SINE", g.math("MULTIPLY", s, 6.2832 * threads))

    wx, wy = wave(split.outputs[0]), wave(split.outputs[1])
    over = g.math("MULTIPLY", wx, wy)
    thread = g.math("MAXIMUM", g.math("ABSOLUTE", wx), g.math("ABSOLUTE", wy))
    slub = g.noise(base, threads * 0.5, flat=True)
    height = g.math("ADD", g.math("MULTIPLY", over, 0.35), g.math("ADD", thread, g.math("MULTIPLY", slub, 1.2)))
    a, b = linear(colour), linear(second or colour)
    yarn = g.mix(g.span(over, 0.0, 1.0, -0.4, 0.4), a, b)
    shade = g.span(g.math("ADD", slub, g.math("MULTIPLY", thread, 0.12)), 0.86, 1.06, 0.35, 0.8)
    tinted = g.add("ShaderNodeVectorMath", {0: yarn, 1: shade}, operation="MULTIPLY")
    g.set(g.bsdf.inputs["Base Color"], tinted.outputs[0])
    g.set(g.bsdf.inputs["Roughness"], rough)
    g.set(g.bsdf.inputs["Sheen Weight"], sheen)
    g.set(g.bsdf.inputs["Specular IOR Level"], 0.2)
    g.bump(height, depth)
    return material


def leather(
    name: str,
    colour: str,
    rough: float = 0.45,
    *,
    pebble: float = 5.0,
    depth: float = 0.02,
    main: bool = False,
    kind: str = "Object",
):
    """Grained leather, `pebble` grains per cm, `depth` cm deep."""
    material, g = new(name, colour if main else None)
    at = g.coords(kind=kind)
    cells = g.add("ShaderNodeSeparateColor", {0: g.tile(pebble_tile(), at, pebble / PEBBLES, kind == "UV")}).outputs[0]
    fine = g.noise(at, pebble * 2.5, 4.0)
    base = linear(colour)
    cloud = g.noise(at, 0.12, 5.0, 0.6)
    dark = (*tuple(c * 0.74 for c in base[:3]), 1.0)
    light = (*tuple(min(1, c * 1.12) for c in base[:3]), 1.0)
    g.set(g.bsdf.inputs["Base Color"], g.mix(cloud, dark, light))
    g.set(g.bsdf.inputs["Roughness"], g.span(g.noise(at, 0.9, 5.0), rough - 0.08, rough + 0.12))
    g.bump(cells, -depth)
    g.bump(fine, depth * 0.3)
    g.bump(g.noise(at, 0.35, 1.0, exact=True), 0.12, 0.5)
    return material


def glass(
    name: str,
    colour: str = "#ffffff",
    *,
    ior: float = 1.5,
    absorb: float = 0.0,
    tint: str = "#ffffff",
    main: bool = False,
):
    """Clear glass whose shadow lets light through; absorb is per cm, towards `tint`."""
    material, g = new(name, colour if main else None)
    for key, value in (("Base Color", linear(colour)), ("Roughness", 0.0), ("IOR", ior), ("Transmission Weight", 1.0)):
        g.set(g.bsdf.inputs[key], value)
    g.bump(g.noise(g.coords(), 0.35, 1.0, exact=True), 0.012)
    path = g.add("ShaderNodeLightPath")
    clear = g.add("ShaderNodeBsdfTransparent", {"Color": linear(tint if absorb else colour)})
    blend = g.add("ShaderNodeMixShader", {0: path.outputs["Is Shadow Ray"], 1: g.bsdf.outputs[0], 2: clear.outputs[0]})
    g.set(g.output.inputs["Surface"], blend.outputs[0])
    if absorb > 0:
        volume = g.add("ShaderNodeVolumeAbsorption", {"Color": linear(tint), "Density": absorb})
        g.set(g.output.inputs["Volume"], volume.outputs[0])
    return material


def printed(
    name: str,
    image: bpy.types.Image,
    rough: float = 0.55,
    *,
    fibre: float = 0.004,
    main: str | None = None,
    coat: float = 0.0,
):
    """Paper or card printed with an image laid out on the UV map."""
    material, g = new(name, main)
    uv = g.add("ShaderNodeTexCoord").outputs["UV"]
    picture = g.add("ShaderNodeTexImage", {"Vector": uv}, image=image, interpolation="Linear", extension="EXTEND")
    blotch = g.span(g.noise(g.coords(), 0.5, 6.0, 0.6), 0.94, 1.03)
    inked = g.add("ShaderNodeVectorMath", {0: picture.outputs["Color"], 1: blotch}, operation="MULTIPLY")
    g.set(g.bsdf.inputs["Base Color"], inked.outputs[0])
    g.set(g.bsdf.inputs["Roughness"], g.span(g.noise(g.coords(), 1.4, 5.0), rough - 0.1, rough + 0.1))
    g.set(g.bsdf.inputs["Coat Weight"], coat)
    g.set(g.bsdf.inputs["Specular IOR Level"], 0.35)
    g.bump(g.noise(g.coords(), 18.0, 4.0), fibre)
    return material


def glazed_over_clay(name: str, glaze: str, clay: str, line: float, *, speck: str = "#3a2f28"):
    """Reactive stoneware: speckled glaze above a wavering line (cm), raw clay below."""
    material, g = new(name, glaze)
    at = g.coords()
    z = g.add("ShaderNodeSeparateXYZ", {0: at}).outputs[2]
    edge = g.math("ADD", z, g.math("MULTIPLY", g.noise(at, 0.45, 3.0), 0.7))
    cover = g.span(edge, 0.0, 1.0, line, line + 0.12)
    pool = g.span(edge, 1.0, 0.0, line, line + 1.6)
    base = linear(glaze)
    deep = (*tuple(c * 0.62 for c in base[:3]), 1.0)
    pale = (*tuple(min(1, c * 1.35 + 0.02) for c in base[:3]), 1.0)
    body = g.mix(g.noise(at, 0.5, 6.0, 0.65, 0.8), deep, pale)
    body = g.mix(g.math("MULTIPLY", pool, 0.45), body, deep)
    specks = g.add("ShaderNodeTexVoronoi", {"Vector": at, "Scale": 3.2}).outputs["Distance"]
    size = g.span(g.noise(at, 2.3, 2.0), 0.0, 0.17, 0.42, 0.75)
    body = g.mix(g.math("MULTIPLY", g.math("LESS_THAN", specks, size), 0.75), body, linear(speck))
    raw = g.mix(g.noise(at, 9.0, 4.0), linear(clay), tuple(c * 0.7 for c in linear(clay)))
    g.set(g.bsdf.inputs["Base Color"], g.mix(cover, raw, body))
    g.set(
        g.bsdf.inputs["Roughness"],
        g.math("ADD", g.span(cover, 0.85, 0.16, 0.0, 1.0), g.span(g.noise(at, 1.0, 5.0), 0.0, 0.10)),
    )
    relief = g.math("ADD", g.math("MULTIPLY", cover, 1.0), g.math("MULTIPLY", g.noise(at, 1.3, 1.0, exact=True), 0.9))
    g.bump(relief, 0.03)
    g.bump(g.math("MULTIPLY", g.noise(at, 14.0, 4.0), g.span(cover, 1.0, 0.08, 0.0, 1.0)), 0.02)
    return material


def glow(name: str, colour: str, strength: float):
    """Light-giving surface; strength 1 is about display white."""
    material, g = new(name)
    g.set(g.bsdf.inputs["Base Color"], linear("#000000"))
    g.set(g.bsdf.inputs["Emission Color"], linear(colour))
    g.set(g.bsdf.inputs["Emission Strength"], strength)
    return material


def plain_emission(name: str):
    """Flat white for the alpha pass: nothing to shade, and no light for others."""
    material, g = new(name)
    flat = g.add("ShaderNodeEmission")
    g.set(g.output.inputs["Surface"], flat.outputs[0])
    material.cycles.emission_sampling = "NONE"
    return material
