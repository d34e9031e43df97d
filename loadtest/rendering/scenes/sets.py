"""The scenes: what stands in each and how it is lit. Lengths are in centimetres; see shots.py."""

from __future__ import annotations

import geometry as geo
import materials as mats
import settings_scenes as studio
import surfaces
import things
from layers import tagged
from shots import Key, Paint, Prop, Shot, Spot, sunlight, window_light

WARM_SUN, WINDOW, SKY = "#FFE9CF", "#FFF8F0", "#E6F0FF"
OAK = ("#8d6a44", "#b98f60", "#d6b487")


def kitchen_counter(key: Key) -> None:
    """Pale stone worktop before hand-made tiles, boards and a crock behind."""
    geo.box(
        "worktop",
        (320, 150, 4),
        surfaces.speckled("worktop", "#d9d3c8", ("#8d8578", "#f2eee6", "#b59a78"), 0.28, 0.55),
        0.4,
        location=(0, -17, -4),
    )
    with tagged("paint:tiles", "tile"):
        things.tile_wall(58, 0.2, (10, 10), 12, 24, "#e4e3da", "#d6d0c4")
    for x, y, size, tilt, tone in (
        (-29, 51, (25, 2.0, 37), -9, OAK),
        (-19, 47, (20, 1.8, 27), -12, ("#5a3b24", "#80563a", "#a0754f")),
    ):
        geo.box(
            "board", size, mats.wood(f"board{x}", tone, 0.5, axis="z"), 0.8, location=(x, y, 0.2), rotation=(tilt, 0, 0)
        )
    crock = mats.plain("crock", "#ece6d9", 0.35, spread=0.04, grain=0.01)
    things.turned(
        "crock", [(0, 0), (6.4, 0, 1), (6.9, 14.5, 0.4), (6.3, 14.5, 0.3), (6.0, 1.2, 0.6), (0, 1)], crock, (27, 44, 0)
    )
    things.spoons(27, 44, 1.5, 29, 5, 4)
    with tagged("prop:herbs"):
        studio.plant(43, 40, 0, 27, 9, pot="#b8785a", leaf="#4c7a3c")
    with tagged("prop:lemons"):
        for x, y, yaw in ((19.5, 9, 30), (24.5, 4.5, 110), (25.5, 11.5, 75)):
            things.lemon(x, y, 0, yaw)
    studio.world("#4a4239", "#aaa59c", "#d8dadb", 0.5)
    window_light(key, 150)
    studio.soft_box("room", (0, 10, 10), 70, 40, 220, (160, 120), 0.16, (1.0, 0.93, 0.85))


def studio_podium(key: Key) -> None:
    """Round podiums before an arch, all in paint."""
    back, arch, stand = (
        mats.plain(name, colour, 0.8, spread=0.01, grain=0.006, grain_scale=3)
        for name, colour in (("backdrop", "#d9c6b4"), ("arch", "#c99f86"), ("podium", "#e9dccd"))
    )
    line = geo.fillet([(-260, -9), (75, -9, 40), (75, 260)], 24)
    verts = [(x, y, z) for y, z in line for x in (-320, 320)]
    with tagged("paint:backdrop"):
        geo.mesh_object("sweep", verts, [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(len(line) - 1)], back)
    outline = [(-19, 0), (19, 0), *[(p.x, p.z) for p in geo.arc((0, 0, 35), 19, 0, 180)]]
    with tagged("paint:arch"):
        panel = geo.slab("arch", outline, [(0.6, 0), (0, 0.5), (0, 5.5), (0.6, 6)], arch)
        geo.place(panel, (9, 33, -9), (90, 0, 0))
    with tagged("paint:podium"):
        for x, y, radius, top in ((0, 0, 20, 0), (-27, 20, 11, 9), (29, 14, 10, -4.5)):
            things.turned("podium", [(0, -9), (radius, -9), (radius, top, 0.35), (0, top)], stand, (x, y, 0), 160)
    with tagged("prop:ball"):
        ball = mats.plain("ball", "#b9785c", 0.7, spread=0.02)
        things.turned("ball", [(p.x, p.z) for p in geo.arc((0, 0, 3.6), 3.6, -90, 90)], ball, (-27, 20, 9))
    studio.world("#b9b2aa", "#cfcac4", "#e6e4e2", 0.42)
    window_light(key, 190)
    studio.soft_box("fill", (0, 0, 10), 60, 20, 240, (140, 180), 0.12)


def oak_table_window(key: Key) -> None:
    """Oak table by a window with a garden behind it, morning sun through another."""
    studio.boards(OAK, 125, -130, 46, 14, seed=3, rough=0.36)
    wall = surfaces.plaster("wall", "#e4dccf", 0.05)
    with tagged("paint:wall", "wall"):
        things.holed_wall(135, -80, (-150, -6, -28, 150), wall)
    things.window(-150, 139, -6, 122, 156, 2, 2, "#f3f0ea")
    geo.box("sill", (132, 24, 3), mats.plain("sill", "#f3f0ea", 0.35), 0.5, location=(-89, 128, -9))
    things.garden_view(700, -120, 330, 0.95, "#7d9560", "#dfe9f2")
    studio.curtain(-12, 122, -80, 34, 320, "#e9e1d2")
    clay = mats.plain("vase", "#cdbfae", 0.6, spread=0.06, grain=0.03, grain_scale=6)
    with tagged("prop:branches"):
        things.vase(33, 27, 0, 19, 8.2, clay)
        things.bouquet(33, 27, 18, 27, 20, 7, 5, "#7d8c62", 4.2)
    studio.world("#5a4f43", "#b3aba0", "#d5d8da", 0.7)
    sunlight(key)
    things.window_gobo(key.towards(), 260, (46, 44), 2, 2, 5, (22, 20))
    studio.soft_box("window", (0, 20, 0), -140, 30, 170, (90, 110), 0.35, (0.9, 0.95, 1.0))
    studio.soft_box("room", (0, 60, 10), 30, 35, 260, (200, 160), 0.4, (1.0, 0.95, 0.9))


def bathroom_shelf(key: Key) -> None:
    """Travertine ledge before narrow sage tiles, towels and eucalyptus."""
    with tagged("paint:tiles", "tile"):
        things.tile_wall(17, -60, (3.2, 14), 13, 64, "#a9b5a2", "#d3d1c6", 0.2, uneven=0.7)
    geo.box("ledge", (240, 32, 4), surfaces.rock("ledge", "#dccdb8", "#c5b197", 0.02), 0.4, location=(0, 1.5, -4))
    for k, (x, z, tone) in enumerate(((15.5, 0, "#efe9df"), (26.8, 0, "#d9c9b4"), (21.2, 9.2, "#efe9df"))):
        things.towel_roll(x, 4, z, 5.5, 20, tone, 4 - 5 * k, k + 1)
    with tagged("prop:eucalyptus"):
        things.vase(-18, 8, 0, 14, 5.5, mats.plain("vase", "#f0ece4", 0.25, coat=0.3, spread=0.02))
        things.bouquet(-18, 8, 13.5, 24, 12, 6, 8, "#8aa08f", 3.6, 0.75)
    studio.world("#4b4a46", "#b4b3ae", "#dfe2e3", 0.5)
    window_light(key, 150)
    studio.soft_box("room", (0, 0, 10), -50, 35, 200, (140, 140), 0.14, (0.94, 0.97, 1.0))


def desk(key: Key) -> None:
    """Walnut desk before a painted wall, books, notebooks and pencils."""
    studio.boards(("#3a2619", "#5f432d", "#83603f"), 120, -120, 55, 60, seed=6, rough=0.34)
    with tagged("paint:wall", "wall"):
        geo.box("wall", (900, 10, 500), surfaces.paint("wall", "#7e9189"), 0, location=(0, 95, -90))
    things.books(-50, 36, 0, ("#8c4a3a", "#d9cdb8", "#3f5548", "#c79a5b", "#e5ddcf", "#39424c"), 4)
    things.notebook(30, 30, 0, (21, 15, 2.2), "#c9b59a", 8)
    things.notebook(31, 30, 2.2, (19, 13.5, 1.8), "#a65d43", -4)
    with tagged("prop:pencils"):
        things.cup(32, 29, 4.0, 4, 9.5, mats.plain("cup", "#e6dfd2", 0.5, spread=0.04, grain=0.01))
        things.pencils(32, 29, 5, 6, 3)
    studio.world("#3f3a35", "#9a9690", "#c9ced2", 0.7)
    sunlight(key)
    things.window_gobo(key.towards(), 240, (50, 44), 2, 2, 5, (-24, 20))
    studio.soft_box("window", (0, 10, 10), 60, 38, 190, (110, 110), 0.55, (0.95, 0.97, 1.0))


def floor_window(key: Key) -> None:
    """Oak floor and a pale wall with a window's sunlight on both."""
    studio.boards(("#a5835c", "#c6a57a", "#dfc39b"), 300, -330, 72, 14, axis="y", seed=12, rough=0.4)
    with tagged("paint:wall", "wall"):
        geo.box("wall", (1400, 10, 700), surfaces.paint("wall", "#e6dfd5"), 0, location=(0, 77, 0))
    geo.box("skirting", (1400, 2, 9), mats.plain("skirting", "#f1ede6", 0.45), 0.4, location=(0, 71, 0))
    with tagged("prop:plant"):
        things.potted_tree(
            64, 44, 0, 105, 7, mats.plain("pot", "#c9beb2", 0.8, spread=0.06, grain=0.05, grain_scale=2), "#5c8452"
        )
    studio.world("#6c6156", "#b8b2aa", "#d6d9dc", 0.75)
    sunlight(key)
    things.window_gobo(key.towards(), 400, (84, 84), 2, 2, 7, (40, 26))
    studio.soft_box("window", (0, 0, 60), -50, 35, 420, (240, 260), 0.3, (0.92, 0.96, 1.0))


def sofa_seat(key: Key) -> None:
    """The seat of a linen sofa, a cushion at its end and a throw."""
    linen = mats.plain("sofa", "#bdb6a9", 0.95, sheen=0.3, spread=0.025, grain=0.05, grain_scale=7)
    with tagged("paint:sofa"):
        for x in (-90, 0, 90):
            geo.box("seat", (89, 84, 20), linen, 4.5, 8, (x, 0, -20))
            geo.box("back", (89, 20, 52), linen, 7, 8, (x, 44, -6), (-9, 0, 0))
        geo.box("frame", (300, 24, 62), linen, 6, 8, (0, 66, -30))
    with tagged("prop:cushion"):
        things.cushion(
            63,
            20,
            1,
            46,
            20,
            mats.plain("cushion", "#8c8a72", 0.95, sheen=0.3, spread=0.03, grain=0.04, grain_scale=9),
            20,
            -14,
        )
    with tagged("paint:wall", "wall"):
        geo.box("wall", (1400, 10, 700), surfaces.paint("wall", "#ddd4c6"), 0, location=(0, 135, -80))
    studio.world("#6c6156", "#bcb6ae", "#d9dcde", 0.95)
    sunlight(key)
    things.window_gobo(key.towards(), 320, (112, 86), 2, 2, 4, (50, 14))
    studio.soft_box("window", (0, 0, 30), -55, 40, 330, (180, 180), 0.4, (0.95, 0.97, 1.0))


def stone_garden(key: Key) -> None:
    """Limestone slab outdoors, shrubs far behind and a blurred sprig in front."""
    stone = surfaces.rock("slab", "#c9c0b0", "#a59a88", 0.05)
    things.stone_slab(0, 6, 0, 96, 52, 7, stone, 3)
    things.stone_slab(14, 20, -7, 150, 90, 9, surfaces.rock("slab2", "#b3a998", "#8c8272", 0.08), 7)
    with tagged("prop:pebbles"):
        things.pebbles(
            ((21.5, 12, 0, 5.2), (28, 6, 0, 3.4), (23, 3.2, 0, 2.2)),
            surfaces.rock("pebble", "#d8d2c6", "#b9b0a2", 0.03),
            5,
        )
    ground = mats.plain("ground", "#8d8a5c", 0.95, spread=0.25, grain=0.4, grain_scale=1.0)
    geo.box("ground", (3000, 3000, 2), ground, 0, location=(0, 600, -20))
    things.shrubs(
        [(x, 330 + 40 * (k % 3), -14 + 14 * (k % 2), 62) for k, x in enumerate(range(-260, 270, 52))], "#8ba36c", 420, 6
    )
    things.garden_view(900, -150, 300, 1.0, "#93a878", "#e4eef5")
    with tagged("occluder"):
        for k, (tip, tone) in enumerate(
            (((-9, -52, 11), "#7d9a60"), ((-17, -50, 17), "#8fa86e"), ((-5, -56, 5), "#86a068"))
        ):
            things.branch((-27, -52, -7), tip, 3, 12, 3.4, things.greens(tone, 2), 40 + k, 0.5)
    studio.world("#7a7a52", "#d5e0e6", "#a9cdf2", 0.75)
    sunlight(key)


def concrete_sun(key: Key) -> None:
    """Concrete plinth in hard sun, leaf shadows on the wall."""
    with tagged("paint:wall", "wall"):
        geo.box("wall", (1400, 10, 700), surfaces.plaster("wall", "#e4d3c3", 0.06), 0, location=(0, 49, -60))
    geo.box("plinth", (46, 42, 40), surfaces.concrete("plinth", "#c4bfb7"), 0.5, 3, (0, 3, -40))
    geo.box("plinth", (40, 30, 40), surfaces.concrete("plinth2", "#b4aea6"), 0.5, 3, (46, 24, -28.5))
    things.leaf_gobo(
        key.towards(),
        85,
        (
            ((-44, 49, 58), (-9, 49, 33)),
            ((-8, 49, 76), (12, 49, 48)),
            ((34, 49, 70), (20, 49, 38)),
            ((-34, 2, 0), (-12, 13, 0)),
        ),
        14,
        1.9,
    )
    with tagged("occluder"):
        for k, tip in enumerate(((16, -44, 37), (22, -46, 31))):
            things.branch((31, -50, 43), tip, 1.5, 15, 5.5, things.greens("#6d8c55", 2), 60 + k, 0.26)
    studio.world("#a08468", "#d9cdbf", "#bcd3ea", 0.65)
    sunlight(key)


def marble_vanity(key: Key) -> None:
    """Marble top before a blush wall; tray, candle and dried grass; a blurred flower in front."""
    geo.box("top", (320, 110, 4), surfaces.marble("top", "#eceae6", "#9a979a", 0.13, 1.3), 0.6, location=(0, 0, -4))
    geo.box("splash", (320, 2, 9), surfaces.marble("splash", "#eceae6", "#9a979a", 0.13, 1.3), 0.3, location=(0, 53, 0))
    with tagged("paint:wall", "wall"):
        geo.box("wall", (1400, 10, 700), surfaces.plaster("wall", "#dcc2b4", 0.04), 0, location=(0, 59, -60))
    brass = mats.metal("brass", "#d0a860", 0.24)
    with tagged("prop:candle"):
        things.tray(28, 19, 0, 9.5, brass)
        things.candle(26, 20, 0.3, 3.4, 9.5, mats.plain("wax", "#efe6d6", 0.5, subsurface=0.2))
        things.candle(32, 17, 0.3, 2.6, 5.5, mats.plain("wax", "#efe6d6", 0.5, subsurface=0.2))
    things.vase(-30, 34, 0, 17, 6.4, mats.plain("vase", "#f1ede7", 0.3, coat=0.2, spread=0.02))
    things.bouquet(-30, 34, 16, 27, 15, 8, 13, "#b8a78a", 3.0, 0.3, 16, "#a08f6f")
    with tagged("occluder"):
        for k, tip in enumerate(((-12, -40, 11), (-16, -42, 16), (-7, -44, 6))):
            things.branch((-24, -42, -7), tip, 2.0, 13, 2.8, things.greens("#cdb79c", 2), 80 + k, 0.6)
    studio.world("#6d625a", "#b9b1aa", "#e1e1e1", 0.6)
    window_light(key, 150)


def shelf_neighbours(key: Key) -> None:
    """Oak wall shelf with room between books and ceramics."""
    with tagged("paint:wall", "wall"):
        geo.box("wall", (1400, 10, 700), surfaces.plaster("wall", "#e8e2d8", 0.05), 0, location=(0, 19, -200))
    geo.box("shelf", (260, 28, 3.2), mats.wood("shelf", OAK, 0.42), 0.25, location=(0, 0, -3.2))
    things.books(-50, 2, 0, ("#d8cbb5", "#7d8b7a", "#a9674c", "#e7e0d3", "#4b5a63", "#c9a36a"), 9)
    with tagged("prop:ceramics"):
        things.vase(29, 4, 0, 24, 8.0, mats.plain("vase", "#c9b8a4", 0.65, spread=0.06, grain=0.03, grain_scale=5))
        things.bowl(45, 1, 0, 7.5, 6.5, mats.plain("bowl", "#5f6f68", 0.35, spread=0.05, grain=0.01))
    studio.world("#5d554d", "#b3ada5", "#dedfe0", 0.65)
    window_light(key, 190)


SHOTS = (
    Shot(
        name="kitchen-counter",
        title="Kitchen counter, pale stone before hand-made tiles",
        kind="interior",
        suits=("food", "drink", "kitchen", "juice", "homewares", "mugs", "glassware", "barware", "serving", "dining"),
        tags=("stone", "tiles", "counter", "kitchen", "morning", "bright", "fresh", "modern"),
        height_cm=(6, 34),
        build=kitchen_counter,
        key=Key(-62, 36, 17, 1.08, WINDOW),
        distance_cm=135,
        elevation_deg=11,
        focal_mm=70,
        at=(0.5, 0.78),
        spots=(Spot("middle", 0, 0, 24, 6, 36), Spot("left", -22, -1, 18, 5, 36), Spot("right", 20, -5, 14, 4, 34)),
        roughness=0.28,
        paints=(Paint("tiles", ("#e4e3da", "#a9bfae", "#d8b49c", "#8fa6b5", "#f1ece2")),),
        props=(Prop("herbs"), Prop("lemons", ("right",))),
    ),
    Shot(
        name="studio-podium",
        title="Round podiums before an arch, three paints",
        kind="studio",
        suits=(),
        tags=("podium", "studio", "soft", "bright", "minimal", "modern", "luxurious"),
        height_cm=(4, 30),
        build=studio_podium,
        key=Key(-48, 46, 14, 0.85),
        distance_cm=165,
        elevation_deg=9,
        focal_mm=75,
        at=(0.5, 0.74),
        size=(1200, 1600),
        roughness=0.8,
        spots=(Spot("podium", 0, -2, 30, 7, 38),),
        paints=(
            Paint("backdrop", ("#d9c6b4", "#cfd8d2", "#e7d0cf", "#c7cfdd", "#efe9df")),
            Paint("arch", ("#c99f86", "#8fa899", "#c78f90", "#7f92b3", "#d9bf8c")),
            Paint("podium", ("#e9dccd", "#e3e8e3", "#f0e1df", "#dfe4ec", "#f6f2ea")),
        ),
        props=(Prop("ball"),),
    ),
    Shot(
        name="oak-table-window",
        title="Oak table by a window, morning sun",
        kind="interior",
        suits=(
            "food",
            "drink",
            "kitchen",
            "juice",
            "homewares",
            "vases",
            "lighting",
            "mugs",
            "glassware",
            "barware",
            "serving",
            "dining",
        ),
        tags=(
            "wood",
            "oak",
            "table",
            "dining-room",
            "kitchen",
            "window",
            "morning",
            "sun",
            "autumn",
            "cosy",
            "natural",
        ),
        height_cm=(6, 40),
        build=oak_table_window,
        key=Key(-82, 36, 1.5, 1.7, WARM_SUN),
        distance_cm=150,
        elevation_deg=10,
        focal_mm=70,
        f_number=4.5,
        at=(0.5, 0.79),
        spots=(Spot("middle", 0, 0, 26, 7, 42), Spot("left", -22, -3, 16, 6, 40), Spot("right", 21, -7, 14, 5, 38)),
        roughness=0.36,
        paints=(Paint("wall", ("#e4dccf", "#c9d0c3", "#d9c3b0", "#b9c4cc")),),
        props=(Prop("branches"),),
    ),
    Shot(
        name="bathroom-shelf",
        title="Bathroom ledge, sage tiles and towels",
        kind="interior",
        suits=("beauty", "bath", "cosmetics", "skin", "hair", "soap", "candle", "glassware", "vases"),
        tags=("tiles", "shelf", "bathroom", "window", "morning", "spring", "soft", "bright", "fresh", "natural"),
        height_cm=(4, 30),
        build=bathroom_shelf,
        key=Key(54, 42, 18, 1.2, WINDOW),
        distance_cm=125,
        elevation_deg=8,
        focal_mm=78,
        at=(0.5, 0.73),
        size=(1200, 1600),
        spots=(Spot("middle", -1, -2, 18, 3, 34), Spot("left", -17, -5, 11, 2, 30)),
        roughness=0.6,
        paints=(Paint("tiles", ("#a9b5a2", "#e8e3d8", "#c98f73", "#7f95a3")),),
        props=(Prop("eucalyptus", ("left",)),),
    ),
    Shot(
        name="desk",
        title="Walnut desk before a painted wall",
        kind="interior",
        suits=(
            "electronics",
            "headphones",
            "books",
            "audiobook",
            "stationery",
            "gift",
            "mugs",
            "sunglasses",
            "lighting",
        ),
        tags=("wood", "walnut", "desk", "table", "office", "afternoon", "warm", "modern"),
        height_cm=(3, 38),
        build=desk,
        key=Key(64, 38, 1.5, 2.1, WARM_SUN),
        distance_cm=140,
        elevation_deg=12,
        focal_mm=70,
        f_number=5.0,
        at=(0.48, 0.78),
        spots=(Spot("middle", 0, 0, 28, 7, 40), Spot("left", -23, -2, 16, 6, 38), Spot("right", 21, -8, 13, 5, 36)),
        roughness=0.34,
        paints=(Paint("wall", ("#7e9189", "#8a5a4a", "#47566e", "#d8cdbd", "#b08a4f")),),
        props=(Prop("pencils"),),
    ),
    Shot(
        name="floor-window",
        title="Oak floor by a window, for tall things",
        kind="interior",
        suits=("furniture", "chairs", "lighting", "bags", "home", "vases"),
        tags=("wood", "oak", "floor", "living-room", "window", "afternoon", "spring", "bright", "natural"),
        height_cm=(25, 115),
        build=floor_window,
        key=Key(-58, 40, 1.2, 1.35, WARM_SUN),
        distance_cm=420,
        elevation_deg=9,
        focal_mm=75,
        f_number=4.0,
        at=(0.46, 0.8),
        size=(1200, 1600),
        spots=(Spot("middle", 0, 0, 70, 22, 130), Spot("left", -60, 6, 46, 20, 120)),
        roughness=0.4,
        paints=(Paint("wall", ("#e6dfd5", "#c7cdc2", "#d9c2b2", "#b7c0cb", "#cfc7bb")),),
        props=(Prop("plant"),),
    ),
    Shot(
        name="sofa-seat",
        title="Linen sofa in window light",
        kind="interior",
        suits=("cushions", "bags", "totes", "sweatshirts", "clothing", "beanies", "toys", "homewares"),
        tags=("linen", "sofa", "living-room", "window", "autumn", "winter", "soft", "cosy", "natural"),
        height_cm=(15, 55),
        build=sofa_seat,
        key=Key(-58, 46, 1.5, 1.5, WARM_SUN),
        distance_cm=300,
        elevation_deg=13,
        focal_mm=70,
        f_number=3.5,
        at=(0.48, 0.78),
        spots=(Spot("middle", 0, -2, 64, 14, 62), Spot("left", -63, 13, 21, 6, 50), Spot("right", 63.5, 13, 28, 6, 50)),
        roughness=0.9,
        paints=(
            Paint("sofa", ("#b9b2a4", "#8fa19a", "#b98d73", "#7f8ea3")),
            Paint("wall", ("#ddd4c6", "#c3cbbf", "#d8c0b0", "#bcc3cc")),
        ),
        props=(Prop("cushion", ("right",)),),
    ),
    Shot(
        name="stone-garden",
        title="Limestone in a garden, afternoon sun",
        kind="outdoors",
        suits=("food", "drink", "juice", "beauty", "skin", "shoes", "sneakers", "sunglasses", "candle", "bottles"),
        tags=("stone", "garden", "outdoors", "afternoon", "sun", "spring", "summer", "natural", "fresh"),
        height_cm=(4, 32),
        build=stone_garden,
        key=Key(-50, 42, 0.8, 1.5, WARM_SUN),
        distance_cm=130,
        elevation_deg=11,
        focal_mm=75,
        f_number=2.8,
        at=(0.52, 0.77),
        spots=(Spot("middle", 0, 0, 26, 6, 34), Spot("right", 21, -3, 15, 4, 33)),
        roughness=0.85,
        occluder=True,
        props=(Prop("pebbles", ("right",)),),
    ),
    Shot(
        name="concrete-sun",
        title="Concrete plinth in hard sun, leaf shadows",
        kind="studio",
        suits=(),
        tags=("concrete", "podium", "outdoors", "sun", "afternoon", "summer", "minimal", "modern"),
        height_cm=(4, 34),
        build=concrete_sun,
        key=Key(-42, 44, 0.53, 1.35, "#FFF2E2"),
        distance_cm=150,
        elevation_deg=9,
        focal_mm=75,
        at=(0.47, 0.76),
        size=(1200, 1600),
        roughness=0.7,
        occluder=True,
        spots=(Spot("plinth", 0, -2, 36, 8, 40),),
        paints=(Paint("wall", ("#e4d3c3", "#c9d3c6", "#e0b7ab", "#b9c9d8", "#efe4d2")),),
    ),
    Shot(
        name="marble-vanity",
        title="Marble vanity before a blush wall",
        kind="interior",
        suits=("beauty", "cosmetics", "skin", "hair", "perfume", "jewellery", "candle", "glassware", "bath"),
        tags=("marble", "stone", "counter", "bathroom", "bedroom", "soft", "luxurious", "romantic"),
        height_cm=(3, 28),
        build=marble_vanity,
        key=Key(-52, 40, 15, 0.93, WINDOW),
        distance_cm=115,
        elevation_deg=11,
        focal_mm=75,
        f_number=4.5,
        at=(0.52, 0.77),
        spots=(Spot("middle", 0, 0, 22, 6, 30), Spot("right", 18.5, -3, 12, 4, 29)),
        roughness=0.13,
        occluder=True,
        paints=(Paint("wall", ("#dcc2b4", "#c5cfc3", "#e6dfd4", "#b8c3d0", "#caa58f")),),
        props=(Prop("candle"),),
    ),
    Shot(
        name="shelf-neighbours",
        title="Oak shelf between books and ceramics",
        kind="interior",
        suits=(
            "books",
            "audiobook",
            "homewares",
            "vases",
            "mugs",
            "lighting",
            "electronics",
            "candle",
            "barware",
            "gift",
            "headphones",
        ),
        tags=("wood", "oak", "shelf", "living-room", "soft", "warm", "autumn", "cosy"),
        height_cm=(6, 38),
        build=shelf_neighbours,
        key=Key(-44, 44, 12, 0.9, WINDOW),
        distance_cm=170,
        elevation_deg=5,
        focal_mm=75,
        f_number=6.3,
        at=(0.5, 0.74),
        spots=(Spot("middle", 0, -1, 26, 4, 40), Spot("left", -20.5, -1, 13, 4, 38)),
        roughness=0.42,
        paints=(Paint("wall", ("#e8e2d8", "#b7c2b4", "#cf9f86", "#8796a6", "#d9c08f")),),
        props=(Prop("ceramics"),),
    ),
)
