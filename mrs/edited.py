"""tracks.npz is the one result a person may edit: tell an edited file from an outdated one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mrs.errors import InputError, UsageError
from mrs.runfolder import RunFolder, key_of, sha256_of
from mrs.tracks import Tracks

NAME = "tracks.npz"


@dataclass(frozen=True)
class Verdict:
    """The tracks to go on from (None: they have to be made) and whether somebody edited them."""

    tracks: Tracks | None
    edited: bool = False


def usable_tracks(folder: RunFolder, inputs: dict[str, Any]) -> Verdict:
    """Judge the folder's tracks.npz against what a detection would be made from now.

    An untouched file is used or outdated. An edited one is used where the detection's choices are still the same
    (versions do not count), and otherwise refused, because running on would lose the edits.
    """
    path, record = folder.root / NAME, folder.results.get(NAME)
    if not path.is_file():
        return Verdict(None)
    if record is not None and folder.is_untouched(NAME):
        return Verdict(Tracks.load(path) if record["key"] == key_of(inputs) else None)
    tracks = _edited_tracks(path)
    made_from = _made_from(tracks) or (lasting(record["made_from"]) if record else None)
    if made_from is None:
        raise UsageError(f"Expected {path} to be made by mrs run, but it does not say what it was made from. "
                         "Choose another folder with -o, or type --overwrite to detect again.")
    if made_from != lasting(inputs):
        raise UsageError(f"{path} was edited, and since it was made {_difference(made_from, lasting(inputs))}. Run with the "
                         "old settings, choose another folder with -o, or type --overwrite to detect again and lose the edits.")
    _note(folder, inputs, record, tracks)
    return Verdict(tracks, edited=tracks.history[-1].get("stage") != "tracker" or record is not None)


def _edited_tracks(path) -> Tracks:
    """Load a file that somebody changed; refuse a broken one with what to do."""
    try:
        return Tracks.load(path)
    except InputError as error:
        raise InputError(f"{error} Put the file back, or type --overwrite to detect again.") from None


def lasting(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return inputs, as JSON has them, without the versions of mrs and of plugins."""
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in ("mrs", "version")}
        return value

    return strip(json.loads(json.dumps(inputs, default=str)))


def _made_from(tracks: Tracks) -> dict | None:
    steps = [step["made_from"] for step in tracks.history if step.get("stage") == "tracker" and "made_from" in step]
    return steps[-1] if steps else None


def _note(folder: RunFolder, inputs: dict, record: dict | None, tracks: Tracks) -> None:
    """Note the edit in run.json, next to what the file was when it was made."""
    if record is None:
        record = {"sha256": None, "seconds": 0.0, "detect_seconds": 0.0, "frames": len(tracks.frame_ids)}
    folder.results[NAME] = record | {"key": key_of(inputs), "made_from": inputs, "edited_sha256": sha256_of(folder.root / NAME)}


def _difference(before: dict, now: dict) -> str:
    """Name the settings that differ."""
    old, new = _flat(before), _flat(now)
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name} went from {old.get(name)} to {new.get(name)}" for name in changed[:3])


def _candidates(plugin: dict):
    """List (name, option, value) of the plugins that auto chooses from."""
    return [(c["name"], k, v) for c in plugin.get("candidates", ()) for k, v in c["options"].items()]


def _flat(inputs: dict, prefix: str = "") -> dict[str, Any]:
    """Flatten to names as the command line has them: detector.score_threshold, tracker, start_s."""
    flat: dict[str, Any] = {}
    for key, value in inputs.items():
        if key == "plugin":
            flat[value["stage"]] = value["name"]
            flat |= {f"{value['stage']}.{k}": v for k, v in value["options"].items()}
            if "source_sha256" in value:
                flat[f"{value['stage']}.source_sha256"] = value["source_sha256"]
            flat |= {f"{value['stage']}.{name}.{k}": v for name, k, v in _candidates(value)}
        elif isinstance(value, dict):
            flat |= _flat(value)
        else:
            flat[key] = value
    return flat
