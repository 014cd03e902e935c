"""Colours of a person's surface from the pictures of a clip: every vertex where it is seen, the median over the frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mrs.body import Body, load_body
from mrs.cameras import Camera
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.render.appearance import Appearance
from mrs.render.clip import Clip
from mrs.render.raster import find_faces
from mrs.render.scene import ground_levels, vertex_normals
from mrs.tracks import MASK_SIDE

VERSION = 2
SCALE = 0.5
FRAMES = 90
DEPTH_TOLERANCE_M = 0.05
LEAST_COSINE = 0.25
RIM_OF_HEIGHT = 0.02
OUTSIDE_MASK = 0.02
LIKE_BACKGROUND = 0.03
LIGHT_DOUBT, LIGHT_MOST = 0.01, 0.6
DISTINCT = 36.0
ENOUGH, OF_FRAMES = 0.3, 12


@dataclass(frozen=True)
class Samples:
    """What N pictures say of the V vertices: colours (N, V, 3) uint8, weights (N, V), 0 where hidden, normals (N, V, 3) in the world."""

    colours: np.ndarray
    weights: np.ndarray
    normals: np.ndarray

    def light(self) -> np.ndarray:
        """The vector L (3,) whose 1 + L n says best how bright a vertex is as its normal n turns; small where little turns.

        Least squares on the brightness over its own mean, twice, the second time without the worst tenth; at most LIGHT_MOST long.
        """
        shown = self.weights > 0
        bright = self.colours.astype(np.float32).mean(-1) + 4
        share = self.weights / np.maximum(self.weights.sum(0), 1e-6)
        off = bright / np.maximum((share * bright).sum(0), 1e-6) - 1
        turned = self.normals - (share[..., None] * self.normals).sum(0)
        light = np.zeros(3)
        for _ in range(2):
            left = np.abs(off - turned @ light)
            near = shown & (left <= (np.quantile(left[shown], 0.9) if shown.any() else 0)) & (np.abs(off) < 0.8)
            weight, rows = self.weights[near], turned[near].astype(float)
            normal = (rows * weight[:, None]).T @ rows + LIGHT_DOUBT * shown.sum() * np.eye(3)
            light = np.linalg.solve(normal, (rows * weight[:, None]).T @ off[near])
        return light * min(1.0, LIGHT_MOST / max(np.linalg.norm(light), 1e-9))

    def unlit(self, light: np.ndarray) -> Samples:
        """The same as in even light."""
        lit = np.clip(1 + self.normals @ light, 0.4, 2.5)
        return replace(self, colours=np.clip(self.colours / lit[..., None], 0, 255).round().astype(np.uint8))

    def median(self) -> np.ndarray:
        """Weighted median (V, 3) of each channel."""
        order = np.argsort(self.colours, 0)
        weights = np.cumsum(np.take_along_axis(np.broadcast_to(self.weights[..., None], order.shape), order, 0), 0)
        half = (weights < weights[-1:] / 2).sum(0)
        return np.take_along_axis(self.colours, np.take_along_axis(order, half[None].clip(max=len(order) - 1), 0), 0)[0]


def gather(clip: Clip, frames: int = FRAMES, shown=lambda done, total: None) -> Appearance:
    """Gather how the clip's person looks, and what is behind them. Raises InputError where no picture shows them."""
    from mrs.render import background, fill

    behind, free, notes = background.background_and_free(clip)
    rows = clip.rows(frames)
    samples, masked = sample(clip, rows, behind, free, shown)
    body = load_body(clip.motion.body)
    weight = samples.weights.sum(0)
    known = weight >= ENOUGH * min(len(samples.weights) / OF_FRAMES, 1.0)
    if not known.any():
        raise InputError(f"Expected pictures of person {clip.person}, but none of {len(rows)} frames shows their body: it is outside the "
                         "picture or behind others. Choose another --person, or another clip.")
    light = samples.light()
    colours = fill.filled(body, samples.unlit(light).median().astype(float), known)
    notes = [*notes, *masked, *fill.unseen_notes(body, known)]
    ground = ground_levels(clip.motion)
    camera = clip.camera.at(0)
    if behind is not None:
        from mrs.render.clip import scaled_to

        camera = scaled_to(camera, (behind.shape[1], behind.shape[0]))
    return Appearance(np.round(colours).clip(0, 255).astype(np.uint8), (samples.weights > 0).sum(0) * known, clip.motion.betas, behind,
                      camera, clip.motion.body, _place(clip.motion, ground), light, tuple(notes), clip=clip)


def _place(motion: Motion, ground: np.ndarray) -> np.ndarray:
    """Where the person starts: x, ground, z in metres and the heading in radians."""
    from mrs.world import heading_rad

    return np.array([motion.root_pos_m[0, 0], ground[0], motion.root_pos_m[0, 2], heading_rad(motion)])


def sample(clip: Clip, rows: np.ndarray, behind: np.ndarray | None, free: np.ndarray | None,
           shown=lambda done, total: None) -> tuple[Samples, list[str]]:
    """Take the colours at `rows` of the motion; also a line where the clip's masks could not be used."""
    import cv2

    body, camera, size = load_body(clip.motion.body), clip.camera, clip.size_px
    small = (max(round(size[0] * SCALE), 1), max(round(size[1] * SCALE), 1))
    if behind is not None:
        behind = cv2.resize(behind, small, interpolation=cv2.INTER_AREA)
        free = cv2.resize(free.astype(np.uint8), small, interpolation=cv2.INTER_NEAREST) > 0
    masks, notes = _Masks.of(clip)
    colours, weights, normals = [], [], []
    vertices = body.vertices(clip.motion, rows)
    for number, (row, frame) in enumerate(clip.frames(rows)):
        points = vertices[np.searchsorted(rows, row)]
        view = _View(body, points, camera.at(row), size, [(o, _row_at(o, frame.time_s)) for o in clip.others])
        rgb = cv2.resize(frame.rgb, small, interpolation=cv2.INTER_AREA)
        colour, weight = view.taken(rgb, behind, free)
        weight *= masks.at(row, view.pixels) * (body.weights @ clip.motion.confidence[row]).clip(0.05, 1)
        colours.append(colour)
        weights.append(weight)
        normals.append(view.normals)
        shown(number + 1, len(rows))
    if not colours:
        raise InputError(f"Expected pictures of person {clip.person}, but none of the run's frames can be read.")
    return Samples(np.stack(colours), np.stack(weights).astype(np.float32), np.stack(normals).astype(np.float32)), notes


def _row_at(motion: Motion, time_s: float) -> int:
    """Row of a motion at a time, or -1 where the person is not there."""
    row = int(np.argmin(np.abs(motion.times_s - time_s)))
    return row if abs(motion.times_s[row] - time_s) < 0.02 else -1


class _View:
    """One picture of the body: which vertices it shows, and how well."""

    def __init__(self, body: Body, points: np.ndarray, camera: Camera, size_px: tuple[int, int], others):
        self.size_px, self.points = size_px, points
        self.normals = vertex_normals(points, body.faces)
        away = points - camera.centre_m
        self.cosine = -(self.normals * away).sum(1) / np.linalg.norm(away, axis=1)
        seen = camera.to_camera(points)
        self.faces = find_faces(seen, body.faces, camera.K, size_px, SCALE)
        self.depth = seen[:, 2]
        self.pixels = np.full((len(points), 2), np.nan) if self.faces is None else self.faces.pixels
        self.map = _depth_map(self.faces, body.faces, size_px)
        self.before = [_depth_map(_others_faces(motion, row, camera, size_px), body.faces, size_px)
                       for motion, row in others if row >= 0]

    def taken(self, rgb: np.ndarray, behind: np.ndarray | None, free: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Colours (V, 3) uint8 of a picture of half the size, and weights (V,): 0 where the vertex is hidden or at the body's rim."""
        import cv2

        height, width = rgb.shape[:2]
        with np.errstate(invalid="ignore"):
            at = np.floor(np.nan_to_num(self.pixels, nan=-1e6) * SCALE).astype(int)
        inside = (at >= 0).all(1) & (at < [width, height]).all(1)
        x, y = np.where(inside[:, None], at, 0).T
        shown = inside & (self.cosine > LEAST_COSINE) & (self.depth < self.map[y, x] + DEPTH_TOLERANCE_M)
        for before in self.before:
            shown &= self.depth < before[y, x] + DEPTH_TOLERANCE_M
        rim = max(RIM_OF_HEIGHT * self._height_px() * SCALE, 1.0)
        within = cv2.distanceTransform(np.isfinite(self.map).astype(np.uint8), cv2.DIST_L2, 3)[y, x]
        weight = shown * self.cosine * np.clip((within - 0.5) / rim, 0, 1)
        colour = rgb[y, x]
        if behind is not None:
            off = np.abs(colour.astype(int) - behind[y, x]).max(1)
            weight = weight * np.where(free[y, x], np.clip(off / DISTINCT, LIKE_BACKGROUND, 1), 1)
        return colour, weight

    def _height_px(self) -> float:
        known = self.pixels[np.isfinite(self.pixels[:, 0])]
        return float(np.linalg.norm(np.ptp(known, axis=0))) if len(known) else 1.0


def _others_faces(motion: Motion, row: int, camera: Camera, size_px):
    body = load_body(motion.body)
    return find_faces(camera.to_camera(body.vertices(motion, slice(row, row + 1))[0]), body.faces, camera.K, size_px, SCALE)


def _depth_map(found, faces: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Depth (h, w) in metres of the surface at half the picture's size, infinite where there is none."""
    width, height = (max(round(n * SCALE), 1) for n in size_px)
    depth = np.full((height, width), np.inf, np.float32)
    if found is not None:
        of_face = np.append(found.depth_m[faces].mean(1), np.inf).astype(np.float32)
        cut = of_face[found.ids]
        x0, y0 = int(found.x0 * SCALE), int(found.y0 * SCALE)
        cut = cut[: height - y0, : width - x0]
        depth[y0 : y0 + cut.shape[0], x0 : x0 + cut.shape[1]] = cut
    return depth


@dataclass(frozen=True)
class _Masks:
    """The person's own masks, where the detector made them: bits (T, S, S) and px to cell (T, 2, 3)."""

    bits: np.ndarray | None = None
    to_px: np.ndarray | None = None

    @classmethod
    def of(cls, clip: Clip) -> tuple[_Masks, list[str]]:
        """Read the track's masks; a size that is not MASK_SIDE leaves them out, and says so."""
        track = clip.track
        if track.masks is None or track.mask_to_px is None or len(track) != len(clip.motion):
            return cls(), []
        if track.masks.shape != (len(track), MASK_SIDE * MASK_SIDE // 8) or track.mask_to_px.shape != (len(track), 2, 3):
            note = (f"The masks of person {track.person} are not {MASK_SIDE} x {MASK_SIDE} cells, so they are left out: edges may carry the "
                    "background's colour.")
            return cls(), [note]
        bits = np.unpackbits(track.masks, axis=1).reshape(-1, MASK_SIDE, MASK_SIDE).astype(bool)
        return cls(bits, track.mask_to_px), []

    def at(self, row: int, pixels: np.ndarray) -> np.ndarray:
        """Weights (V,): 1 inside the mask, OUTSIDE_MASK out of it, 1 everywhere where the frame has none."""
        if self.bits is None or not self.bits[row].any() or abs(np.linalg.det(self.to_px[row][:, :2])) < 1e-9:
            return np.ones(len(pixels))
        affine = self.to_px[row]
        cells = np.nan_to_num(pixels - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
        at = np.round(cells).astype(int)
        known = (at >= 0).all(1) & (at < MASK_SIDE).all(1)
        x, y = np.where(known[:, None], at, 0).T
        return np.where(known & self.bits[row][y, x], 1.0, OUTSIDE_MASK)
