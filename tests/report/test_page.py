"""report.html as a file: everything in it, nothing from outside, and small."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from mrs.report import advice, of_run, page, page_film, payload
from mrs.video import Video
from tests.report.runs import SIZE, make_run, shaken
from tests.walker import filmed, walker


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = make_run(tmp_path_factory.mktemp("runs") / "walk_mrs")
    of_run.of_folder(root)
    return root


@pytest.fixture(scope="module")
def text(run):
    return (run / "report.html").read_text()


def parts(text: str, name: str) -> str:
    return re.search(rf'<script type="[^"]+" id="{name}">(.*?)</script>', text, re.DOTALL).group(1)


def test_the_page_names_what_was_found_and_every_file(run, text):
    """Measures before and after, timings, warnings with advice, options, versions, and a link to each file that is there."""
    report = json.loads((run / "run.json").read_text())
    refined = report["persons"]["01"]["quality"]["refined"]
    for word in (f"{refined['jitter_10m_s3']:.2f}", "Person 2", "Feet were never seen", "Film the whole person", "blazepose", "3.0 s",
                 report["libraries"]["numpy"], "mrs run walk.mp4"):
        assert word in text, word
    links = re.findall(r'<a href="([^"]+)"', text)
    assert set(links) == set(report["outputs"]) - {"report.html"}
    assert all((run / link).exists() for link in links)


def test_nothing_is_taken_from_outside(text):
    """No address is loaded, and the page's own policy forbids that any ever is."""
    own = text.replace(parts(text, "plotly"), "")
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", own)
    assert not re.search(r"url\(\s*['\"]?https?:|@import|fetch\(|XMLHttpRequest", own)
    assert "default-src 'none'" in own


def test_names_are_text_and_not_html(text):
    """A video's name with < and & in it stays a name."""
    assert "walk &lt;b&gt;&amp;.mp4" in text and "walk <b>" not in text


def test_the_numbers_are_the_motion_s(run, text):
    """Times, joints, contacts and measures come out of the page as they went in."""
    from mrs.motion import Motion

    motion, told = Motion.load(run / "persons/02/motion.npz"), json.loads(parts(text, "moving"))
    person = told["people"][1]
    read = lambda name, kind: np.frombuffer(base64.b64decode(person[name]), kind)
    assert np.allclose(read("times_s", "<f4"), motion.times_s, atol=1e-5)
    assert np.allclose(read("joints_m", "<f4").reshape(motion.joints_m.shape), motion.joints_m, atol=1e-5)
    assert np.array_equal(read("contacts", "u1").reshape(-1, 4) > 127, motion.contacts > 0.5)
    jitter = np.frombuffer(base64.b64decode(person["measures"]["after"]["jitter_10m_s3"]), "<f4")
    report = json.loads((run / "run.json").read_text())
    assert np.nanmean(jitter) == pytest.approx(report["persons"]["02"]["quality"]["refined"]["jitter_10m_s3"], rel=1e-3)


def test_the_skin_of_the_page_is_the_body_s(run, text):
    """Template, rest joints, four joints a vertex and turned bones give the vertices of the body, to a centimetre."""
    from mrs import rotations
    from mrs.body import load_body
    from mrs.motion import Motion

    motion, told = Motion.load(run / "persons/01/motion.npz"), json.loads(parts(text, "moving"))
    read = lambda place, name, kind: np.frombuffer(base64.b64decode(place[name]), kind)
    person, body, row = told["people"][0], told["body"], 20
    turned = rotations.quat_to_matrix(read(person, "turned", "<i2").reshape(-1, 24, 4)[row] / 32767)
    rest, template = read(person, "rest_m", "<f4").reshape(24, 3), read(person, "template_m", "<f4").reshape(-1, 3)
    bones, weights = read(body, "bones", "u1").reshape(-1, 4), read(body, "weights", "<f4").reshape(-1, 4)
    moved = np.einsum("jab,vjb->vja", turned, template[:, None] - rest) + motion.joints_m[row]
    skin = (np.take_along_axis(moved, bones[..., None].astype(int), 1) * weights[..., None]).sum(1)
    assert np.abs(skin - load_body().vertices(motion, slice(row, row + 1))[0]).max() < 0.01
    assert np.array_equal(read(body, "faces", "<u2").reshape(-1, 3), load_body().faces)


def test_a_report_is_written_once(run):
    """A page that is true is left alone; a changed run makes another one, and run.json knows it."""
    before = (run / "report.html").stat().st_mtime_ns
    of_run.of_folder(run)
    assert (run / "report.html").stat().st_mtime_ns == before
    (run / "report.html").write_text("scribbled")
    of_run.of_folder(run)
    assert (run / "report.html").read_text().startswith("<!DOCTYPE html>")
    report = json.loads((run / "run.json").read_text())
    assert report["outputs"].count("report.html") == 1 and report["status"] == "done" and report["persons"]


def test_without_a_film_and_without_people(tmp_path):
    """A run without an overlay has a page without a film; one in which nobody was found has words only."""
    root = make_run(tmp_path / "a", seconds=0.5, people=1, film=False)
    text = of_run.of_folder(root).read_text()
    assert 'data-film=""' in text and parts(text, "film-data") == ""
    report = json.loads((root / "run.json").read_text()) | {"persons": {}, "warnings": []}
    bare = page.page(report, None, None, root, ["run.json"], 0.5)
    assert '<body class="empty">' in bare and "Nothing to complain about" in bare and len(bare) < 60_000


def test_a_large_film_is_made_smaller_and_a_long_one_stays_outside(tmp_path, monkeypatch):
    """What is embedded keeps its times and stays under what is allowed; of a long clip the page has a link."""
    root = make_run(tmp_path / "run", seconds=1.0, people=1, options={"crf": "0"})
    film = root / "overlay.mp4"
    assert page_film.allowed_bytes(10) * 4 / 3 + 4e6 < 15e6
    monkeypatch.setattr(page_film, "BYTES_A_S", 1)
    monkeypatch.setattr(page_film, "LEAST_BYTES", film.stat().st_size - 1)
    monkeypatch.setattr(page_film, "SIDES_PX", ((160, 28),))
    small = page_film.embedded(film, 1.0)
    (tmp_path / "small.mp4").write_bytes(small)
    video = Video.open(tmp_path / "small.mp4")
    assert len(small) < film.stat().st_size and video.size_px == (160, 160 * SIZE[1] // SIZE[0])
    assert np.allclose(video.times_s, Video.open(film).times_s, atol=1e-4)
    assert page_film.embedded(film, page_film.LONGEST_S + 1) is None
    assert page_film.embedded(film, page_film.LONGEST_ANEW_S + 1) is None
    monkeypatch.setattr(page_film, "LONGEST_S", 0.1)
    assert 'data-film="overlay.mp4"' in of_run.of_folder(root).read_text()


def test_encoding_begins_with_a_size_that_can_fit(tmp_path, monkeypatch):
    """A film ten times too large is not encoded at sizes that are still too large."""
    film = make_run(tmp_path / "run", seconds=1.0, people=1, options={"crf": "0"}) / "overlay.mp4"
    monkeypatch.setattr(page_film, "BYTES_A_S", 1)
    monkeypatch.setattr(page_film, "LEAST_BYTES", film.stat().st_size // 10)
    tried = []
    monkeypatch.setattr(page_film, "_encode", lambda source, target, side, crf: (tried.append(side), target.write_bytes(b"small")))
    assert page_film.embedded(film, 1.0) == b"small" and len(tried) == 1 and tried[0] < page_film.SIDES_PX[0][0]


def test_an_overlay_of_an_earlier_motion_is_left_out(tmp_path):
    """Where the overlay is none of the run's results any more, the page says so and how to draw it."""
    root = make_run(tmp_path / "run", seconds=0.5, people=1)
    report = json.loads((root / "run.json").read_text())
    report["outputs"].remove("overlay.mp4")
    (root / "run.json").write_text(json.dumps(report))
    text = of_run.of_folder(root).read_text()
    assert 'data-film=""' in text and "shows an earlier motion" in text


def test_long_clips_are_thinned(monkeypatch):
    """The moving part has a bound whatever the clip's length; its ends stay."""
    monkeypatch.setattr(payload, "MOST_FRAMES", 25)
    motion, contacts = walker(np.arange(90) / 30)
    track, motion = filmed(replace(motion, contacts=contacts.astype(float)), size_px=SIZE)
    packed = payload.pack([payload.Shown(track, shaken(motion), motion)], 0.0, 3.0)
    times = np.frombuffer(base64.b64decode(packed["people"][0]["times_s"]), "<f4")
    assert len(times) <= 25 and times[0] == 0 and times[-1] > 2.8


def test_what_was_lifted_stands_where_the_refined_motion_is():
    """A lifted motion in the camera's frame is drawn in the refined motion's world."""
    motion, _ = walker(np.arange(10) / 30)
    _, motion = filmed(motion, size_px=SIZE)
    lifted = replace(motion, joints_m=motion.camera.to_camera(motion.joints_m), frame="camera", camera=None,
                     root_pos_m=motion.camera.to_camera(motion.root_pos_m))
    assert np.allclose(payload.in_world(lifted, motion).joints_m, motion.joints_m, atol=1e-9)
    assert payload.in_world(None, motion) is None and payload.in_world(lifted.part(0, 5), motion) is None


@pytest.mark.parametrize(("change", "words"), [
    ({"error_2d_percent": 9.0}, "--set detector.model=heavy"), ({"foot_skate_cm_s": 8.0}, "--foot-lock always"),
    ({"jitter_10m_s3": 200.0}, "restless"), ({"penetration_cm": 6.0}, "--camera-tilt"), ({"seen": 10}, "filled in"),
])
def test_bad_numbers_are_said_in_words(run, change, words):
    """Each number out of its range is one remark with what to do; a clean run has none but on the lens."""
    report = json.loads((run / "run.json").read_text()) | {"warnings": []}
    for person in report["persons"].values():
        person["quality"]["refined"] |= dict.fromkeys(("error_2d_percent", "foot_skate_cm_s", "jitter_10m_s3", "penetration_cm"), 1.0)
    assert next(r.text for r in advice.remarks(report)).startswith("The lens is a guess") and len(advice.remarks(report)) == 1
    person = report["persons"]["01"]
    (person if "seen" in change else person["quality"]["refined"]).update(change)
    told = advice.remarks(report)
    assert len(told) == 2 and any(words in f"{r.text} {r.todo}" and "Person 1" in r.text for r in told)


def test_a_warning_that_says_what_to_type_gets_no_other_advice():
    """Advice is not doubled."""
    told = advice.remarks({"warnings": ["It moves. Type: --camera rotating", "The file is cut off: 3 of 9 frames."]})
    assert [bool(remark.todo) for remark in told] == [False, True]
