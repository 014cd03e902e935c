"""Measure how fast a person is drawn at 720p: mesh with OpenGL, mesh without, and pyrender on the same motion.

    python -m benchmarks.render_speed [--frames 60] [--rounds 3] [--json] [--check]

The person fills two thirds of the height before a background of their own, as in `mrs render --camera clip`; encoding is left out.
Each round draws the same frames by each renderer in turn, so that a busy machine slows all of them; the ratio is that of the
rounds' medians. CPU seconds say what a quiet machine would take.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import numpy as np

from benchmarks import _common, dressed

SIZE_PX = (1280, 720)
WITH_GL, WITHOUT_GL, OVER_PYRENDER = 40.0, 20.0, 3.0
NAMES = {"mesh, gl": ("mesh", {"backend": "gl"}), "mesh, paint": ("mesh", {"backend": "paint"}), "pyrender": ("pyrender", {})}


def main() -> None:
    """Print pictures a second of each."""
    parser = _common.parser(__doc__)
    parser.add_argument("--frames", type=int, default=60, help="frames a round (default: 60)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    args = parser.parse_args()
    report = _common.begin("Drawing a person at 720p", args, ("numpy", "moderngl", "pyrender", "opencv-python-headless"))
    makers, absent = ready()
    rates = measure(makers, args.frames, args.rounds)
    report.table(("renderer", "frames/s, median", "best", "CPU frames/s"), [
        (name, statistics.median(wall), max(wall), statistics.median(cpu)) for name, (wall, cpu) in rates.items()])
    report.notes += absent
    median = {name: statistics.median(wall) for name, (wall, _) in rates.items()}
    for name, bound in (("mesh, gl", WITH_GL), ("mesh, paint", WITHOUT_GL)):
        if name in median:
            report.at_least(name, median[name], bound, "frames/s")
    if {"pyrender", "mesh, gl"} <= set(median):
        report.at_least("mesh, gl over pyrender", median["mesh, gl"] / median["pyrender"], OVER_PYRENDER, "times")
    report.finish(args)


def ready():
    """Renderers that work here, and a line for each that does not."""
    from mrs import plugins
    from mrs.errors import MrsError
    from mrs.render.gl import open_context

    registry, made, absent = plugins.load(), {}, []
    for name, (plugin, values) in NAMES.items():
        try:
            made[name] = registry.make("renderer", plugin, values)
            if name != "mesh, paint":
                context = open_context()
                absent.append(f"{name} is drawn by {context.info['GL_RENDERER']}.")
                context.release()
        except MrsError as error:
            made.pop(name, None)
            absent.append(f"{name} is left out: {error}")
    return made, absent


def scene(frames: int):
    """A motion with its camera, and looks with a background that this camera saw."""
    from mrs.render.appearance import Appearance
    from mrs.world import level_camera

    motion = dressed.turning(frames / 30, 30.0)
    camera = level_camera(SIZE_PX)
    camera = replace(camera, t=-camera.R @ np.array([0, 1.0, 5.2]))
    looks = replace(Appearance.plain(), colours_rgb=dressed.clothes().astype(np.uint8), background_rgb=dressed.place(SIZE_PX), camera=camera)
    return replace(motion, camera=camera), looks, camera


def measure(makers, frames: int, rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Frames a second of wall and of CPU time of every round; the first frames, which compile, are left out."""
    motion, looks, camera = scene(frames)
    rates = {name: ([], []) for name in makers}
    for _ in range(rounds):
        for name, renderer in makers.items():
            pictures = renderer.render(motion, looks, camera, SIZE_PX)
            for _ in range(3):
                next(pictures)
            wall, cpu = time.perf_counter(), time.process_time()
            count = sum(1 for _ in pictures)
            rates[name][0].append(count / (time.perf_counter() - wall))
            rates[name][1].append(count / (time.process_time() - cpu))
    return rates


if __name__ == "__main__":
    main()
