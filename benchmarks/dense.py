"""What a silhouette and DensePose buy: clips whose every pixel is known, with the noise of detectors.

    python -m benchmarks.dense                     # eight motions, filmed twice each, 1.5 s, about 5 minutes
    python -m benchmarks.dense --errors large      # errors twice as large, which last from frame to frame
    python -m benchmarks.dense --motions walker    # one of them

Each motion is filmed by random cameras, on bodies of random shape, and lifted from noisy keypoints (benchmarks/synthetic.py). The true body is drawn
into every frame: part, u and v of the chart that is computed for it, and its mask. Usual errors on the parts: the drawn body is out by 1 % of the
person's height, u and v by 0.03, 3 % of the frames (--exchanged) have left and right exchanged, and the mask is ragged by 2 pixels; all anew in
each frame. Large ones: 2 %, 0.06, 10 %, with a memory of 0.2 s, and the mask narrower by up to 1 % of the height.

Rows are sfv without and with the terms (parts: without an atlas). Differences are to the row without the terms, with their standard error
over the clips. In rows of a true shape the start has the true body, at the distance at which it looks as large. Nearer is by how
much bodies come out too near the camera, in the mean. The shape error is that of the T-pose's vertices.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import _common, rows, synthetic

ROWS = {
    "none": {}, "silhouette": {"dense_weight": 0}, "parts": {"silhouette_weight": 0},
    "dense": {"silhouette_weight": 0, "atlas": "embedded"}, "both": {"atlas": "embedded"},
    "none, free shape": {"free_betas": True}, "both, free shape": {"atlas": "embedded", "free_betas": True},
    "none, true shape": {}, "both, true shape": {"atlas": "embedded"},
}
SIZE_PX = (1280, 720)
MOTIONS = ("walker", "walk", "punch", "dance", "run", "jump", "soccer", "basketball")
COLUMNS = ("mpjpe_mm", "pa_mpjpe_mm", "world_error_mm", "nearer_mm", "shape_mm", "seconds")
EXCHANGED = np.array([0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 23, 24], np.uint8)


@dataclasses.dataclass(frozen=True)
class Errors:
    """What drawn labels are off by: the body's place in heights, u and v, the share of exchanged frames, and how long errors last."""

    place: float = 0.01
    uv: float = 0.03
    exchanged: float = 0.03
    memory_s: float = 0.0
    narrower: float = 0.0


ERRORS = {"usual": Errors(), "large": Errors(0.02, 0.06, 0.1, 0.2, 0.01)}


def main() -> None:
    """Measure every row on every motion."""
    parser = _common.parser(__doc__, cores=1)
    parser.add_argument("--motions", nargs="+", default=list(MOTIONS), choices=["walker", *synthetic.ACTIONS], metavar="NAME")
    parser.add_argument("--seconds", type=float, default=1.5, help="Of each motion.")
    parser.add_argument("--films", type=int, default=2, help="Cameras, bodies and errors for each motion.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--errors", choices=list(ERRORS), default="usual")
    parser.add_argument("--exchanged", type=float, help="Share of frames with left and right exchanged.")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="OPTION=VALUE", help="Option of sfv in every row.")
    args = parser.parse_args()
    report = _common.begin("What DensePose and silhouettes buy", args)
    errors = ERRORS[args.errors]
    errors = errors if args.exchanged is None else dataclasses.replace(errors, exchanged=args.exchanged)
    found = {name: [] for name in args.rows}
    for number, name in enumerate(args.motions * args.films):
        for row, numbers in measured(name, args.seed + number, args, errors).items():
            found[row].append(numbers)
    report.table(["row", *COLUMNS], [[row, *(float(np.mean([n[c] for n in numbers])) for c in COLUMNS)] for row, numbers in found.items()])
    report.table(["against none", "clips", *(f"{c} {what}" for c in COLUMNS[:3] for what in ("more", "+-"))],
                 [[row, len(numbers), *differences(numbers, found[without(row)])] for row, numbers in found.items()
                  if without(row) in found and without(row) != row])
    report.finish(args)


def without(row: str) -> str:
    """The row that one is set against: none, of a true shape where that one has it."""
    return "none, true shape" if row.endswith("true shape") else "none"


def differences(numbers: list[dict], others: list[dict]) -> list[float]:
    """Mean difference of each of the first columns, clip by clip, and its standard error."""
    out = []
    for column in COLUMNS[:3]:
        more = np.array([a[column] - b[column] for a, b in zip(numbers, others, strict=True)])
        out += [float(more.mean()), float(more.std(ddof=1) / np.sqrt(len(more))) if len(more) > 1 else float("nan")]
    return out


def measured(name: str, seed: int, args, errors: Errors) -> dict[str, dict]:
    """Measure the rows of one clip."""
    import time

    from mrs import options, plugins

    track, truth = clip(name, seed, args.seconds)
    registry, out = plugins.load(), {}
    with tempfile.TemporaryDirectory() as folder:
        if any(not row.startswith("none") for row in args.rows):
            draw(truth, track, Path(folder), np.random.default_rng(seed), errors)
        initial = lifted(track, truth.camera, options)
        for row in args.rows:
            values = ROWS[row] | ({"dense": f"densepose:{folder}"} if not row.startswith("none") else {}) | dict(s.split("=", 1) for s in args.sets)
            smoother = registry.make("smoother", "sfv", values)
            smoother.progress = lambda done, total: None
            start = time.perf_counter()
            made = smoother.smooth(None, track, of_true_shape(initial, truth) if row.endswith("true shape") else initial)
            out[row] = rows.compared({row: made}, truth)[row] | {
                "seconds": time.perf_counter() - start, "shape_mm": shape_mm(made, truth), "nearer_mm": nearer_mm(made, truth)}
    return out


def of_true_shape(motion, truth):
    """The same poses on the true body, put to where it looks as large."""
    from mrs.body import load_body

    body, eye = load_body(), truth.camera.centre_m
    factor = body.stature_m(truth.betas) / body.stature_m(motion.betas)
    made = body.motion(motion.times_s, eye + factor * (motion.root_pos_m - eye), motion.local_quat_wxyz, truth.betas)
    return dataclasses.replace(motion, betas=made.betas, root_pos_m=made.root_pos_m, joints_m=made.joints_m)


def nearer_mm(motion, truth) -> float:
    """How much nearer to the camera the mean joint is than in truth, in the mean."""
    eye = truth.camera.centre_m
    return 1000 * float(np.mean(np.linalg.norm(truth.joints_m.mean(1) - eye, axis=-1) - np.linalg.norm(motion.joints_m.mean(1) - eye, axis=-1)))


def clip(name: str, seed: int, seconds: float):
    """Film a motion on a body of another shape; return the noisy track and the truth."""
    from mrs.body import load_body

    if name == "walker":
        from tests.walker import walker

        motion = walker(np.arange(0, seconds, 1 / 30))[0]
    else:
        motion = synthetic.load(name, longest_s=seconds)
    betas = np.random.default_rng(seed).normal(0, 0.7, 10)
    motion = load_body().motion(motion.times_s, motion.root_pos_m, motion.local_quat_wxyz, betas, grounded=True)
    return synthetic.film(motion, seed, size_px=SIZE_PX)


def lifted(track, camera, options):
    """The lifter's motion, in the world of the camera."""
    from types import SimpleNamespace

    from mrs_plugins.lifters.blazepose3d import BlazePose3D

    from mrs.world import to_world

    lifter = BlazePose3D()
    lifter.options = options.build(BlazePose3D, {}, "lifter")
    return to_world(lifter.lift(SimpleNamespace(camera=camera), track))


def draw(truth, track, folder: Path, rng=None, errors: Errors | None = None) -> None:
    """Write NAME_IUV.png for each frame: the true body by its own chart, with errors where `rng` is given."""
    import cv2

    heights, lasting = track.heights_px(), Lasting(rng, errors or Errors(), track.times_s)
    for row in range(len(track)):
        if rng is None:
            iuv = painted(truth, row)
        else:
            away, uv = lasting.next(row)
            iuv = noised(painted(truth, row, away * heights[row]), uv, rng, lasting.errors, heights[row])
        cv2.imwrite(str(folder / f"frame_{row:05d}_IUV.png"), iuv)


class Lasting:
    """Errors of place (2,) and of u and v (24, 40, 2) with a memory."""

    def __init__(self, rng, errors: Errors, times_s):
        self.rng, self.errors, self.times_s = rng, errors, times_s
        self.now: list[np.ndarray] = []

    def next(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Those of the next frame."""
        fresh, memory = [self.rng.normal(size=shape) for shape in ((2,), (24, 40, 2))], self.errors.memory_s
        keep = np.exp(-(self.times_s[row] - self.times_s[row - 1]) / memory) if row and memory else 0.0
        self.now = [keep * old + np.sqrt(1 - keep**2) * new for old, new in zip(self.now or fresh, fresh, strict=True)]
        return self.errors.place * self.now[0], self.errors.uv * self.now[1]


def painted(motion, row: int, shift_px=(0.0, 0.0)) -> np.ndarray:
    """Paint a body by its chart, (H, W, 3) uint8: triangles from far to near, and within one the chart's nearest sample."""
    import cv2

    from mrs.body import atlas, load_body

    chart, body = atlas.embedded(), load_body()
    camera = motion.camera if motion.camera.is_still else motion.camera.at(row)
    seen = body.vertices(motion, slice(row, row + 1))[0] @ camera.R.T + camera.t
    corners = seen[body.faces]
    facing = (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * corners[:, 0]).sum(1) < 0
    pixels = seen[:, :2] / seen[:, 2:] * [camera.K[0, 0], camera.K[1, 1]] + camera.K[:2, 2] + shift_px
    numbers = np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    for face in np.flatnonzero(facing)[np.argsort(-corners[facing, :, 2].mean(1))]:
        code = (int(face) + 1) % 256, (int(face) + 1) // 256, 0
        cv2.fillConvexPoly(numbers, np.round(pixels[body.faces[face]] * 8).astype(np.int32), code, cv2.LINE_8, 3)
    number = numbers[..., 0].astype(int) + 256 * numbers[..., 1].astype(int)
    y, x = np.nonzero(number)
    face = number[y, x] - 1
    shares = _shares_of(np.stack([x, y], -1), pixels[body.faces[face]])
    each = len(chart.part) // len(body.faces)
    sample = face * each + np.linalg.norm(shares[:, None] - chart.surface.shares[:each], axis=-1).argmin(1)
    out = np.zeros_like(numbers)
    out[y, x] = np.concatenate([chart.part[sample, None], np.round(chart.uv[sample] * 255)], 1)
    return out


def _shares_of(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Shares (N, 3) that points (N, 2) have in the corners (N, 3, 2) of their triangles."""
    a, b, p = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    first, second = (p[:, 0] * b[:, 1] - p[:, 1] * b[:, 0]) / area, (a[:, 0] * p[:, 1] - a[:, 1] * p[:, 0]) / area
    return np.clip(np.stack([1 - first - second, first, second], -1), 0, 1)


def noised(iuv: np.ndarray, uv: np.ndarray, rng, errors: Errors, height_px: float) -> np.ndarray:
    """Move u and v, exchange the sides now and then, and fray the outline."""
    import cv2

    out = iuv.astype(float)
    out[..., 1:] += cv2.resize(255 * uv, SIZE_PX)
    out = np.clip(np.round(out), 0, 255).astype(np.uint8)
    if rng.random() < errors.exchanged:
        out[..., 0] = EXCHANGED[out[..., 0]]
    far = cv2.distanceTransform((iuv[..., 0] > 0).astype(np.uint8), cv2.DIST_L2, 5)
    out[far < cv2.resize(rng.normal(0, 2, (48, 80)), SIZE_PX)] = 0
    if errors.narrower:
        out[far < errors.narrower * height_px * cv2.resize(rng.normal(0, 1, (6, 10)), SIZE_PX)] = 0
    return out


def shape_mm(motion, truth) -> float:
    """Mean distance of the vertices of two bodies' T-poses in mm."""
    from mrs.body import load_body

    body = load_body()
    away = body.shape_m @ (np.asarray(motion.betas) - truth.betas)
    return 1000 * float(np.linalg.norm(away - away.mean(0), axis=-1).mean())


if __name__ == "__main__":
    main()
