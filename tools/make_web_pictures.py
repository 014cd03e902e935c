"""Make the pictures of pages that open in a browser: the report, the viewer and the table of a batch.

    mrs run examples/walk_and_jump.mp4 -o RUN && python tools/make_web_pictures.py --run RUN
    mrs batch CLIPS -o OUT && python tools/make_web_pictures.py --batch OUT

Writes docs/images/report.jpg, view.jpg and batch.png. Needs chromium and chromium-driver, selenium, and viser.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.web.browser import browser, until

IMAGES = Path(__file__).parent.parent / "docs" / "images"
REPORT_PX, REPORT_S = (1200, 2300), 4.35
VIEW_PX, VIEW_S, PORT = (1280, 760), 4.35, 8620
VIEW_FROM_M, VIEW_AT_M = (11.5, 4.6, 11.0), (4.4, 0.7, 2.0)
BATCH_PX = (1200, 620)


def main() -> None:
    """Take the pictures that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run of the sample clip")
    parser.add_argument("--batch", type=Path, help="a batch's folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mrs-pictures-") as folder:
        if args.run:
            write("report.jpg", report(args.run / "report.html", Path(folder) / "report"))
            write("view.jpg", view(args.run, Path(folder) / "view"))
        if args.batch:
            write("batch.png", batch(args.batch / "summary.html", Path(folder) / "batch"))


def write(name: str, bgr: np.ndarray) -> None:
    """Write one picture and say how large it is."""
    cv2.imwrite(str(IMAGES / name), bgr, [cv2.IMWRITE_JPEG_QUALITY, 86] if name.endswith(".jpg") else [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{name}: {bgr.shape[1]}x{bgr.shape[0]}, {(IMAGES / name).stat().st_size / 1e3:.0f} kB")


def shot(driver) -> np.ndarray:
    """What the window shows, (h, w, 3) blue, green, red."""
    return cv2.imdecode(np.frombuffer(driver.get_screenshot_as_png(), np.uint8), cv2.IMREAD_COLOR)


def report(page: Path, profile: Path) -> np.ndarray:
    """The report from its top, stopped in the somersault."""
    with browser(profile, REPORT_PX) as driver:
        driver.get(page.resolve().as_uri())
        until(lambda: driver.execute_script("return performance.getEntriesByName('in space').length"))
        driver.execute_script("document.querySelector('video').currentTime = arguments[0]", REPORT_S)
        time.sleep(4)
        return shot(driver)


def view(run: Path, profile: Path) -> np.ndarray:
    """The people of a run in the viewer at one moment, from where the camera is seen as well."""
    from mrs import plugins
    from mrs.view import items
    from mrs.view.app import App

    registry = plugins.load()
    app = App(items.gather([run], registry), registry, port=PORT)
    app.server.initial_camera.position, app.server.initial_camera.look_at = VIEW_FROM_M, VIEW_AT_M
    try:
        with browser(profile, VIEW_PX, gl="llvmpipe") as driver:
            driver.get(app.address + "/?smooth")
            until(lambda: "Software WebGL" in driver.find_element("tag name", "body").text)
            driver.find_element("css selector", ".mantine-Notification-closeButton").click()
            time.sleep(6)
            app.slider.value = VIEW_S
            app.show(VIEW_S, again=True)
            time.sleep(4)
            return shot(driver)
    finally:
        app.close()


def batch(page: Path, profile: Path) -> np.ndarray:
    """The top of a batch's table."""
    with browser(profile, BATCH_PX) as driver:
        driver.get(page.resolve().as_uri())
        time.sleep(1)
        return shot(driver)


if __name__ == "__main__":
    main()
