"""Measure how fast behaviour is transferred, drawn and learned, beside the published net's loop at equal width.

    python -m benchmarks.behaviour_speed [--widths 192,1024] [--json] [--check]

Transfer and draws use the shipped weights and end in motions with pinned feet. Samples a second of training are windows of
1.2 s in a second of CPU time of one thread. Ours is the default recipe, its critic at work; the published loop runs as
published (benchmarks/published_loop.py: with the passes that it throws away, its probes of labels and its data set) in its own
batches of 64 and, beside it, without all that. Of our windows only a share is rolled out, which a column says.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from benchmarks import _common

TRANSFER_S, DRAW_S, FASTER = 0.3, 0.3, 10
PUBLISHED_BATCH = 64


def main() -> None:
    """Print seconds of use and samples a second of training."""
    parser = _common.parser(__doc__)
    parser.add_argument("--widths", default="192,1024", help="widths of hidden layers to train with (default: 192,1024)")
    parser.add_argument("--repeat", type=int, default=5, help="measure each this often (default: 5)")
    args = parser.parse_args()
    report = _common.begin("Behaviour transfer", args, ("numpy", "torch"))
    (transfer_s, transfer_cpu_s), (draw_s, draw_cpu_s) = use(args.repeat)
    report.table(("what", "best s", "median s", "median CPU s"), [
        ("transfer of 10 s", min(transfer_s), statistics.median(transfer_s), statistics.median(transfer_cpu_s)),
        ("50 futures of 2 s", min(draw_s), statistics.median(draw_s), statistics.median(draw_cpu_s))])
    rows = [(f"{width}", *training(int(width), args.repeat)) for width in args.widths.split(",")]
    report.table(("width", "bds", "of these rolled out", "all of 64 rolled out, float32", "bds-2021 as published", "without waste", "ratio"),
                 [(*row, row[1] / row[4]) for row in rows])
    report.notes.append("Training in windows a CPU second of one thread.")
    report.at_most("transfer of 10 s, median", statistics.median(transfer_s), TRANSFER_S, "s")
    report.at_most("50 futures of 2 s, median", statistics.median(draw_s), DRAW_S, "s")
    for row in rows:
        report.at_least(f"training over the published loop, width {row[0]}", row[1] / row[4], FASTER, "times")
    report.finish(args)


def mover(seconds: float, phase: float = 0.0):
    """Somebody who marches and swings the arms."""
    from mrs import rotations
    from mrs.body import load_body

    times = np.arange(round(seconds * 30) + 1) / 30
    swing, turns = np.sin(7 * times + phase), np.zeros((len(times), 24, 3))
    turns[:, 16, 2], turns[:, 17, 2] = -1.2, 1.2
    turns[:, 1, 0], turns[:, 2, 0], turns[:, 18, 1], turns[:, 19, 1] = 0.5 * swing, -0.5 * swing, swing, swing
    root = np.stack([0 * times, np.full(len(times), 0.93), 1.1 * times], -1)
    return load_body().motion(times, root, rotations.axis_angle_to_quat(turns), np.zeros(10))


def use(repeat: int) -> list[tuple[list[float], list[float]]]:
    """Seconds and CPU seconds of a transfer and of 50 draws, the first call of each left out.

    On a busy machine the CPU seconds say what a quiet one would take.
    """
    from mrs.synth import sample, transfer, weights

    loaded, source, target = weights.load(), mover(10), mover(2, 1.0)

    def once():
        return transfer.transfer(loaded.model, source, transfer.start_of(target, 1.0))

    def draws():
        return sample.sample(loaded, transfer.start_of(target, 1.0), 50, 2.0, 0)

    return [tuple(zip(*[timed(what) for _ in range(repeat + 1)][1:], strict=True)) for what in (once, draws)]


def timed(function) -> tuple[float, float]:
    """How long a call takes, and how much of a CPU."""
    cpu = time.process_time()
    return seconds(function), time.process_time() - cpu


def seconds(function) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def training(width: int, repeat: int) -> tuple[float, ...]:
    """Windows a CPU second: ours, how many of these are rolled out, ours with every saving undone, the published loop, without waste."""
    import torch

    from benchmarks import published_loop
    from mrs.synth import features, recipe, rivals, train
    from mrs.synth.windows import Piece, Windows

    torch.set_num_threads(1)
    values = features.to_features(features.prepared(mover(20))).astype(np.float32)
    data = Windows(values, [Piece(0, len(values), "march", "train", "march", 0)])
    sizes = {"width": width, "cell": width, "critic_from": 0}
    loops = [train.Trainer(recipe.make({**sizes, **changes}), data) for changes in
             ({}, {"batch": PUBLISHED_BATCH, "rolled": 1, "beside": 0.3334, "half": 0})]
    settings = rivals.Settings("bds-2021", hidden=width, batch=PUBLISHED_BATCH, iterations=1000)
    loops += [published_loop.Loop(settings, data), rivals.Trainer(settings, data)]
    batches = [loops[0].recipe.batch, *[PUBLISHED_BATCH] * 3]
    found = [[timed(loop.step)[1] for loop in loops] for _ in range(repeat + 1)][1:]
    rates = [batch / min(times) for batch, times in zip(batches, zip(*found, strict=True), strict=True)]
    return rates[0], rates[0] * loops[0].recipe.rolled, *rates[1:]


if __name__ == "__main__":
    main()
