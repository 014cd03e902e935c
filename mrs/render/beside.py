"""synth.mp4 of a run: the video on the left, its people re-enacting on the right."""

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
from mrs.render.group import Group
from mrs.tracks import Tracks

NAME = "synth.mp4"
MOST = 4


def synth_film(pipeline, motions: dict[int, Motion], synthesized: dict[int, Motion], tracks: Tracks) -> None:
    """Write the film of the run's people, or reuse it; warnings go to the pipeline's list."""
    if not getattr(pipeline.video, "pictures", True):
        pipeline.warnings.append("There is no synth.mp4, since there is no video to take the person's looks from.")
        return
    people = _largest(motions, tracks)
    if len(people) < len(motions):
        pipeline.warnings.append(f"{NAME} shows {_named(people)}, the largest of {len(motions)} (--person ID for another).")
    clips, step = [_clip(pipeline, motions, tracks, person) for person in people], pipeline.plan.steps["person_renderer"]
    inputs = pipeline._inputs(step, video=pipeline.video.sha256, persons=people, motions=[provenance.motion_hash(synthesized[p]) for p in people],
                              looks=[films.made_from(clip) for clip in clips])
    pipeline.used.append(NAME)
    if pipeline.reuse(NAME, inputs):
        pipeline.warnings += pipeline.folder.results[NAME].get("warnings", [])
        return
    start = time.monotonic()
    frames, notes = _written(pipeline, clips, [synthesized[p] for p in people], step)
    pipeline.warnings += notes
    pipeline.folder.record(NAME, inputs, time.monotonic() - start, frames=frames, warnings=notes)


def _written(pipeline, clips: list[Clip], motions: list[Motion], step) -> tuple[int, list[str]]:
    """Draw the film; return how many frames it has and what could not be done."""
    from mrs.video_write import write_video

    looks = _told_apart(clips, [_looks(pipeline, clip, step) for clip in clips])
    film, notes = _film(clips, motions, looks)
    with pipeline._working(step, len(film.times_s), NAME) as update:
        step.plugin.progress = update
        size_px = film.size_px[0] * 2, film.size_px[1]
        with pipeline.folder.writing(NAME) as path:
            write_video(path, _pairs(clips[0], film, step.plugin, update), film.times_s, size_px)
    return len(film.times_s), [*notes, *film.notes]


def _looks(pipeline, clip: Clip, step) -> films.Appearance:
    """How a person looks; plain where no picture shows it."""
    with pipeline._working(step, len(clip.rows(films.gather.FRAMES)), "appearance") as update:
        try:
            return films.appearance_of(clip, update)
        except InputError as error:
            return replace(films.Appearance.plain(betas=clip.motion.betas), clip=clip, notes=(f"The body in {NAME} is plain. {error}",))


def _told_apart(clips: list[Clip], looks: list[films.Appearance]) -> list[films.Appearance]:
    """Say of which person a note is, where it isn't of all."""
    said = [set(own.notes) for own in looks]
    shared = set.intersection(*said)
    return [replace(own, notes=tuple(note if note in shared else f"Person {clip.person}: {note}" for note in own.notes))
            for clip, own in zip(clips, looks, strict=True)]


def _film(clips: list[Clip], motions: list[Motion], looks: list[films.Appearance]) -> tuple[films.Film | Group, list[str]]:
    """One film of all who can be seen by the first one's camera, and a line on who can't."""
    made = []
    for clip, motion, own in zip(clips, motions, looks, strict=True):
        view = "clip" if films.views.has_camera(motion, own) else "follow"
        made.append(films.Film(motion, own, view, films.fitting(clip.size_px)))
    together = [film for film in made if film is made[0] or _same_view(film, made[0])]
    left = [clip.person for clip, film in zip(clips, made, strict=True) if film not in together]
    notes = [f"{NAME} is without {_named(left)}, whose camera is another."] if left else []
    return (Group(together) if len(together) > 1 else made[0]), notes


def _same_view(film: films.Film, other: films.Film) -> bool:
    """Tell whether one still camera sees both."""
    return film.camera.is_still and other.camera.is_still and all(np.allclose(getattr(film.camera, name), getattr(other.camera, name), atol=1e-4)
                                                                 for name in ("K", "R", "t"))


def _named(people: list[int]) -> str:
    return f"person {people[0]}" if len(people) == 1 else f"persons {', '.join(map(str, people[:-1]))} and {people[-1]}"


def _pairs(clip: Clip, film: films.Film | Group, drawing, update) -> Iterator[np.ndarray]:
    """Yield the video's picture beside the drawn one."""
    for done, (left, right) in enumerate(zip(_source(clip, film), film.pictures(drawing), strict=True), 1):
        yield np.concatenate([left, right], 1)
        update(done)


def _source(clip: Clip, film: films.Film | Group) -> Iterator[np.ndarray]:
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


def _largest(motions: dict[int, Motion], tracks: Tracks) -> list[int]:
    """Up to MOST people with a motion, the largest first."""
    from mrs.track_edit import choose

    there = replace(tracks, people=tuple(t for t in tracks.people if t.person in motions))
    found: list[int] = []
    while len(there) and len(found) < MOST:
        found.append(choose(there, "largest").people[0].person)
        there = replace(there, people=tuple(t for t in there.people if t.person not in found))
    return found


def _clip(pipeline, motions: dict[int, Motion], tracks: Tracks, person: int) -> Clip:
    """One person of the run as a source of looks."""
    others = {n: m for n, m in motions.items() if n != person}
    return Clip(pipeline.video, motions[person], tracks, person, tuple(others.values()), tuple(others),
                pipeline.folder.root / "persons" / f"{person:02d}", pipeline.folder.report)
