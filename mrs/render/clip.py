"""A run folder as a source of pictures: one person's motion, where they are in each frame, and who else is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrs.cameras import Camera
from mrs.errors import InputError, MrsError
from mrs.motion import Motion
from mrs.tracks import Track, Tracks
from mrs.video import Frame, Video


@dataclass(frozen=True)
class Clip:
    """One person of a run.

    video    the pictures, or None where the file is gone or another (`why` says so)
    motion   the person's motion in the world, with its camera
    tracks   everybody of the run; `track` is this person's
    others   motions of the other people in the same world, and their ids
    folder   persons/NN of the run folder: a place for what is made of this person
    facts    what run.json says
    """

    video: Video | None
    motion: Motion
    tracks: Tracks
    person: int
    others: tuple[Motion, ...]
    others_ids: tuple[int, ...]
    folder: Path
    facts: dict[str, Any]
    why: str = ""

    @classmethod
    def of_run(cls, run: Path | str, person: str = "largest") -> Clip:
        """Read a run folder; `person` is largest, longest, center or an id. Raises InputError where it is not finished."""
        from mrs.track_edit import choose

        run = Path(run)
        facts = read_facts(run)
        tracks = Tracks.load(run / "tracks.npz")
        motions = {int(p.parent.name): p for p in sorted(run.glob("persons/*/motion.npz")) if p.parent.name.isdigit()}
        if not motions:
            raise InputError(f"Expected persons/*/motion.npz in {run}, but there is none. Type: mrs run VIDEO -o {run}")
        there = Tracks(tuple(t for t in tracks.people if t.person in motions), tracks.size_px, tracks.frame_ids, tracks.times_s)
        number = choose(there if len(there) else tracks, person).people[0].person
        if number not in motions:
            raise InputError(f"Expected a motion of person {number} in {run}, but there is none. Type: mrs run VIDEO -o {run} --person all")
        loaded = {n: Motion.load(path) for n, path in motions.items()}
        video, why = _video_of(facts)
        others = {n: motion for n, motion in loaded.items() if n != number}
        return cls(video, loaded[number], tracks, number, tuple(others.values()), tuple(others), run / "persons" / f"{number:02d}", facts, why)

    @property
    def track(self) -> Track:
        """This person's track."""
        return self.tracks.person(self.person)

    @property
    def size_px(self) -> tuple[int, int]:
        """Size of the pictures (w, h)."""
        return tuple(int(v) for v in self.tracks.size_px)

    @property
    def camera(self) -> Camera:
        """The camera of the motion's frames, K for `size_px`."""
        return scaled_to(self.motion.camera or Camera.from_fov(self.size_px), self.size_px)

    def rows(self, at_most: int | None = None) -> np.ndarray:
        """Rows (n,) of the motion in which the person was seen, spread evenly where there are more than `at_most`."""
        seen = np.flatnonzero(self.track.seen) if len(self.track) == len(self.motion) else np.arange(len(self.motion))
        if at_most is not None and len(seen) > at_most:
            seen = seen[np.unique(np.linspace(0, len(seen) - 1, at_most).round().astype(int))]
        return seen

    def frames(self, rows: np.ndarray) -> Iterator[tuple[int, Frame]]:
        """Yield (row of the motion, frame) for growing rows; frames in between are decoded and passed over."""
        if self.video is None:
            raise InputError(self.why)
        wanted = {int(np.argmin(np.abs(self.video.times_s - self.motion.times_s[row]))): int(row) for row in rows}
        if not wanted:
            return
        last = max(wanted)
        for frame in self.video.frames(min(wanted)):
            if frame.row in wanted:
                yield wanted[frame.row], frame
            if frame.row >= last:
                return


def read_facts(run: Path) -> dict[str, Any]:
    """Read run.json of a finished run, or say what to type."""
    try:
        facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
        facts["video"].keys()
    except FileNotFoundError:
        raise InputError(f"Expected the folder of a run, but there is no {run / 'run.json'}. Type: mrs run VIDEO -o {run}") from None
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise InputError(f"Expected {run / 'run.json'} to be written by mrs, but it can't be read: {error}.") from None
    return facts


def _video_of(facts: dict[str, Any]) -> tuple[Video | None, str]:
    """Open the video of a run, or say why its pictures can't be used."""
    told, settings = facts["video"], facts.get("settings", {})
    if not told.get("pictures", True):
        return None, "Expected a run of a video, but this one was made of 2D poses without pictures."
    try:
        video = Video.open(told["path"], settings.get("start"), settings.get("end"))
    except MrsError as error:
        return None, str(error)
    if video.sha256 != told["sha256"]:
        return None, f"Expected the video of the run at {told['path']}, but the file there has changed since."
    return video, ""


def scaled_to(camera: Camera, size_px: tuple[int, int]) -> Camera:
    """Return the camera for a picture of another size: the same view in height, more or less of it in width."""
    from dataclasses import replace

    width, height = camera.size_px
    if (width, height) == tuple(size_px):
        return camera
    scale = size_px[1] / height
    K = np.array(camera.K, float)
    K[..., :2, :] *= scale
    K[..., 0, 2] += (size_px[0] - width * scale) / 2
    return replace(camera, K=K, size_px=(int(size_px[0]), int(size_px[1])))
