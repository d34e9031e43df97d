"""What a body's model.yaml says."""

from __future__ import annotations

from bodies import Figure
from studio import CAMERA_M, STUDIO


def described(made: Figure) -> dict[str, object]:
    """What model.yaml says of a body."""
    body = made.body
    boxes = [
        {"name": each.name, "place_m": [*each.place], "target_m": [*each.target], "side_m": each.side_m, "watts": each.watts}
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
        "size": body.size,
        "height_cm": round(made.height_m * 100, 1),
        "chest_cm": round(made.chest_m * 100, 1),
        "mesh": "body.npz",
        "camera": {"distance_m": CAMERA_M, "top_m": round(made.top_m, 4), "bottom_m": round(made.bottom_m, 4)},
        "light": {"boxes": boxes, "room": STUDIO.room, "paper": [*STUDIO.paper]},
        "joints_m": {name: [round(float(value), 4) for value in at] for name, at in made.joints.items()},
    }
