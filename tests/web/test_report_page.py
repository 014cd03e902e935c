"""report.html in a real browser: quiet, quick, and alive. Needs chromium (see tests/web/browser.py)."""

import numpy as np
import pytest

from mrs.report import of_run
from tests.report.runs import make_run
from tests.web.browser import browser, contention, errors, until

pytestmark = pytest.mark.heavy


STANDING = "return (performance.getEntriesByName('in space')[0] || {}).startTime"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = make_run(tmp_path_factory.mktemp("web") / "walk_mrs", seconds=3.0)
    return of_run.of_folder(root).resolve().as_uri()


@pytest.fixture(scope="module")
def driver(page, tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as made:
        made.contention = contention()
        made.get(page)
        until(lambda: made.execute_script(STANDING))
        yield made


def eye(driver):
    camera = driver.execute_script("return document.getElementById('space')._fullLayout.scene._scene.getCamera().eye")
    return np.array([camera[axis] for axis in "xyz"])


def test_the_page_opens_in_two_seconds(driver):
    """Loading ends within 2 s, and the view in space stands (longer where others use the processors); no network is asked for anything."""
    entry = driver.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    asked = driver.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)")
    titles = driver.execute_script("return [...document.querySelectorAll('.modebar-btn')].map((b) => b.dataset.title)")
    assert titles and not any("hare" in title or "loud" in title for title in titles)
    assert 0 < entry < driver.execute_script(STANDING) < 2000 * max(contention(), driver.contention)
    assert [name for name in asked if not name.startswith(("data:", "blob:"))] == []


def test_the_film_plays_and_everything_follows(driver):
    """A click on play moves the film; slider, side view and clock go along; a second click stops it."""
    picture = "const c = document.getElementById('side'); return c.getContext('2d').getImageData(0, c.height / 2, c.width, 1).data.join()"
    before = driver.execute_script(picture)
    driver.find_element("id", "play").click()
    until(lambda: driver.execute_script("return document.getElementById('film').currentTime") > 0.2)
    assert driver.execute_script("return +document.getElementById('scrub').value") > 0
    driver.find_element("id", "play").click()
    assert driver.execute_script("return document.getElementById('film').paused")
    assert driver.execute_script(picture) != before


def test_a_seek_moves_the_film_and_the_skeleton(driver):
    """The slider sets the film's time, and the skeleton in space is the motion's at that time."""
    driver.execute_script("mrsReport.seek(2.0)")
    until(lambda: abs(driver.execute_script("return document.getElementById('film').currentTime") - 2.0) < 0.02)
    pelvis = driver.execute_script("""
        const p = mrsReport.people[0], trace = document.getElementById('space').data.find((t) => t.name === 'person 1'), row = 60 * 24 * 3;
        return [trace.x[0] - p.joints[row], trace.y[0] + p.joints[row + 2], trace.z[0] - p.joints[row + 1]]""")
    assert np.abs(pelvis).max() < 1e-4


def test_everybody_is_in_the_view_in_space_all_the_time(driver):
    """At first the camera sees every joint of every frame, and they fill most of one of the picture's ways."""
    seen = np.array(driver.execute_script("""
        const scene = document.getElementById('space')._fullLayout.scene._scene, { model, view, projection } = scene.glplot.cameraParams;
        const times = (m, v) => [0, 1, 2, 3].map((row) => v.reduce((sum, x, column) => sum + m[4 * column + row] * x, 0));
        const out = [];
        for (const p of mrsReport.people) for (let i = 0; i < p.joints.length; i += 3) {
            const at = times(projection, times(view, times(model,
                [...[p.joints[i], -p.joints[i + 2], p.joints[i + 1]].map((v, n) => v * scene.dataScale[n]), 1])));
            out.push([at[0] / at[3], at[1] / at[3]]);
        }
        return out"""))
    assert np.abs(seen).max() < 1 and np.ptp(seen, 0).max() > 1.4


def test_rings_show_which_soles_touch(driver):
    """At any time there are as many rings as soles in contact, each on the ground under its sole."""
    for time_s in (0.5, 1.0):
        driver.execute_script("mrsReport.seek(arguments[0])", time_s)
        rings, touching = driver.execute_script("""
            const trace = document.getElementById('space').data.find((t) => t.name === 'contacts of 1'), p = mrsReport.people[0];
            const row = p.times.findIndex((t) => Math.abs(t - arguments[0]) < 1e-3);
            return [trace.z, [0, 1, 2, 3].filter((n) => p.contacts[4 * row + n] > 127).length]""", time_s)
        assert rings.count(None) == touching > 0
        assert np.abs([z for z in rings if z is not None]).max() < 0.08


def test_the_view_in_space_turns_when_dragged(driver):
    """A drag moves the camera about the bodies."""
    from selenium.webdriver import ActionChains

    place = driver.find_element("css selector", "#space .nsewdrag, #space .gl-container")
    driver.execute_script("document.getElementById('space').scrollIntoView({block: 'center'})")
    before = eye(driver)
    ActionChains(driver).move_to_element(place).click_and_hold().move_by_offset(90, 20).move_by_offset(60, 10).release().perform()
    until(lambda: np.linalg.norm(eye(driver) - before) > 0.1)


def test_buttons_change_what_is_shown(driver):
    """Another person, another measure, another view, the motion before refinement, a person hidden."""
    reading = lambda: driver.find_element("id", "reading").text
    first = reading()
    for selector in ('#what [data-what="foot_skate_cm_s"]', '#who [data-person="2"]', '#views [data-view="top"]', "#lifted"):
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", driver.find_element("css selector", selector))
        driver.find_element("css selector", selector).click()
    assert reading() != first and "cm/s" in reading()
    lifted = lambda: driver.execute_script("return document.getElementById('space').data.find((t) => t.name === 'lifted 1').x.length")
    until(lambda: lifted() > 0)
    driver.find_element("css selector", '#shown [data-person="1"]').click()
    until(lambda: driver.execute_script("return document.getElementById('space').data.find((t) => t.name === 'person 1').visible") is False)


def test_nothing_was_complained_of(driver):
    """After all that, the console has no error."""
    assert errors(driver) == []


def test_a_telephone_has_room_for_it(page, tmp_path):
    """At 400 px, in the dark, nothing sticks out to the right."""
    with browser(tmp_path / "profile", (400, 800), dark=True) as driver:
        driver.get(page)
        assert driver.execute_script("return document.documentElement.scrollWidth") == 400
        background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert max(int(v) for v in background.removeprefix("rgb(").removesuffix(")").split(",")) < 60
        assert errors(driver) == []


def test_without_a_film_the_page_has_its_own_clock(tmp_path):
    """A run without an overlay plays all the same."""
    page = of_run.of_folder(make_run(tmp_path / "r", seconds=1.0, people=1, film=False)).resolve().as_uri()
    with browser(tmp_path / "profile") as driver:
        driver.get(page)
        driver.find_element("id", "play").click()
        until(lambda: driver.execute_script("return mrsReport.clock.t") > 0.1)
        assert errors(driver) == [] and driver.find_elements("id", "film") == []
