"""A headless Chromium for tests of pages, where Debian's chromium and chromium-driver are installed."""

from __future__ import annotations

import contextlib
import shutil
import time

import pytest

FLAGS = ("--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--use-gl=angle", "--use-angle=swiftshader",
         "--enable-unsafe-swiftshader", "--autoplay-policy=no-user-gesture-required", "--hide-scrollbars")


def found() -> tuple[str, str]:
    """Return the paths of chromium and chromedriver, or skip the test."""
    pytest.importorskip("selenium")
    paths = tuple(shutil.which(name) for name in ("chromium", "chromedriver"))
    if not all(paths):
        pytest.skip("chromium and chromium-driver are not installed")
    return paths


@contextlib.contextmanager
def browser(profile, size_px=(1280, 900), dark: bool = False):
    """Yield a selenium driver with its own empty profile; its console log is kept."""
    from selenium import webdriver

    chromium, driver_path = found()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={size_px[0]},{size_px[1]}"):
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
