"""A headless Chromium for tests of pages, where Debian's chromium and chromium-driver are installed."""

from __future__ import annotations

import contextlib
import shutil
import time

import pytest

FLAGS = ("--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--use-gl=angle", "--autoplay-policy=no-user-gesture-required", "--hide-scrollbars")
GL = {"swiftshader": ("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
      "llvmpipe": ("--use-angle=gl-egl", "--ignore-gpu-blocklist")}
COUNT_FRAMES = """
window.frames_drawn = {drawn: 0, moved: 0}; let shown = '';
(function look() {
  const viewer = window.__viserMutable, scene = viewer && viewer.scene;
  if (scene && !scene.counted) {
    scene.counted = true;
    scene.onAfterRender = () => {
      const pose = JSON.stringify(Object.values(viewer.skinnedMeshState).map((mesh) => mesh.poses));
      window.frames_drawn.drawn++;
      if (pose !== shown) { shown = pose; window.frames_drawn.moved++; }
    };
  }
  requestAnimationFrame(look);
})();"""


def found() -> tuple[str, str]:
    """Return the paths of chromium and chromedriver, or skip the test."""
    pytest.importorskip("selenium")
    paths = tuple(shutil.which(name) for name in ("chromium", "chromedriver"))
    if not all(paths):
        pytest.skip("chromium and chromium-driver are not installed")
    return paths


@contextlib.contextmanager
def browser(profile, size_px=(1280, 900), dark: bool = False, gl: str = "swiftshader"):
    """Yield a selenium driver with its own empty profile, drawing by one of GL, neither of which needs a GPU; its console log is kept."""
    from selenium import webdriver

    chromium, driver_path = found()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, *GL[gl], f"--user-data-dir={profile}", f"--window-size={size_px[0]},{size_px[1]}"):
        options.add_argument(flag)
    if dark:
        options.add_argument("--force-dark-mode")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_path))
    driver.set_script_timeout(60)
    try:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size_px[0], "height": size_px[1], "deviceScaleFactor": 1, "mobile": False})
        if dark:
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        yield driver
    finally:
        driver.quit()


def contention() -> float:
    """How many times longer than alone something takes on this machine now: wall time over processor time, at least 1."""
    wall, cpu = time.monotonic(), time.thread_time()
    while time.thread_time() - cpu < 0.3:
        pass
    return max((time.monotonic() - wall) / (time.thread_time() - cpu), 1.0)


def frames_drawn(driver, seconds: float) -> dict[str, float]:
    """Count what a viewer draws, once COUNT_FRAMES runs in its page: frames, frames with a body that moved, processor time a frame (all processes)."""
    import psutil

    def now():
        processes = [driver_process, *driver_process.children(recursive=True)]
        return driver.execute_script("return [performance.now() / 1000, frames_drawn.drawn, frames_drawn.moved]"), sum(map(spent, processes))

    def spent(process):
        with contextlib.suppress(psutil.Error):
            return sum(process.cpu_times()[:2])
        return 0.0

    driver_process = psutil.Process(driver.service.process.pid)
    (began, drawn, moved), cpu = now()
    time.sleep(seconds)
    (ended, drawn_after, moved_after), cpu_after = now()
    frames = drawn_after - drawn
    return {"drawn_hz": frames / (ended - began), "moved_hz": (moved_after - moved) / (ended - began),
            "cpu_ms": 1000 * (cpu_after - cpu) / max(frames, 1)}


def count_frames(driver) -> None:
    """Let pages that are opened from now on count the frames of a viewer."""
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COUNT_FRAMES})


def play_twice_as_fast(driver, app) -> None:
    """Open the viewer's page with its frames counted, play at double speed, and let it settle."""
    count_frames(driver)
    driver.get(app.address)
    until(lambda: "Play" in driver.find_element("tag name", "body").text)
    until(lambda: driver.execute_script("return frames_drawn.drawn") > 5)
    app.speed.value = "2"
    app._toggle()
    time.sleep(3)


def until(question, seconds: float = 90.0):
    """Ask until the answer is true; return it, or fail."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"Waited {seconds:g} s in vain.")


def errors(driver) -> list[str]:
    """What the page has complained of on the console."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "ERROR")]


def whole_page(driver, path) -> None:
    """Save a picture of the whole page."""
    import base64

    height = driver.execute_script("return document.documentElement.scrollHeight")
    width = driver.execute_script("return document.documentElement.clientWidth")
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {
        "captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}})
    path.write_bytes(base64.b64decode(shot["data"]))
