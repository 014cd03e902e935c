"""Time RTMPose-m through ONNX Runtime against mmpose itself, on the same crops of the shipped clip in the same run.

    python -m benchmarks.mmpose_speed [--config NAME] [--people N] [--rounds N] [--json] [--check]

Needs mmpose (docs/mmpose.md). The weights are random, saved as a checkpoint and converted by `mrs convert mmpose-onnx`:
speed does not depend on them. All get the same frame and the same boxes, cut their crops and return keypoints in pixels, in
turn, on the same cores. "mmpose as shipped" is mmpose.apis.inference_topdown with the config as mmpose ships it, which looks at
each crop twice, mirrored the second time: mmpose's own speed, what its users get. "mmpose, one look" is the same with
flip_test=False: as much work as `rtmpose` does. "mmpose detector, one look" is what `--detector mmpose` does (the pipeline made once).

Counted is the median over the rounds of the ratio within a round, so that a busy machine slows both; on one core (--cores 1)
of the process's own CPU time, else of the wall's. The bound of twice as fast is held against either, on one crop and on several
at once; against one look it is missed where the arithmetic alone takes more than half of mmpose's time. "Matrix product" is the
time for as many multiplications as the network's in a large matrix product of NumPy, in the same rounds: what a runtime that
multiplies in single precision can hardly be better than.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks import _common

BOUND = 2.0
AGREE_PX = 0.1
SHIPPED, ONE_LOOK = "mmpose as shipped", "mmpose, one look"
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
PRODUCT_SIDE = 1024
PRODUCT_GFLOP = 2 * PRODUCT_SIDE**3 / 1e9


def main() -> None:
    """Print ms a crop of each, and the ratios."""
    parser = _common.parser(__doc__)
    parser.add_argument("--config", default="rtmpose-m_8xb512-700e_body8-halpe26-256x192", help="mmpose config")
    parser.add_argument("--people", type=int, default=8, help="crops in the larger batch (default: 8)")
    parser.add_argument("--rounds", type=int, default=9, help="measure each this often (default: 9)")
    args = parser.parse_args()
    report = _common.begin("RTMPose through ONNX Runtime against mmpose", args,
                           ("numpy", "torch", "onnxruntime", "mmpose", "mmcv-lite", "mmengine"))
    warnings.filterwarnings("ignore", category=FutureWarning)
    with tempfile.TemporaryDirectory() as folder:
        ways, rgb, gflop = _ways(args, Path(folder))
        rows, clock = [], "cpu" if args.cores == 1 else "wall"
        for count in (1, args.people):
            times, apart = _measure(ways, rgb, _boxes(count, rgb), args.rounds)
            scale = {name: 1 / count for name in times} | {"matrix product": gflop / PRODUCT_GFLOP}
            gain = {peer: {name: float(np.median(times[peer][clock] * scale[peer] / (t[clock] * scale[name]))) for name, t in times.items()}
                    for peer in (SHIPPED, ONE_LOOK)}
            rows += [(f"{name}, {count} crop{'s' * (count > 1)}", *(1e3 * float(np.median(t[c])) * scale[name] for c in CLOCKS),
                      gain[SHIPPED][name], gain[ONE_LOOK][name]) for name, t in times.items()]
            for peer, told in ((SHIPPED, "its config's two looks"), (ONE_LOOK, "flip_test=False")):
                report.at_least(f"rtmpose against {peer} ({told}), {count} at once, by {clock}", gain[peer]["rtmpose"], BOUND, "times")
            report.at_most(f"largest difference of keypoints from {ONE_LOOK}, {count} at once", apart, AGREE_PX, "px")
    report.table(("way", "ms a crop", "CPU ms a crop", f"times {SHIPPED}", f"times {ONE_LOOK}"), rows)
    report.notes.append(f"The network multiplies and adds {gflop / 2:.2f}e9 times a crop.")
    report.finish(args)


def _ways(args: argparse.Namespace, folder: Path):
    """Make the ways to keypoints, each a function of (rgb, boxes_px), of one checkpoint; and GFLOP a crop."""
    import cv2
    import torch
    from mrs_plugins.converters.mmpose_onnx import MMPoseOnnx
    from mrs_plugins.detectors._mmpose_model import MMPoseModel, choose
    from mrs_plugins.detectors._onnx_pose import OnnxPose
    from mrs_plugins.detectors.rtmpose import RTMPose
    from torch.utils.flop_counter import FlopCounterMode

    from mrs import options
    from mrs.errors import MrsError
    from mrs.video import Video

    torch.set_num_threads(args.cores)
    cv2.setNumThreads(args.cores)
    torch.manual_seed(0)
    try:
        made = MMPoseModel(choose(args.config), None, flip_test=False)
    except MrsError as error:
        sys.exit(str(error))
    _wake(made.model)
    torch.save({"state_dict": made.model.state_dict()}, folder / "random.pth")
    converter = MMPoseOnnx()
    converter.options = options.build(MMPoseOnnx, {}, "converter")
    converter.convert((args.config, folder / "random.pth"), folder / "random.onnx")
    settings = options.build(RTMPose, {"model": str(folder / "random.onnx")}, "detector")
    onnx = OnnxPose(folder / "random.onnx", settings, threads=args.cores)
    shipped = MMPoseModel(choose(args.config), folder / "random.pth")
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        made.model(torch.zeros(1, 3, *onnx.spec.size[::-1]), None, mode="tensor")
    rgb = next(iter(Video.open(_common.SAMPLE).frames())).rgb
    square = np.random.default_rng(0).standard_normal((PRODUCT_SIDE, PRODUCT_SIDE), np.float32)
    ways = {SHIPPED: _mmpose_itself(shipped.model), ONE_LOOK: _mmpose_itself(made.model),
            "mmpose detector, one look": made.see, "rtmpose": onnx.see, "matrix product": lambda rgb, boxes_px: square @ square}
    return ways, rgb, counted.get_total_flops() / 1e9


def _wake(model) -> None:
    """Let normalisation layers see something, so that a random network does not answer with nearly nothing."""
    import torch

    with torch.no_grad():
        for parameter in model.head.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.1)
        model.train()
        model(torch.randn(2, 3, 256, 192), None, mode="tensor")
        model.eval()


def _mmpose_itself(model):
    from mmpose.apis import inference_topdown

    def see(rgb, boxes_px):
        samples = inference_topdown(model, np.ascontiguousarray(rgb[..., ::-1]), boxes_px)
        return np.concatenate([s.pred_instances.keypoints for s in samples])

    return see


def _boxes(count: int, rgb: np.ndarray) -> np.ndarray:
    """Return boxes (count, 4) of standing people's shape, spread over the picture."""
    height, width = rgb.shape[:2]
    left = np.linspace(0, 0.7, count) * width
    return np.stack([left, left * 0 + 0.1 * height, left + 0.25 * width, left * 0 + 0.9 * height], 1).astype(np.float32)


def _measure(ways: dict, rgb: np.ndarray, boxes_px: np.ndarray, rounds: int) -> tuple[dict[str, dict], float]:
    """Return seconds (rounds,) of each way by clock, taken in turn, and how far rtmpose's keypoints are from mmpose's, in px."""
    seen = {name: see(rgb, boxes_px)[..., :2] for name, see in ways.items()}
    times = {name: {clock: np.zeros(rounds) for clock in CLOCKS} for name in ways}
    for number in range(rounds):
        for name, see in ways.items():
            start = {clock: tell() for clock, tell in CLOCKS.items()}
            see(rgb, boxes_px)
            for clock, tell in CLOCKS.items():
                times[name][clock][number] = tell() - start[clock]
    return times, float(np.abs(seen["rtmpose"] - seen[ONE_LOOK]).max())


if __name__ == "__main__":
    main()
