"""What a batch is to do."""

import os

import pytest

from mrs import config
from mrs.batch import jobs
from mrs.batch.jobs import Job
from mrs.batch.storage import Folder, write_json
from mrs.errors import InputError


def settings(**flags):
    return config.settings("clip", flags)


@pytest.fixture
def clips(tmp_path):
    """Three clips, two of which share a name."""
    for name in ("a/clip.mp4", "b/clip.mp4", "b/other.MOV", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_folders_mean_their_videos_each_once(clips):
    """Files, folders and URLs are listed in order, without doubles and without what is no video."""
    found = jobs.videos_of([str(clips / "a/clip.mp4"), str(clips / "b"), str(clips / "b/clip.mp4"), "s3://bucket/x.mp4"])
    assert found == [*(str(clips / n) for n in ("a/clip.mp4", "b/clip.mp4", "b/other.MOV")), "s3://bucket/x.mp4"]
    (clips / "empty").mkdir()
    with pytest.raises(InputError, match="Expected videos"):
        jobs.videos_of([str(clips / "empty")])


def test_names_are_stems_and_stay(clips):
    """A shared stem gets a hash; a clip keeps the name it got, whatever comes later."""
    place = Folder(clips / "out")
    first = jobs.plan([str(clips / "a/clip.mp4")], place, settings())
    jobs.submit(first, place)
    again = jobs.plan(jobs.videos_of([str(clips / "b"), str(clips / "a")]), place, settings())
    names = {job.video: job.name for job in again}
    assert names[str(clips / "a/clip.mp4")] == "clip"
    assert names[str(clips / "b/clip.mp4")].startswith("clip_")
    assert len(set(names.values())) == 3
    jobs.submit(again, place)
    assert {j["video"]: j["name"] for j in jobs.known(place)} == names


def test_names_are_fit_for_paths(tmp_path):
    """Odd characters, hidden files and the table's own names give harmless folders."""
    place = Folder(tmp_path)
    names = [job.name for job in jobs.plan(["/v/.x?y*.mp4", "/v/summary.csv.mp4", "/v/...mp4"], place, settings())]
    assert names[0] == "x_y_"
    assert names[1].startswith("summary.csv_")
    assert names[2] == "clip" or names[2]


def test_the_key_follows_clip_and_settings(clips):
    """Another size or time of the file, another option, another plugin file: another key. The same: the same."""
    place, video, plugin = Folder(clips / "o"), str(clips / "a/clip.mp4"), clips / "p.py"
    plugin.write_text("1")

    def key(**flags):
        return jobs.plan([video], place, config.settings("clip", flags, plugins=(str(plugin),)))[0].key

    first = key()
    assert key() == first
    assert key(fov=60) != first
    plugin.write_text("2")
    assert key() != first
    plugin.write_text("1")
    os.utime(video, ns=(1, 1))
    assert key() != first


@pytest.mark.parametrize("status, stands", [("done", True), ("nobody", True), ("bad input", True), ("failed", False), ("interrupted", False)])
def test_verdicts_stand_and_failures_are_tried_again(clips, status, stands):
    """What would end so again is not done again, unless it is asked for."""
    place, video = Folder(clips / "o"), str(clips / "a/clip.mp4")
    job = jobs.plan([video], place, settings())[0]
    record = {"id": "1", "key": job.key, "status": status}
    write_json(place, jobs.record_name(job.name), record)
    assert jobs.counts(record, jobs.plan([video], place, settings())[0]) is stands
    assert not jobs.counts(record, jobs.plan([video], place, settings(), again=True)[0])
    assert not jobs.counts(record, jobs.plan([video], place, settings(fov=50))[0])


def test_a_job_survives_the_journey(clips):
    """As JSON and back it is equal, and says the same settings."""
    import json

    given = config.settings("clip", {"fov": 60.0, "person": "largest"}, sets=("smoother.iterations=5",))
    job = jobs.plan([str(clips / "a/clip.mp4")], Folder(clips / "o"), given)[0]
    back = Job.from_dict(json.loads(json.dumps(job.as_dict())))
    assert back == job
    made = back.settings(clips / "o/clip", clips / "a/clip.mp4")
    assert (made.values, made.stage_options) == (given.values, given.stage_options)
