"""`mrs view` and `mrs live` in a real browser: a click plays, the picture changes, Save gives a file. Needs chromium."""

import io
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from mrs import plugins
from mrs.view import items
from tests.command import ROOT
from tests.report.runs import make_run
from tests.videos import make_video
from tests.web.browser import browser, contention, errors, frames_drawn, play_twice_as_fast, until

pytestmark = pytest.mark.heavy
pytest.importorskip("viser")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    from mrs.view.app import App

    registry = plugins.load()
    run = make_run(tmp_path_factory.mktemp("view") / "walk_mrs", seconds=3.0, people=1)
    made = App(items.gather([run], registry), registry, port=8480)
    yield made
    made.close()


@pytest.fixture(scope="module")
def driver(app, tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as made:
        made.get(app.address)
        until(lambda: "Play" in made.find_element("tag name", "body").text)
        yield made


def picture(driver):
    """The scene without its panel, (h, w, 3)."""
    import cv2

    coded = np.frombuffer(io.BytesIO(driver.get_screenshot_as_png()).read(), np.uint8)
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[200:, :900].astype(int)


def press(driver, text):
    """Click the button with a text."""
    button = until(lambda: next((b for b in driver.find_elements("tag name", "button") if b.text.strip() == text), None))
    button.click()


def blue(shot):
    """How many pixels have the colour of the first person (its channels are blue, green, red)."""
    return int(((shot[..., 0] - shot[..., 2]) > 60).sum())


def test_the_body_is_seen(driver):
    """Something blue stands on the ground, and the console is quiet."""
    until(lambda: blue(picture(driver)) > 300)
    assert errors(driver) == []


def test_a_click_plays_and_the_picture_changes(app, driver):
    """Play moves the body; Pause stops it; the panel tells the rate."""
    before = picture(driver)
    press(driver, "Play")
    until(lambda: app.time_s > 0.5)
    until(lambda: "frames a second" in driver.find_element("tag name", "body").text)
    press(driver, "Pause")
    until(lambda: not app.playing)
    assert (np.abs(picture(driver) - before).max(-1) > 40).sum() > 200


@pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="counts frames on a machine of its own: pytest -m heavy -n 0 tests/web")
@pytest.mark.parametrize("gl, least_hz", [("llvmpipe", 30), ("swiftshader", 30)])
def test_thirty_frames_a_second_are_drawn(app, tmp_path, gl, least_hz):
    """Without a GPU, in a window of 800 x 600, the page draws one body anew that often (less where others use the processors)."""
    with browser(tmp_path / "profile", (800, 600), gl=gl) as driver:
        play_twice_as_fast(driver, app)
        slowed = contention()
        told = frames_drawn(driver, 5)
        app._toggle()
        app.speed.value = "1"
        assert told["moved_hz"] >= least_hz / max(slowed, contention()), (told, slowed)
        assert errors(driver) == []


def test_without_a_gpu_edges_are_not_smoothed_unless_asked(app, tmp_path):
    """The page finds that programs draw; `?smooth` has it draw as with a GPU. What is behind the backdrop begins the picture."""
    how = """const canvas = document.querySelector('canvas[data-engine]'), gl = canvas && canvas.getContext('webgl2');
             return gl && [gl.getContextAttributes().antialias, __viserMutable.camera.near]"""
    for end, smooth in (("", False), ("/?smooth", True)):
        with browser(tmp_path / f"profile{smooth}") as driver:
            driver.get(app.address + end)
            until(lambda: "Play" in driver.find_element("tag name", "body").text)
            until(lambda: (driver.execute_script(how) or [None, 0])[1] > 1)
            assert driver.execute_script(how)[0] is smooth and errors(driver) == []


def test_save_sends_a_file(driver, tmp_path):
    """The export button has the browser store a BVH."""
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    press(driver, "Save")
    path = until(lambda: next(iter(tmp_path.glob("*.bvh")), None))
    until(lambda: path.read_bytes().startswith(b"HIERARCHY"))
    assert errors(driver) == []


def test_live_shows_a_body_that_moves(tmp_path):
    """mrs live with a file: the browser shows the body and the delay."""
    make_video(tmp_path / "clip.mp4", count=3000, size_px=(320, 180))
    running = subprocess.Popen([sys.executable, "-m", "mrs.cli", "live", "--source", str(tmp_path / "clip.mp4"), "--port", "8490", "--fov", "50",
                                "--plugin", str(ROOT / "tests/live/walking_detector.py"), "--detector", "walking"], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True)
    try:
        address = running.stdout.readline().strip()
        with browser(tmp_path / "profile") as driver:
            driver.get(address)
            until(lambda: "ms behind" in driver.find_element("tag name", "body").text)
            until(lambda: blue(picture(driver)) > 200)
            before = picture(driver)
            time.sleep(0.5)
            until(lambda: (np.abs(picture(driver) - before).max(-1) > 40).sum() > 50)
            assert errors(driver) == []
    finally:
        running.terminate()
        running.wait(timeout=20)
