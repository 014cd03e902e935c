"""Contact sheets: rows of small pictures in one PNG, written without a picture library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from mrs.npz import atomic_path


def to_bytes(picture) -> np.ndarray:
    """A batch (B, 3, S, S) in -1..1 of torch as uint8 (B, S, S, 3)."""
    return ((picture.detach().float().permute(0, 2, 3, 1).cpu().numpy() + 1) * 127.5 + 0.5).clip(0, 255).astype(np.uint8)


def from_bytes(pictures: np.ndarray, device="cpu"):
    """uint8 (B, S, S, 3) as a batch (B, 3, S, S) of torch in -1..1."""
    import torch

    return torch.as_tensor(np.ascontiguousarray(pictures), device=device).permute(0, 3, 1, 2).float() / 127.5 - 1


def sheet(rows: list[np.ndarray], gap_px: int = 2) -> np.ndarray:
    """Lay rows of pictures, each (N, h, w, 3), below each other on white."""
    lines = []
    for row in rows:
        height = row.shape[1]
        cells = [cell for picture in row for cell in (picture, np.full((height, gap_px, 3), 255, np.uint8))]
        lines += [np.concatenate(cells[:-1], 1)]
    width = max(line.shape[1] for line in lines)
    padded = [np.pad(line, ((0, gap_px), (0, width - line.shape[1]), (0, 0)), constant_values=255) for line in lines]
    return np.concatenate(padded, 0)


def write_png(path: Path, rgb: np.ndarray) -> None:
    """Write (h, w, 3) uint8 as PNG, atomically."""
    height, width = rgb.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), np.ascontiguousarray(rgb).reshape(height, -1)], 1)
    parts = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.writelines(struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in parts)
