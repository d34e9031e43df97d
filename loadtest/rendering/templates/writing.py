"""How layers are written: light as sRGB pictures, maps as 16-bit PNG, the template's own file."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

QUALITY = 94


def write_light(path: Path, light: np.ndarray) -> None:
    """Linear light (h, w, 3), clipped to 0..1, as sRGB."""
    light = np.clip(light, 0, 1)
    code = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    picture = Image.fromarray(np.rint(code * 255).astype(np.uint8))
    picture.save(path, quality=QUALITY, optimize=True, subsampling=0)


def write_grey(path: Path, share: np.ndarray) -> None:
    """A share (h, w; 0..1) as 8-bit grey."""
    Image.fromarray(np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)).save(path, optimize=True)


def write_map(path: Path, places: np.ndarray, coverage: np.ndarray) -> None:
    """u, v and coverage (0..1) as red, green and blue of a 16-bit PNG, which Pillow cannot write."""
    whole = np.rint(np.dstack([places, coverage]) * 65535).astype(">u2")
    whole[coverage < 0.5 / 255] = 0
    height, width, _ = whole.shape
    rows = whole.view(np.uint8).reshape(height, width * 6).astype(np.int16)
    before = np.zeros_like(rows)
    before[1:] = rows[:-1]
    filtered = np.concatenate([np.full((height, 1), 2), (rows - before) & 255], axis=1).astype(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 9)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_yaml(path: Path, template, setting, side_px: int) -> None:
    """`template.yaml`: names, sizes in cm, files."""
    lines = [
        f"name: {template.name}",
        "version: 1",
        f"title: {template.title}",
        "source: rendered by loadtest/rendering/templates",
        "licence: Apache-2.0",
        f"size: {{width_px: {side_px}, height_px: {side_px}}}",
        "plate: plate.jpg",
        f'product: {{light: shading.jpg, mask: product.png, color: "{template.product}", '
        f"paintable: {str(template.paintable).lower()}}}",
        f'background: {{light: ground.jpg, color: "{template.ground}"}}',
        "maps:",
    ]
    lines += [
        f"  - {{name: {name}, file: {name}.png, width_cm: {s.width_cm:g}, height_cm: {s.height_cm:g}}}"
        for name, s in setting.maps.items()
    ]
    lines.append("areas:")
    for name, on, left, top, width, height in template.areas:
        lines.append(
            f"  - {{name: {name}, map: {on}, left_cm: {left:g}, top_cm: {top:g}, width_cm: {width:g}, "
            f"height_cm: {height:g}}}"
        )
    path.write_text("\n".join(lines) + "\n")
