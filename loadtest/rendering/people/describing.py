"""What a body's model.yaml says. Its size is read off its girth, not claimed."""

from __future__ import annotations

from bodies import Figure
from studio import CAMERA_M, STUDIO

# The upper ends of the chest's girth in cm, by EN 13402-3.
SIZES = {
    "woman": {"XS": 82, "S": 90, "M": 98, "L": 107, "XL": 119, "2XL": 131, "3XL": 143, "4XL": 155, "5XL": 167},
    "man": {"XS": 86, "S": 94, "M": 102, "L": 110, "XL": 118, "2XL": 129, "3XL": 141, "4XL": 154, "5XL": 166},
}


def size_of(presents: str, chest_cm: float) -> str:
    """The letter of a chest's girth. Raises ValueError beyond the largest."""
    for letter, upper_cm in SIZES[presents].items():
        if chest_cm <= upper_cm:
            return letter
    raise ValueError(f"a chest of {chest_cm} cm has no size")


def described(made: Figure) -> dict[str, object]:
    """What model.yaml says of a body."""
    body = made.body
    boxes = [
        {
            "name": each.name,
            "place_m": [*each.place],
            "target_m": [*each.target],
            "side_m": each.side_m,
            "watts": each.watts,
        }
        for each in STUDIO.boxes
    ]
    return {
        "name": body.name,
        "version": 1,
        "title": body.title,
        "source": "MakeHuman's base mesh and targets (CC0 1.0), posed by loadtest/rendering/people",
        "licence": "CC0-1.0",
        "virtual": True,
        "age_years": body.years,
        "presents": body.presents,
        "size": size_of(body.presents, made.chest_m * 100),
        "height_cm": round(made.height_m * 100, 1),
        "chest_cm": round(made.chest_m * 100, 1),
        "mesh": "body.npz",
        "camera": {"distance_m": CAMERA_M, "top_m": round(made.top_m, 4), "bottom_m": round(made.bottom_m, 4)},
        "light": {"boxes": boxes, "room": STUDIO.room, "paper": [*STUDIO.paper]},
        "joints_m": {name: [round(float(value), 4) for value in at] for name, at in made.joints.items()},
    }
