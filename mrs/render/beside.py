"""synth.mp4 of a run: the video on the left, its person re-enacting on the right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mrs import provenance
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.render import film as films
from mrs.render.clip import Clip
from mrs.tracks import Tracks

NAME = "synth.mp4"


def synth_film(pipeline, motions: dict[int, Motion], synthesized: dict[int, Motion], tracks: Tracks) -> None:
    """Write the film of the run's largest person, or reuse it; warnings go to the pipeline's list."""
    if not getattr(pipeline.video, "pictures", True):
        pipeline.warnings.append("There is no synth.mp4, since there is no video to take the person's looks from.")
        return
    clip = _clip(pipeline, motions, tracks)
    if len(motions) > 1:
        pipeline.warnings.append(f"{NAME} shows person {clip.person}, the largest (--person ID for another).")
    step, motion = pipeline.plan.steps["person_renderer"], synthesized[clip.person]
    inputs = pipeline._inputs(step, video=pipeline.video.sha256, person=clip.person, motion=provenance.motion_hash(motion),
                              looks=films.made_from(clip))
    pipeline.used.append(NAME)
    if pipeline.reuse(NAME, inputs):
        pipeline.warnings += pipeline.folder.results[NAME].get("warnings", [])
        return
    start = time.monotonic()
    notes = _written(pipeline, clip, motion, step)
    pipeline.warnings += notes
    pipeline.folder.record(NAME, inputs, time.monotonic() - start, frames=len(motion), warnings=notes)


def _written(pipeline, clip: Clip, motion: Motion, step) -> list[str]:
    """Draw the film; return what could not be done."""
    from mrs.video_write import write_video

    with pipeline._working(step, len(clip.rows(films.gather.FRAMES)), "appearance") as update:
        try:
            looks = films.appearance_of(clip, update)
        except InputError as error:
            looks = replace(films.Appearance.plain(betas=clip.motion.betas), clip=clip, notes=(f"The body in {NAME} is plain. {error}",))
    view = "clip" if films.views.has_camera(motion, looks) else "follow"
    film = films.Film(motion, looks, view, films.fitting(clip.size_px))
    with pipeline._working(step, len(motion), NAME) as update:
        step.plugin.progress = update
        size_px = film.size_px[0] * 2, film.size_px[1]
        with pipeline.folder.writing(NAME) as path:
            write_video(path, _pairs(clip, film, step.plugin, update), film.times_s, size_px)
    return film.notes


def _pairs(clip: Clip, film: films.Film, drawing, update) -> Iterator[np.ndarray]:
    """Yield the video's picture beside the drawn one."""
    for done, (left, right) in enumerate(zip(_source(clip, film), film.pictures(drawing), strict=True), 1):
        yield np.concatenate([left, right], 1)
        update(done)


def _source(clip: Clip, film: films.Film) -> Iterator[np.ndarray]:
    """Yield the video's picture nearest to each time of the film, at its size; after the video's end its last."""
    from mrs.render.backdrop import fitted

    times = clip.video.times_s
    rows = np.array([int(np.argmin(np.abs(times - time_s))) for time_s in film.times_s])
    frames = clip.video.frames(int(rows[0]))
    frame = next(frames)
    shown = fitted(frame.rgb, film.size_px)
    for row in rows:
        while frame.row < row:
            following = next(frames, None)
            if following is None:
                break
            frame = following
            if frame.row >= row:
                shown = fitted(frame.rgb, film.size_px)
        yield shown


def _clip(pipeline, motions: dict[int, Motion], tracks: Tracks) -> Clip:
    """The run's largest person as a source of looks."""
    from mrs.track_edit import choose

    there = replace(tracks, people=tuple(t for t in tracks.people if t.person in motions))
    person = choose(there, "largest").people[0].person
    others = {n: m for n, m in motions.items() if n != person}
    return Clip(pipeline.video, motions[person], tracks, person, tuple(others.values()), tuple(others),
                pipeline.folder.root / "persons" / f"{person:02d}", pipeline.folder.report)
