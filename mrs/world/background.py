"""How the camera turned between two pictures of the same background, people left out.

Pictures are reduced to WIDTH_PX. Corners of one are carried into the other by the turn that is expected, found there by
optical flow (Lucas and Kanade) between the turned picture and the other, and explained by one rotation: the best of many
from two rays each, refined by reweighted least squares. A turn that is not expected is looked for with ORB features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mrs import rotations

WIDTH_PX = 640
MOST_CORNERS = 300
APART_PX = 9
EDGE_PX = 8
NEAR_PX = 1.5
LEAST = 15
LEAST_SHARE = 0.35
PERSON_RIM = 0.12
FOCAL_SURE, FOCAL_LEAST, FOCAL_MATCHES = 0.08, 0.35, 100
_SAMPLES = 96
_FLOW = {"winSize": (17, 17), "maxLevel": 3, "criteria": (3, 20, 0.02), "minEigThreshold": 1e-3}


@dataclass(frozen=True)
class Lens:
    """The reduced picture's size and K: `scale` reduced pixels a pixel of the video."""

    size_px: tuple[int, int]
    K: np.ndarray
    scale: float

    @classmethod
    def of(cls, K: np.ndarray, size_px: tuple[int, int]) -> Lens:
        """Reduce to WIDTH_PX along the longer side; small pictures stay."""
        scale = min(WIDTH_PX / max(size_px), 1.0)
        small = tuple(max(round(v * scale), 1) for v in size_px)
        K = np.array(K, float)
        K[:2] *= scale
        K[:2, 2] += 0.5 * (scale - 1)
        return cls(small, K, scale)

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Directions (N, 2), x and y at z = 1, of pixels (N, 2)."""
        return (pixels - self.K[:2, 2]) / self.K[[0, 1], [0, 1]]

    def pixels(self, rays: np.ndarray) -> np.ndarray:
        """Pixels (N, 2) of directions (N, 2)."""
        return rays * self.K[[0, 1], [0, 1]] + self.K[:2, 2]

    def warp(self, turn: np.ndarray, before: float, after: float) -> np.ndarray:
        """Homography (3, 3) from pixels before to pixels after a turn, where the lens magnified by so much."""
        return self.K @ np.diag([after, after, 1.0]) @ turn @ np.diag([1 / before, 1 / before, 1.0]) @ np.linalg.inv(self.K)


class View:
    """A reduced grey picture and where its background is; `zoom` is its lens's magnification, 1 until told."""

    def __init__(self, rgb: np.ndarray, boxes_px: np.ndarray, lens: Lens):
        import cv2

        self.zoom = 1.0
        small = cv2.resize(rgb, lens.size_px, interpolation=cv2.INTER_AREA) if lens.scale < 1 else rgb
        self.gray, self.lens = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), lens
        self.mask = np.zeros(self.gray.shape, np.uint8)
        self.mask[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX] = 255
        for x0, y0, x1, y1 in np.asarray(boxes_px, float).reshape(-1, 4) * lens.scale:
            rim = PERSON_RIM * max(x1 - x0, y1 - y0)
            low = np.maximum([y0 - rim, x0 - rim], 0).astype(int)
            high = np.maximum([y1 + rim + 1, x1 + rim + 1], 0).astype(int)
            self.mask[low[0]:high[0], low[1]:high[1]] = 0

    @cached_property
    def corners(self) -> np.ndarray:
        """Corners (N, 2) of the background, in reduced pixels."""
        import cv2

        found = cv2.goodFeaturesToTrack(self.gray, MOST_CORNERS, 0.005, APART_PX, mask=self.mask)
        return np.zeros((0, 2), np.float32) if found is None else found[:, 0]

    @cached_property
    def features(self):
        """ORB keypoints (N, 2) and descriptors (N, 32) of the background."""
        import cv2

        points, descriptors = cv2.ORB.create(600).detectAndCompute(self.gray, self.mask)
        return np.array([p.pt for p in points]).reshape(-1, 2), descriptors

    def is_background(self, pixels: np.ndarray) -> np.ndarray:
        """Whether pixels (N, 2) are inside the picture and not on a person."""
        whole = np.round(np.nan_to_num(pixels, nan=-1.0).clip(-1e4, 1e4)).astype(int)
        height, width = self.mask.shape
        inside = (whole >= 0).all(1) & (whole[:, 0] < width) & (whole[:, 1] < height)
        x, y = np.where(inside[:, None], whole, 0).T
        return inside & (self.mask[y, x] > 0)


@dataclass(frozen=True)
class Turn:
    """What one picture says of the camera since another.

    R (3, 3) takes directions in the earlier camera to the later one. R_zoom and zoom (later over earlier) are the same
    where the lens may have zoomed. `seen` is the share of the earlier picture's corners that are in the later one, `share` that of them which the
    rotation, or rotation and zoom, explains to NEAR_PX, `count` their number. off_px is their median distance from where
    the rotation puts them, off_zoom_px that from where rotation and zoom do, in pixels of the video, and shift_px their
    median way in the picture. matches (N, 4) are all pairs of places in the reduced pictures.
    """

    R: np.ndarray
    R_zoom: np.ndarray
    zoom: float
    seen: float
    share: float
    count: int
    off_px: float
    off_zoom_px: float
    shift_px: float
    matches: np.ndarray | None = None

    @property
    def holds(self) -> bool:
        """Whether enough of the background agrees to trust it."""
        return self.count >= LEAST and self.share >= LEAST_SHARE

    @property
    def angle_deg(self) -> float:
        """How far the camera turned."""
        return float(np.degrees(np.linalg.norm(rotations.matrix_to_axis_angle(self.R))))


def turned(before: View, after: View, start: np.ndarray | None = None, zoom: float = 1.0) -> Turn | None:
    """Measure the turn between two views by optical flow from an expected turn and zoom; None where too little is seen."""
    import cv2

    lens, start = before.lens, np.eye(3) if start is None else start
    if len(before.corners) < LEAST:
        return None
    H = lens.warp(start, before.zoom, before.zoom * zoom)
    expected = cv2.perspectiveTransform(before.corners[:, None].astype(np.float64), H)[:, 0]
    ahead = (np.c_[before.corners, np.ones(len(before.corners))] @ H[2]) > 1e-6
    visible = ahead & after.is_background(expected)
    if visible.sum() < LEAST:
        return None
    picture = before.gray
    if np.abs(H - np.eye(3)).max() > 1e-9:
        picture = cv2.warpPerspective(before.gray, H, lens.size_px, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    at = np.ascontiguousarray(expected[visible], np.float32)
    found, status, _ = cv2.calcOpticalFlowPyrLK(picture, after.gray, at, None, **_FLOW)
    good = (status[:, 0] > 0) & after.is_background(found)
    return _explained(before, before.corners[visible][good], found[good], float(visible.mean()), int(visible.sum()))


def found_anew(before: View, after: View) -> Turn | None:
    """Measure the turn between two views with no expectation: ORB features, then optical flow from what they say."""
    import cv2

    (points_a, a), (points_b, b) = before.features, after.features
    if a is None or b is None or min(len(a), len(b)) < LEAST:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(a, b)
    if len(pairs) < LEAST:
        return None
    rows = np.array([(m.queryIdx, m.trainIdx) for m in pairs])
    coarse = _explained(before, points_a[rows[:, 0]], points_b[rows[:, 1]], 1.0, len(rows), near_px=3.0)
    if coarse is None or coarse.count < LEAST or coarse.share < 0.15:
        return None
    return turned(before, after, coarse.R_zoom, coarse.zoom)


def _explained(before: View, before_px, after_px, seen: float, tried: int, near_px: float = NEAR_PX) -> Turn | None:
    """Explain matches (N, 2) and (N, 2) by one rotation, and by one with a zoom."""
    if len(before_px) < LEAST:
        return None
    lens, matches = before.lens, np.concatenate([before_px, after_px], 1).astype(float)
    a, b = lens.rays(matches[:, :2]) / before.zoom, lens.rays(matches[:, 2:]) / before.zoom
    focal = float(lens.K[0, 0]) * before.zoom
    start = _best_of_samples(a, b, near_px / focal)
    R, _ = refine_turn(a, b, start, near_px / focal, zooms=False)
    R_zoom, zoom = refine_turn(a, b, R, near_px / focal, zooms=True)
    off = np.stack([_distance(a, b, R, 1.0), _distance(a, b, R_zoom, zoom)]) * focal
    near = off.min(0) < near_px
    if not near.any():
        return None
    off_px = np.median(off[:, near], axis=1) / lens.scale
    way_px = np.median(np.linalg.norm(matches[near, 2:] - matches[near, :2], axis=1)) / lens.scale
    return Turn(R, R_zoom, zoom, seen, float(near.sum() / tried), int(near.sum()), *off_px.tolist(), float(way_px), matches)


def _turn_rays(turn: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Directions (N, 2) after a turn (3, 3); those that leave the front are far off."""
    p = rays @ turn[:, :2].T + turn[:, 2]
    return p[:, :2] / np.where(p[:, 2:] > 1e-3, p[:, 2:], 1e-3)


def _distance(a, b, turn, zoom: float) -> np.ndarray:
    return np.linalg.norm(b - zoom * _turn_rays(turn, a), axis=1)


def _best_of_samples(a: np.ndarray, b: np.ndarray, near: float) -> np.ndarray:
    """The rotation (3, 3) that most rays agree with, out of _SAMPLES from two rays each (Fischler and Bolles 1981)."""
    rng = np.random.default_rng(0)
    pairs = np.stack([rng.integers(0, len(a), _SAMPLES), rng.integers(0, len(a), _SAMPLES)])
    unit_a, unit_b = (rotations.normalise(np.c_[v, np.ones(len(v))]) for v in (a, b))
    turns = _axes(*unit_b[pairs]) @ np.swapaxes(_axes(*unit_a[pairs]), -1, -2)
    turns = np.concatenate([turns, np.eye(3)[None]])
    off = np.linalg.norm(unit_b - unit_a @ np.swapaxes(turns, -1, -2), axis=-1)
    return turns[np.argmin(np.minimum(off, 2 * near).sum(1))]


def _axes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Right-handed axes (S, 3, 3) from two directions (S, 3) each; some axes where they coincide."""
    x = first
    y = rotations.normalise(np.cross(first, second), [0, 1.0, 0])
    return np.stack([x, y, np.cross(x, y)], -1)


def refine_turn(a: np.ndarray, b: np.ndarray, turn: np.ndarray, near: float, *, zooms: bool, rounds: int = 6):
    """Rotation (and zoom) that takes directions a (N, 2) to b: Gauss-Newton with Geman-McClure weights of scale `near`."""
    zoom = 1.0
    for round_ in range(rounds):
        p = _turn_rays(turn, a)
        error = b / zoom - p
        scale = near * (2.0 if round_ == 0 else 1.0)
        weight = 1 / (1 + (error**2).sum(1) / scale**2) ** 2
        x, y = p.T
        rows = np.stack([np.stack([-x * y, 1 + x * x, -y, x], -1), np.stack([-1 - y * y, x * y, x, y], -1)], 1)
        rows = rows if zooms else rows[..., :3]
        normal = np.einsum("nci,nc,ncj->ij", rows, np.stack([weight, weight], -1), rows)
        right = np.einsum("nci,nc->i", rows, weight[:, None] * error)
        step = np.linalg.solve(normal + 1e-12 * np.eye(len(normal)), right)
        turn = rotations.axis_angle_to_matrix(step[:3]) @ turn
        if zooms:
            zoom = float(np.clip(zoom * (1 + step[3]), 0.3, 3.0))
        if np.abs(step).max() < 1e-8:
            break
    return turn, zoom


def focal_of(pairs: list[np.ndarray], lens: Lens) -> float | None:
    """Focal length that explains matches across turns best, over that of `lens`; None where they do not fix it.

    `pairs` holds the matches (N, 4) of views that are far apart. Away from the line of sight a turn moves
    points by amounts that depend on the focal length (Hartley 1994); with the right one a rotation explains all of them.
    It is fixed where others by FOCAL_SURE leave clearly more unexplained.
    """
    pairs = [matches[::len(matches) // FOCAL_MATCHES + 1] for matches in pairs]
    ratios = np.exp(np.linspace(np.log(0.5), np.log(2), 17))
    cost = np.array([_unexplained(pairs, lens, ratio) for ratio in ratios])
    best = int(np.argmin(cost))
    if best in (0, len(ratios) - 1):
        return None
    low, high = ratios[best - 1], ratios[best + 1]
    for _ in range(10):
        a, b = low + 0.382 * (high - low), low + 0.618 * (high - low)
        low, high = (low, b) if _unexplained(pairs, lens, a) < _unexplained(pairs, lens, b) else (a, high)
    found = (low + high) / 2
    least = _unexplained(pairs, lens, found)
    sure = all(_unexplained(pairs, lens, found * f) > 1.2 * least + 0.002 for f in (1 - FOCAL_SURE, 1 + FOCAL_SURE))
    return float(found) if sure and least < FOCAL_LEAST else None


def _unexplained(pairs, lens: Lens, ratio: float) -> float:
    """Mean Geman-McClure loss, 0 to 1 at a scale of NEAR_PX, of matches under the best rotations with a focal length."""
    near, total, count = NEAR_PX / (lens.K[0, 0] * ratio), 0.0, 0
    for matches in pairs:
        a, b = lens.rays(matches[:, :2]) / ratio, lens.rays(matches[:, 2:]) / ratio
        turn, _ = refine_turn(a, b, _best_of_samples(a, b, near), near, zooms=False)
        squared = (_distance(a, b, turn, 1.0) / near) ** 2
        total, count = total + (squared / (1 + squared)).sum(), count + len(a)
    return total / max(count, 1)
