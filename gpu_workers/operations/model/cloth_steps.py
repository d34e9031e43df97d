"""What a frame of hanging cloth is, compiled: steps of extended position-based dynamics on plain arrays.

Lengths are metres, times seconds. `drape` says what the numbers are.
"""

import numpy as np

from gpu_workers.imaging.compiled import compiled

CELL_M = 0.03  # of the grid through which skin is found


@compiled("void(f8[:, ::1], i4[:, ::1], f8[:, ::1])")
def outer_normals(points, triangles, out):  # type: ignore[no-untyped-def]
    out[:] = 0.0
    for t in range(triangles.shape[0]):
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        for axis in range(3):
            one, two = (axis + 1) % 3, (axis + 2) % 3
            across = (b[one] - a[one]) * (c[two] - a[two]) - (b[two] - a[two]) * (c[one] - a[one])
            for corner in range(3):
                out[triangles[t, corner], axis] += across
    for i in range(points.shape[0]):
        size = (out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) ** 0.5 + 1e-12
        for axis in range(3):
            out[i, axis] /= size


@compiled(
    "void(f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], i8[::1], f8[::1], i8[::1], f8[::1], f8[:, ::1], f8, i8[::1])"
)
def nearest_skin(  # type: ignore[no-untyped-def]
    points, outwards, skin, normals, first, low, shape, arms, parts, facing, nearest
):
    for i in range(points.shape[0]):
        nearest[i] = -1
        cx = int((points[i, 0] - low[0]) / CELL_M)
        cy = int((points[i, 1] - low[1]) / CELL_M)
        cz = int((points[i, 2] - low[2]) / CELL_M)
        best = 4 * CELL_M * CELL_M
        for x in range(max(cx - 2, 0), min(cx + 3, shape[0])):
            for y in range(max(cy - 2, 0), min(cy + 3, shape[1])):
                cell = (x * shape[1] + y) * shape[2]
                low_z, high_z = max(cz - 2, 0), min(cz + 3, shape[2])
                if high_z <= low_z:
                    continue
                for k in range(first[cell + low_z], first[cell + high_z]):
                    dx, dy, dz = points[i, 0] - skin[k, 0], points[i, 1] - skin[k, 1], points[i, 2] - skin[k, 2]
                    far = dx * dx + dy * dy + dz * dz
                    if far >= best or arms[k] < parts[i, 0] or arms[k] > parts[i, 1]:
                        continue
                    cosine = 0.0
                    for axis in range(3):
                        cosine += outwards[i, axis] * normals[k, axis]
                    if cosine >= facing:
                        best, nearest[i] = far, k


@compiled("void(f8[:, ::1], i4[:, ::1], f8[::1], f8)")
def _hold(points, pairs, lengths, give):  # type: ignore[no-untyped-def]
    for k in range(pairs.shape[0]):
        i, j = pairs[k, 0], pairs[k, 1]
        dx, dy, dz = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1], points[i, 2] - points[j, 2]
        far = (dx * dx + dy * dy + dz * dz) ** 0.5 + 1e-9
        by = (lengths[k] - far) / far / (2.0 + give)
        points[i, 0] += by * dx
        points[i, 1] += by * dy
        points[i, 2] += by * dz
        points[j, 0] -= by * dx
        points[j, 1] -= by * dy
        points[j, 2] -= by * dz


@compiled("void(f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], i8[::1], f8, f8, f8)")
def _touch(points, before, skin, normals, moves, nearest, apart, deep, friction):  # type: ignore[no-untyped-def]
    for i in range(points.shape[0]):
        k = nearest[i]
        if k < 0:
            continue
        far = 0.0
        for axis in range(3):
            far += (points[i, axis] - skin[k, axis]) * normals[k, axis]
        if far >= apart or far <= -deep:
            continue
        along, whole = 0.0, 0.0
        for axis in range(3):
            points[i, axis] += (apart - far) * normals[k, axis]
            went = points[i, axis] - before[i, axis] - moves[k, axis]
            along += went * normals[k, axis]
            whole += went * went
        slid = max(whole - along * along, 0.0) ** 0.5
        held = min(1.0, friction * (apart - far) / (slid + 1e-12))
        for axis in range(3):
            points[i, axis] -= held * (points[i, axis] - before[i, axis] - moves[k, axis] - along * normals[k, axis])


@compiled(
    "void(f8[:, ::1], f8[:, ::1], i4[:, ::1], i4[:, ::1], f8[::1], i4[:, ::1], f8[::1], f8[:, ::1], f8[:, ::1], "
    "f8[:, ::1], i8[::1], f8[::1], i8[::1], f8[::1], f8[:, ::1], i8, i8, f8, f8, f8, f8, f8, f8, f8, f8, f8)"
)
def frame(  # type: ignore[no-untyped-def]
    points,
    speed,
    triangles,
    edges,
    lengths,
    across,
    wide,
    skin,
    normals,
    moves,
    first,
    low,
    shape,
    arms,
    parts,
    substeps,
    looked_every,
    dt,
    gravity,
    kept,
    fastest,
    bend,
    facing,
    apart,
    deep,
    friction,
):
    nearest = np.empty(points.shape[0], np.int64)
    before, outwards = np.empty_like(points), np.empty_like(points)
    for step in range(substeps):
        if step % looked_every == 0:
            outer_normals(points, triangles, outwards)
            nearest_skin(points, outwards, skin, normals, first, low, shape, arms, parts, facing, nearest)
        for i in range(points.shape[0]):
            speed[i, 2] -= gravity * dt
            fast = 0.0
            for axis in range(3):
                speed[i, axis] *= kept
                fast += speed[i, axis] * speed[i, axis]
            slow = min(1.0, fastest / (fast**0.5 + 1e-9))
            for axis in range(3):
                before[i, axis] = points[i, axis]
                points[i, axis] += speed[i, axis] * slow * dt
        _hold(points, edges, lengths, 0.0)
        _hold(points, across, wide, bend / (dt * dt))
        _touch(points, before, skin, normals, moves, nearest, apart, deep, friction)
        for i in range(points.shape[0]):
            for axis in range(3):
                speed[i, axis] = (points[i, axis] - before[i, axis]) / dt
