"""Lifters that read what other programs made of the same video: one class a program, on one base."""

from __future__ import annotations

from pathlib import Path

import mrs

_SOURCE = "What to read; --lifter NAME:PATH sets it."
_FIRST = "Number of the video's frame that is the file's first; none: as the file says, or where the person is first seen."
_FPS = "Frame rate of the video that the file was made of, where it is not this one's; bodies are then put at their times."
_ROOT = "Where people stand: on the file's path at the distance that the keypoints tell (auto), as the file says (file), or by the keypoints (evidence)."
_STATURE = "Standing height of the person in metres, where it is known."
_CONFIDENCE = "Ignore keypoints below this when placing the body."
_PERSON = "Who it is in the file; none: whoever is where the track is."


class _Options:
    """Options of every lifter that reads a file."""

    source: str | None = mrs.option(None, _SOURCE)
    person: str | None = mrs.option(None, _PERSON)
    first_frame: int | None = mrs.option(None, _FIRST)
    fps: float | None = mrs.option(None, _FPS, min=1, max=1000)
    root: str = mrs.option("auto", _ROOT, choices=("auto", "file", "evidence"))
    focal_px: float | None = mrs.option(None, "Focal length in pixels that the program was given, where the file does not say it.", min=1)
    stature_m: float | None = mrs.option(None, _STATURE, min=0.5, max=2.6)
    min_confidence: float = mrs.option(0.3, _CONFIDENCE, min=0, max=1)


def _of_focal(K, focal_px: float):
    """The camera (N, 3, 3), where there is one, with another focal length."""
    return None if K is None else K * [[1, 1, 0], [1, 1, 0], [0, 0, 0]] / K[:, :1, :1] * focal_px + K * [[0, 0, 1], [0, 0, 1], [0, 0, 1]]


class _FileLifter:
    """Read bodies from a file, choose the track's person, and put it before the video's camera at the track's frames."""

    takes = "FILE"
    needs = ("scipy",)
    progress = body = None
    Options = _Options

    def __init__(self):
        self._read = None

    @staticmethod
    def suits(track) -> bool:
        """Take any track."""
        return True

    def lifts(self, size_px):
        """Return what the file holds; it is read once."""
        if self._read is None:
            from dataclasses import replace

            from mrs.formats.lifts import programs

            read = getattr(programs, f"read_{type(self).reader}")(Path(self.options.source), size_px)
            if self.options.focal_px is not None:
                read = [replace(one, K=_of_focal(one.K, self.options.focal_px)) for one in read]
            self._read = read
        return self._read

    def lift(self, video, track):
        """Return the Motion in the camera frame; frames that the file does not tell of are interpolated with confidence 0."""
        from mrs.body import load_body
        from mrs.lifting import foreign

        o = self.options
        options = foreign.Options(o.person, o.first_frame, o.fps, o.root, o.stature_m, o.min_confidence)
        motion, notes = foreign.lift(self.lifts(video.size_px), video, track, load_body(self.body), options, o.source)
        video.warnings += [f"{o.source}: {note}" for note in notes]
        return motion


class Hmmr(_FileLifter):
    """Read HMMR's hmmr_output.pkl (Kanazawa et al. 2019)."""

    name, reader = "hmmr:", "hmmr"


class Vibe(_FileLifter):
    """Read VIBE's vibe_output.pkl (Kocabas et al. 2020)."""

    name, reader = "vibe:", "vibe"


class Wham(_FileLifter):
    """Read WHAM's wham_output.pkl (Shin et al. 2024)."""

    name, reader = "wham:", "wham"


class Gvhmr(_FileLifter):
    """Read GVHMR's hmr4d_results.pt (Shen et al. 2024)."""

    name, reader = "gvhmr:", "gvhmr"


class Phalp(_FileLifter):
    """Read the results pickle of PHALP or 4D-Humans (Goel et al. 2023)."""

    name, reader = "phalp:", "phalp"


class FourDHumans(Phalp):
    """Read the results pickle of 4D-Humans, which PHALP writes."""

    name = "4dhumans:"


class Tram(_FileLifter):
    """Read TRAM's hps_track_K.npy, or the folder of its results (Wang et al. 2024)."""

    name, reader, takes = "tram:", "tram", "FILE_OR_DIR"


class AmassFile:
    """Read an AMASS file of the same performance, and find the camera that filmed it so."""

    name = "amass:"
    takes = "FILE"
    needs = ("scipy",)
    progress = body = None

    class Options:
        source: str | None = mrs.option(None, _SOURCE)
        offset_s: float = mrs.option(0.0, "Seconds of the video at which the file begins.")
        stature_m: float | None = mrs.option(None, _STATURE, min=0.5, max=2.6)
        up: str = mrs.option("z", "Which axis of the file points up.", choices=("z", "y"))
        min_confidence: float = mrs.option(0.3, _CONFIDENCE, min=0, max=1)

    @staticmethod
    def suits(track) -> bool:
        """Take any track."""
        return True

    def lift(self, video, track):
        """Return the Motion in the camera frame; frames outside of the file are held with confidence 0."""
        from mrs.body import load_body
        from mrs.formats import amass
        from mrs.lifting import mocap

        o = self.options
        body = load_body(self.body)
        motion = amass.read(o.source, up=o.up, stature_m=mocap.stature_for(body, o.stature_m), floor="file", body=body)
        found, notes = mocap.lift(motion, video, track, o.offset_s, o.min_confidence, o.source)
        video.warnings += [f"{o.source}: {note}" for note in notes]
        return found


@mrs.hookimpl
def register_lifters(register):
    """Register every program."""
    for cls in (Hmmr, Vibe, Wham, Gvhmr, Phalp, FourDHumans, Tram, AmassFile):
        register(cls)
