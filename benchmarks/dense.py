"""What a silhouette and DensePose buy: clips whose every pixel is known, with the noise of detectors.

    python -m benchmarks.dense                    # walker, walk, punch and dance, 1.5 s each, about 3 minutes
    python -m benchmarks.dense --motions walker   # one of them

Each motion is filmed by a random camera and lifted from noisy keypoints (benchmarks/synthetic.py). The true body is drawn
into every frame: part, u and v of the chart that is computed for it, and its mask. Noise on the parts: the
drawn body is out by 1 % of the person's height, u and v by 0.03, 3 % of the frames (--exchanged) have left and right exchanged,
and the mask is ragged by 2 pixels. Rows are sfv without and with the terms
(parts: without an atlas). The shape error is that of the T-pose's vertices.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks import _common, rows, synthetic

ROWS = {
    "none": {}, "silhouette": {"dense_weight": 0}, "parts": {"silhouette_weight": 0},
    "dense": {"silhouette_weight": 0, "atlas": "embedded"}, "both": {"atlas": "embedded"},
    "none, free shape": {"free_betas": True}, "both, free shape": {"atlas": "embedded", "free_betas": True},
}
SIZE_PX = (1280, 720)
MOTIONS = ("walker", "walk", "punch", "dance")
EXCHANGED_SHARE = 0.03
EXCHANGED = np.array([0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 23, 24], np.uint8)


def main() -> None:
    """Measure every row on every motion."""
    parser = _common.parser(__doc__, cores=1)
    parser.add_argument("--motions", nargs="+", default=list(MOTIONS), choices=["walker", *synthetic.ACTIONS], metavar="NAME")
    parser.add_argument("--seconds", type=float, default=1.5, help="Of each motion.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--exchanged", type=float, default=EXCHANGED_SHARE, help="Share of frames with left and right exchanged.")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="OPTION=VALUE", help="Option of sfv in every row.")
    args = parser.parse_args()
    report = _common.begin("What DensePose and silhouettes buy", args)
    found = {name: [] for name in args.rows}
    for number, name in enumerate(args.motions):
        for row, numbers in measured(name, args.seed + number, args).items():
            found[row].append(numbers)
    columns = ("mpjpe_mm", "pa_mpjpe_mm", "world_error_mm", "shape_mm", "seconds")
    table = [[row, *(float(np.mean([n[c] for n in numbers])) for c in columns)] for row, numbers in found.items()]
    report.table(["row", *columns], table)
    report.finish(args)


def measured(name: str, seed: int, args) -> dict[str, dict]:
    """Measure the rows of one clip."""
    import time

    from mrs import options, plugins

    track, truth = clip(name, seed, args.seconds)
    registry, out = plugins.load(), {}
    with tempfile.TemporaryDirectory() as folder:
        draw(truth, track, Path(folder), np.random.default_rng(seed), args.exchanged)
        initial = lifted(track, truth.camera, options)
        for row in args.rows:
            values = ROWS[row] | ({"dense": f"densepose:{folder}"} if not row.startswith("none") else {}) | dict(s.split("=", 1) for s in args.sets)
            smoother = registry.make("smoother", "sfv", values)
            smoother.progress = lambda done, total: None
            start = time.perf_counter()
            made = smoother.smooth(None, track, initial)
            out[row] = rows.compared({row: made}, truth)[row] | {"seconds": time.perf_counter() - start, "shape_mm": shape_mm(made, truth)}
    return out


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


def draw(truth, track, folder: Path, rng=None, exchanged: float = EXCHANGED_SHARE) -> None:
    """Write NAME_IUV.png for each frame: the true body by its own chart, with noise where `rng` is given."""
    import cv2

    heights = track.heights_px()
    for row in range(len(track)):
        shift = np.zeros(2) if rng is None else rng.normal(0, 0.01 * heights[row], 2)
        iuv = painted(truth, row, shift)
        if rng is not None:
            iuv = noised(iuv, rng, exchanged)
        cv2.imwrite(str(folder / f"frame_{row:05d}_IUV.png"), iuv)


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


def noised(iuv: np.ndarray, rng, exchanged: float) -> np.ndarray:
    """Move u and v, exchange the sides now and then, and fray the outline."""
    import cv2

    out = iuv.astype(float)
    out[..., 1:] += cv2.resize(rng.normal(0, 0.03 * 255, (24, 40, 2)), SIZE_PX)
    out = np.clip(np.round(out), 0, 255).astype(np.uint8)
    if rng.random() < exchanged:
        out[..., 0] = EXCHANGED[out[..., 0]]
    far = cv2.distanceTransform((iuv[..., 0] > 0).astype(np.uint8), cv2.DIST_L2, 5)
    out[far < cv2.resize(rng.normal(0, 2, (48, 80)), SIZE_PX)] = 0
    return out


def shape_mm(motion, truth) -> float:
    """Mean distance of the vertices of two bodies' T-poses in mm."""
    from mrs.body import load_body

    body = load_body()
    away = body.shape_m @ (np.asarray(motion.betas) - truth.betas)
    return 1000 * float(np.linalg.norm(away - away.mean(0), axis=-1).mean())


if __name__ == "__main__":
    main()
