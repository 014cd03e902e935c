"""Draw bodies into pictures without a graphics library: shaded triangles from back to front, bones, text."""

from __future__ import annotations

import numpy as np

from mrs.skeletons import SMPL_24, SMPL_PARENTS

NEAR_M = 0.05
PALETTE = ((64, 170, 255), (255, 140, 50), (110, 205, 90), (235, 95, 165), (170, 125, 245), (245, 205, 60),
           (70, 210, 200), (225, 90, 80))
_SUBPIXEL_BITS = 3
_DARK = 80
_AROUND = [(across, down) for across in (-1, 0, 1) for down in (-1, 0, 1) if across or down]
_LIGHT = np.array([-0.35, -0.65, -0.68])
_RIGHT = [name.startswith("right") for name in SMPL_24.names]
_LEFT = [name.startswith("left") for name in SMPL_24.names]


def person_colour(number: int) -> tuple[int, int, int]:
    """Return the RGB colour of a person's id."""
    return PALETTE[(number - 1) % len(PALETTE)]


def to_pixels(points_camera: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Project points (..., 3) in the camera frame to pixels (..., 2); those nearer than NEAR_M give NaN."""
    depth = np.where(points_camera[..., 2:] > NEAR_M, points_camera[..., 2:], np.nan)
    return points_camera[..., :2] / depth * [K[0, 0], K[1, 1]] + K[:2, 2]


def paint_mesh(rgb: np.ndarray, points_camera: np.ndarray, faces: np.ndarray, K: np.ndarray,
               colour: tuple[int, int, int] | np.ndarray, opacity: float) -> tuple[float, float, float, float] | None:
    """Blend a shaded mesh into `rgb` in place; return its box in pixels x0, y0, x1, y1, or None where nothing shows.

    `colour` is one for all, or one for each face (F, 3). points_camera (V, 3) metres, faces (F, 3) counter-clockwise seen from outside. Painter's algorithm: faces that look
    away are dropped, the rest drawn from far to near; triangles that reach nearer than NEAR_M are dropped.
    """
    import cv2

    pixels = to_pixels(points_camera, K)
    corners = points_camera[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    whole = np.isfinite(pixels[faces, 0]).all(1)
    front = np.flatnonzero(whole & ((normals * corners[:, 0]).sum(1) < 0))
    crop = _crop_of(pixels[faces[front]], rgb.shape)
    if crop is None:
        return None
    x0, y0, x1, y1 = crop
    order = front[np.argsort(-corners[front, :, 2].mean(1))]
    reach = 4 * max(rgb.shape[:2])
    triangles = np.clip(pixels[faces[order]] - [x0, y0], -reach, reach)
    triangles = np.round(triangles * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    shades = _shades(points_camera, faces, normals)[order, None] * np.broadcast_to(colour, (len(faces), 3))[order]
    below = rgb[y0:y1, x0:x1]
    layer = cv2.cvtColor(below, cv2.COLOR_RGB2RGBA)
    layer[..., 3] = 0
    for triangle, shade in zip(triangles, np.minimum(np.insert(shades, 3, 255, 1), 255).tolist(), strict=True):
        cv2.fillConvexPoly(layer, triangle, shade, cv2.LINE_8, _SUBPIXEL_BITS)
    share = cv2.blur(layer[..., 3], (3, 3)).astype(np.float32) * np.float32(opacity / 255)
    below[:] = cv2.blendLinear(cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), np.ascontiguousarray(below), share, 1 - share)
    seen = pixels[np.isfinite(pixels[:, 0])]
    return (*seen.min(0), *seen.max(0))


def _crop_of(pixels: np.ndarray, shape) -> tuple[int, int, int, int] | None:
    """Whole-pixel box of the triangles within the picture, with a rim for the soft edge."""
    if not len(pixels):
        return None
    low = np.maximum(np.floor(pixels.min((0, 1))) - 2, 0)
    high = np.minimum(np.ceil(pixels.max((0, 1))) + 3, shape[1::-1])
    return (*low.astype(int), *high.astype(int)) if (high > low).all() else None


def _shades(points: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Brightness (F,) of faces: Lambert on normals that are smoothed over the vertices, plus ambient light."""
    vertex = np.stack([np.bincount(faces.ravel(), np.repeat(normals[:, axis], 3), len(points)) for axis in range(3)], 1)
    smooth = vertex[faces].sum(1)
    cosine = smooth @ _LIGHT / np.maximum(np.linalg.norm(smooth, axis=1), 1e-12)
    return 0.42 + 0.75 * np.maximum(cosine, 0)


def paint_skeleton(rgb: np.ndarray, pixels: np.ndarray, colour: tuple[int, int, int], width_px: float,
                   right_colour: tuple[int, int, int] | None = None) -> None:
    """Draw SMPL bones and joints at `pixels` (24, 2) in place; the left joints are white, the others dark.

    With `right_colour` there are no joints, and the right limbs' bones have that colour. Bones with an end that is NaN,
    or far outside the picture, are left out.
    """
    import cv2

    scale, reach = 1 << _SUBPIXEL_BITS, 4 * max(rgb.shape[:2])
    with np.errstate(invalid="ignore"):
        seen = (np.abs(pixels) < reach).all(1)
    points = np.round(np.where(seen[:, None], pixels, 0) * scale).astype(int).tolist()
    thick = max(round(width_px), 1)
    for joint, parent in enumerate(SMPL_PARENTS):
        if parent >= 0 and seen[joint] and seen[parent]:
            shown = right_colour if right_colour and _RIGHT[joint] else colour
            cv2.line(rgb, points[parent], points[joint], shown, thick, cv2.LINE_AA, _SUBPIXEL_BITS)
    for joint in np.flatnonzero(seen) if right_colour is None else ():
        fill = (255, 255, 255) if _LEFT[joint] else (40, 40, 40)
        cv2.circle(rgb, points[joint], round(0.9 * width_px * scale), fill, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def paint_text(rgb: np.ndarray, text: str, at_px: tuple[float, float], height_px: float, colour=(255, 255, 255), *,
               centred: bool = False) -> None:
    """Write `text` in place, its lower left (or lower middle) corner at `at_px`, kept inside; what is not dark is outlined in black.

    The outline is the text itself moved about: OpenCV 5 sets thicker letters wider, so that a thick copy would not lie under it.
    """
    import cv2

    font, scale = cv2.FONT_HERSHEY_SIMPLEX, height_px / 22
    thick = max(round(height_px / 12), 1)
    (width, height), rim = cv2.getTextSize(text, font, scale, thick)
    x = int(np.clip(at_px[0] - (width / 2 if centred else 0), 2, max(rgb.shape[1] - width - 2, 2)))
    y = int(np.clip(at_px[1], height + 2, max(rgb.shape[0] - rim, height + 2)))
    far = max(round(height_px / 18), 1) if max(colour) > _DARK else 0
    for across, down in _AROUND if far else ():
        cv2.putText(rgb, text, (x + far * across, y + far * down), font, scale, (0, 0, 0), thick, cv2.LINE_AA)
    cv2.putText(rgb, text, (x, y), font, scale, colour, thick, cv2.LINE_AA)
