import errno
import json
import subprocess
import sys

import pytest

from mrs.errors import InputError, MrsError
from mrs.runfolder import RunFolder, key_of


def record(folder: RunFolder, name: str = "a.txt", **inputs) -> None:
    folder.path(name).write_text("result")
    folder.record(name, inputs, 0.5)


def test_a_result_is_current_only_with_its_key_and_its_file(tmp_path):
    """Another key, another content, or no file: not current."""
    folder = RunFolder.open(tmp_path / "o", "v")
    record(folder, x=1)
    assert folder.is_current("a.txt", key_of({"x": 1}))
    assert not folder.is_current("a.txt", key_of({"x": 2}))
    (tmp_path / "o/a.txt").write_text("Result")
    assert not folder.is_current("a.txt", key_of({"x": 1}))
    (tmp_path / "o/a.txt").unlink()
    assert not folder.is_current("a.txt", key_of({"x": 1}))


def test_keys_do_not_depend_on_the_order_of_inputs():
    """A key is of the values."""
    assert key_of({"a": 1, "b": [2.0, None]}) == key_of({"b": [2.0, None], "a": 1}) != key_of({"a": 1, "b": [2.0]})


def test_a_record_is_on_disk_at_once(tmp_path):
    """run.json knows a result as soon as it is finished."""
    folder = RunFolder.open(tmp_path / "o", "v")
    record(folder, x=1)
    assert json.loads((tmp_path / "o/run.json").read_text())["results"]["a.txt"]["made_from"] == {"x": 1}


def test_a_record_that_leads_outside_is_not_removed(tmp_path):
    """--overwrite removes files of the folder only, whatever run.json says."""
    (tmp_path / "precious.txt").write_text("")
    (tmp_path / "o").mkdir()
    (tmp_path / "o/run.json").write_text(json.dumps({"schema_version": 1, "results": {"../precious.txt": {}}}))
    RunFolder.open(tmp_path / "o", "v", overwrite=True).close()
    assert (tmp_path / "precious.txt").exists()


def test_a_newer_run_json_is_refused_with_the_command(tmp_path):
    """A folder of a newer mrs names the command that helps."""
    (tmp_path / "o").mkdir()
    (tmp_path / "o/run.json").write_text('{"schema_version": 99}')
    with pytest.raises(InputError, match="pip install -U mrs"):
        RunFolder.open(tmp_path / "o", "v")


@pytest.mark.parametrize("content", ["{", "[]", '{"schema_version": "x"}', '{"schema_version": 1, "results": []}',
                                     '{"schema_version": 1, "results": {"tracks.npz": 3}}', '{"schema_version": 1, "video": 1}'])
def test_a_run_json_that_is_none_is_refused_and_overwritten(tmp_path, content):
    """A damaged run.json is bad input that names what helps; --overwrite takes it away."""
    (tmp_path / "o").mkdir()
    (tmp_path / "o/run.json").write_text(content)
    with pytest.raises(InputError, match="type --overwrite"):
        RunFolder.open(tmp_path / "o", "v")
    RunFolder.open(tmp_path / "o", "v", overwrite=True).close()
    assert not (tmp_path / "o/run.json").exists()


def test_the_lock_of_another_process_counts_and_dies_with_it(tmp_path):
    """A folder that another process holds is refused until that process is gone, however it went."""
    code = ("import sys, time\nfrom pathlib import Path\nfrom mrs.runfolder import RunFolder\n"
            f"folder = RunFolder.open(Path({str(tmp_path / 'o')!r}), 'v')\nprint('held', flush=True)\ntime.sleep(60)")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(MrsError, match=f"process {process.pid}"):
        RunFolder.open(tmp_path / "o", "v")
    process.kill()
    process.communicate()
    RunFolder.open(tmp_path / "o", "v").close()


@pytest.mark.parametrize("number, advice", [(errno.ENOSPC, "free some space"), (errno.EACCES, "permissions")])
def test_what_the_disk_refuses_names_file_and_advice(tmp_path, number, advice):
    """An OSError while writing, also one that a plugin has wrapped, becomes one line with the final name."""
    folder = RunFolder.open(tmp_path / "o", "v")
    with pytest.raises(MrsError, match=f"persons/01/x.bvh, but it can't be written.*{advice}"), folder.writing("persons/01/x.bvh"):
        raise OSError(number, "no")


def test_a_full_disk_that_an_exporter_words_itself_gets_the_advice(tmp_path):
    """What an exporter says of its temporary file is reworded to the file that the user knows."""
    folder = RunFolder.open(tmp_path / "o", "v")
    with pytest.raises(MrsError, match="x.bvh, but it can't be written: no. .*free some space"), folder.writing("x.bvh"):
        try:
            raise OSError(errno.ENOSPC, "no")
        except OSError:
            raise MrsError("odd words about .x.tmp.bvh") from None


def test_undoing_leaves_the_folder_as_it_was(tmp_path):
    """A new folder goes with its new parents; one that was there keeps what was in it, and one in which something was made stays."""
    for number, there in enumerate(([], ["mine.txt"], [".partial/refined/mine"])):
        root = tmp_path / "new" / f"run{number}"
        for name in there:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("mine")
        before = sorted(tmp_path.rglob("*"))
        folder = RunFolder.open(root, "a")
        folder.save()
        (folder.hidden / "detect").mkdir()
        assert folder.undo() and sorted(tmp_path.rglob("*")) == before
    folder = RunFolder.open(root, "a")
    folder.report["schema_version"] = 1
    folder.path("made").write_text("x")
    folder.record("made", {}, 1.0)
    assert not folder.undo() and (root / "run.json").is_file()
    folder.close()
    again = RunFolder.open(root, "a")
    again.report["results"] = {}
    again.save()
    assert not again.undo() and (root / "run.json").is_file() and (root / "made").is_file()
