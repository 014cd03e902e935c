"""Several people in one film: each is drawn before what was drawn of those further away."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mrs.motion import Motion
from mrs.render.backdrop import Backdrop
from mrs.render.film import Film, checked
from mrs.synth.features import resampled


class Group:
    """Films of people of one clip that are seen by the same still camera, as one film."""

    def __init__(self, films: list[Film]):
        self.times_s = common_times([film.times_s for film in films])
        self.size_px, self.camera = films[0].size_px, films[0].camera.at(0)
        self.notes = list(dict.fromkeys(note for film in films for note in film.notes))
        self._people = sorted(((film, *_on(film.motion, self.times_s)) for film in films), key=lambda person: -_depth(person[0]))

    def pictures(self, renderer) -> Iterator[np.ndarray]:
        """Yield every picture, the furthest person drawn first; what the renderer could not do is among the notes afterwards."""
        looks = self._people[0][0].appearance
        plain = getattr(getattr(renderer, "options", None), "background", "clip") == "plain"
        place = Backdrop(looks.without_background() if plain else looks, self.camera, self.size_px)
        drawn: Iterator[np.ndarray] = (place.at(0) for _ in self.times_s)
        for film, motion, first in self._people:
            drawn = self._over(drawn, film, motion, first, renderer)
        yield from drawn

    def _over(self, behind: Iterator[np.ndarray], film: Film, motion: Motion, first: int, renderer) -> Iterator[np.ndarray]:
        """Yield the pictures behind with one more person, who is there from the picture `first` on."""
        before, renderer = _Rows(behind), copy.copy(renderer)
        looks = replace(film.appearance, behind=lambda row: before.at(first + row))
        own = checked(renderer, motion, looks, self.camera, self.size_px)
        for row in range(len(self.times_s)):
            if not first <= row < first + len(motion):
                yield before.at(row)
                continue
            picture = next(own, None)
            if picture is None:
                break
            yield picture
        for drawing in (own, behind):
            next(drawing, None)
        self.notes += [note for note in getattr(renderer, "notes", ()) if note not in self.notes]


class _Rows:
    """Pictures of an iterator by growing numbers; each may be asked for again, to draw on."""

    def __init__(self, pictures: Iterator[np.ndarray]):
        self._pictures, self._row, self._shown = pictures, -1, np.zeros(0, np.uint8)

    def at(self, row: int) -> np.ndarray:
        """The picture of a row, not before the last one asked for."""
        while self._row < row:
            self._shown = next(self._pictures)
            self._row += 1
        return self._shown.copy()


def common_times(times_s: list[np.ndarray]) -> np.ndarray:
    """Times (T,) from the first start to the last end: the first one's own where they span all, else at the highest even rate."""
    start, end = min(t[0] for t in times_s), max(t[-1] for t in times_s)
    for own in times_s:
        if own[0] <= start + 1e-6 and own[-1] >= end - 1e-6:
            return own
    rate = max((len(t) - 1) / max(t[-1] - t[0], 1e-6) for t in times_s)
    return start + np.arange(int(np.floor((end - start) * rate + 1e-6)) + 1) / rate


def _on(motion: Motion, times_s: np.ndarray) -> tuple[Motion, int]:
    """The motion at those of the times that lie in its span (at least one), and the row of the first of them."""
    rows = np.flatnonzero((times_s >= motion.times_s[0] - 1e-6) & (times_s <= motion.times_s[-1] + 1e-6))
    if not len(rows):
        rows = np.array([int(np.argmin(np.abs(times_s - motion.times_s[0])))])
    return resampled(motion, 0.0, times_s[rows]), int(rows[0])


def _depth(film: Film) -> float:
    """How far from the camera the person is, on the whole."""
    return float(film.camera.at(0).to_camera(film.motion.root_pos_m)[:, 2].mean())
