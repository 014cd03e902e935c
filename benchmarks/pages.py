"""Time a report's opening and the viewer's frames in headless Chromium, and weigh the page of a 10 s clip.

    python -m benchmarks.pages [--seconds S] [--json] [--check]

The film is the sample clip to and fro at 720p. Needs chromium and chromium-driver, selenium, and viser. No GPU is used: the browser draws
on the same cores, by Mesa's llvmpipe (OpenGL) and by its own SwiftShader, in windows of two sizes. The page is opened by SwiftShader, in a
browser that starts with it and in one that has been there for three seconds. A frame counts as drawn when the page has drawn its scene, as moved
when the body stood otherwise than in the frame before.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import _common

PAGE_MB, OPEN_S, FRAMES_S = 15.0, 2.0, 30.0
RATE_HZ, SIZES, RESTS_S = 30, ((1280, 800), (800, 600)), (0.0, 3.0)


def main() -> None:
    """Write one run's report, open it a few times, play one body in the viewer."""
    parser = _common.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the clip (default: 10)")
    parser.add_argument("--repeat", type=int, default=5, help="open the page this often (default: 5)")
    args = parser.parse_args()
    report = _common.begin("Report and viewer", args, ("numpy", "viser", "selenium"))
    with tempfile.TemporaryDirectory(prefix="mrs-pages-") as folder:
        page, spent_s = written(Path(folder) / "run", args.seconds)
        megabytes = page.stat().st_size / 1e6
        opened = {rest_s: [opening(page, Path(folder) / f"profile{n}_{rest_s:g}", rest_s) for n in range(args.repeat)] for rest_s in RESTS_S}
        seen = {(gl, size): playing(Path(folder) / "run", Path(folder) / f"{gl}{size[0]}", gl, size) for gl in ("llvmpipe", "swiftshader") for size in SIZES}
    times = {rest_s: [statistics.median(column) for column in zip(*rows, strict=True)] for rest_s, rows in opened.items()}
    report.table(("what", "value"), [
        (f"page of {args.seconds:g} s, two people, MB", megabytes), ("written in, s", spent_s)])
    report.table(("page opened in a browser that is there for, s", "loaded, median s", "view in space there, median s"), [
        (rest_s, *median_s) for rest_s, median_s in times.items()])
    report.table(("viewer", "window, px", "sent a second", "drawn a second", "moved a second", "processor ms a frame"), [
        (gl, f"{size[0]} x {size[1]}", told["sent_hz"], told["drawn_hz"], told["moved_hz"], told["cpu_ms"]) for (gl, size), told in seen.items()])
    report.at_most("size of the page", megabytes, PAGE_MB, "MB")
    for rest_s, (loaded_s, space_s) in times.items():
        report.at_most(f"opening the page, browser there for {rest_s:g} s, median", loaded_s, OPEN_S, "s")
        report.at_most(f"view in space, browser there for {rest_s:g} s, median", space_s, OPEN_S, "s")
    for (gl, size), told in seen.items():
        report.at_least(f"frames of one body drawn a second, {gl}, {size[0]} x {size[1]}", told["moved_hz"], FRAMES_S)
    report.finish(args)


def written(root: Path, seconds: float) -> tuple[Path, float]:
    """Make a run of two people with the sample's film, write its report; return its path and the seconds that took."""
    from mrs.report import of_run
    from mrs.video import Video, write_video
    from tests.report.runs import make_run

    make_run(root, seconds)
    video = Video.open(_common.SAMPLE)
    frames = [frame.rgb for frame in video.frames()]
    there_and_back = frames + frames[-2:0:-1]
    count = int(seconds * RATE_HZ)
    write_video(root / "overlay.mp4", (there_and_back[n % len(there_and_back)] for n in range(count)), np.arange(count) / RATE_HZ, video.size_px)
    begin = time.perf_counter()
    page = of_run.of_folder(root)
    return page, time.perf_counter() - begin


def opening(page: Path, profile: Path, rest_s: float = 0.0) -> tuple[float, float]:
    """Seconds until the page has loaded, and until its view in space is there, in a browser that has been there for `rest_s`."""
    from tests.web.browser import browser, until

    with browser(profile) as driver:
        time.sleep(rest_s)
        driver.get(page.resolve().as_uri())
        space = until(lambda: driver.execute_script("return (performance.getEntriesByName('in space')[0] || {}).startTime"))
        return driver.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd") / 1e3, space / 1e3


def playing(run: Path, profile: Path, gl: str, size_px: tuple[int, int], seconds: float = 5.0) -> dict[str, float]:
    """Play one body at double speed (its frames come 60 a second); count the frames that are sent and drawn."""
    from mrs import plugins
    from mrs.view import items
    from mrs.view.app import App
    from tests.web.browser import browser, frames_drawn, play_twice_as_fast

    registry = plugins.load()
    app = App(items.gather([run / "persons/01/motion.npz"], registry), registry, port=8600)
    try:
        with browser(profile, size_px, gl=gl) as driver:
            play_twice_as_fast(driver, app)
            return frames_drawn(driver, seconds) | {"sent_hz": app.rate_hz}
    finally:
        app.close()


if __name__ == "__main__":
    main()
