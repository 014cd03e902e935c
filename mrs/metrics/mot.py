"""How well people are told apart over time: MOTA, IDF1 and identity switches, from boxes.

CLEAR MOT (Bernardin and Stiefelhagen 2008): in each frame a truth goes on with the prediction it had before where their
boxes still overlap enough; the others are matched by the best joint overlap. IDF1 (Ristani et al. 2016): one prediction
for each truth over the whole clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import similarity

MIN_IOU = 0.5

MEASURES = {
    "mota_percent": ("MOTA", "%", "1 - (missed + false + switches) / true sightings"),
    "idf1_percent": ("IDF1", "%", "sightings with the right person, over the mean of true and predicted ones"),
    "switches": ("switches", "", "how often a true person goes on under another id"),
    "missed": ("missed", "", "true sightings without a prediction"),
    "false": ("false", "", "predictions without a true sighting"),
    "sightings": ("sightings", "", "true sightings"),
    "people": ("people", "", "people of the truth"),
    "predicted_people": ("predicted people", "", "people of the prediction"),
}


@dataclass(frozen=True)
class Boxes:
    """Who is where: frame (N,), ids (N,), boxes (N, 4) x0, y0, x1, y1."""

    frame: np.ndarray
    ids: np.ndarray
    boxes: np.ndarray

    @classmethod
    def of(cls, tracks) -> Boxes:
        """Take the boxes of Tracks in the frames in which people are seen."""
        parts = [(t.frame_ids[t.seen], np.full(int(t.seen.sum()), t.person), t.boxes_px[t.seen]) for t in tracks.people]
        if not parts:
            return cls(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)))
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def by_frame(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Return {frame: (ids, boxes)}."""
        order = np.argsort(self.frame, kind="stable")
        which, starts = np.unique(self.frame[order], return_index=True)
        return {int(f): (self.ids[rows], self.boxes[rows].astype(float))
                for f, rows in zip(which, np.split(order, starts[1:]) if len(which) else [], strict=True)}


def compare(pred: Boxes, truth: Boxes, min_iou: float = MIN_IOU) -> dict[str, float | None]:
    """Return every measure by name; shares of nothing are None."""
    seen, told = truth.by_frame(), pred.by_frame()
    matched, switches = 0, 0
    last: dict[int, int] = {}
    together: dict[tuple[int, int], int] = {}
    for frame, (ids, boxes) in sorted(seen.items()):
        names, found = told.get(frame, (np.zeros(0, int), np.zeros((0, 4))))
        overlap = similarity.iou(boxes[:, None], found[None]) if len(found) else np.zeros((len(ids), 0))
        for a, b in zip(*np.nonzero(overlap >= min_iou), strict=True):
            pair = int(ids[a]), int(names[b])
            together[pair] = together.get(pair, 0) + 1
        for a, b in _match(ids, names, overlap, last, min_iou):
            matched += 1
            switches += last.get(int(ids[a]), int(names[b])) != int(names[b])
            last[int(ids[a])] = int(names[b])
    count, guesses = len(truth.frame), len(pred.frame)
    right = _identity(together)
    return {"mota_percent": 100 * (1 - (count - matched + guesses - matched + switches) / count) if count else None,
            "idf1_percent": 100 * 2 * right / (count + guesses) if count + guesses else None,
            "switches": switches, "missed": count - matched, "false": guesses - matched, "sightings": count,
            "people": len(np.unique(truth.ids)), "predicted_people": len(np.unique(pred.ids))}


def _match(ids, names, overlap, last: dict[int, int], min_iou: float) -> list[tuple[int, int]]:
    """Pair truths with predictions of one frame: those that go on first, then by the best joint overlap."""
    pairs = []
    places = {int(n): b for b, n in enumerate(names)}
    for a, one in enumerate(ids):
        b = places.get(last.get(int(one), -1))
        if b is not None and overlap[a, b] >= min_iou and b not in {q for _, q in pairs}:
            pairs.append((a, b))
    rows = [a for a in range(len(ids)) if a not in {p for p, _ in pairs}]
    columns = [b for b in range(len(names)) if b not in {q for _, q in pairs}]
    if rows and columns:
        from scipy.optimize import linear_sum_assignment

        left = overlap[np.ix_(rows, columns)]
        # Of matchings with as many pairs the one of most overlap: a pair is worth more than all overlap together.
        found = linear_sum_assignment(np.where(left >= min_iou, left + len(rows) + len(columns), 0), maximize=True)
        pairs += [(rows[i], columns[j]) for i, j in zip(*found, strict=True) if left[i, j] >= min_iou]
    return pairs


def _identity(together: dict[tuple[int, int], int]) -> int:
    """Return in how many sightings the best one-to-one pairing of people agrees."""
    if not together:
        return 0
    from scipy.optimize import linear_sum_assignment

    true = {n: i for i, n in enumerate(sorted({a for a, _ in together}))}
    made = {n: i for i, n in enumerate(sorted({b for _, b in together}))}
    table = np.zeros((len(true), len(made)))
    for (a, b), count in together.items():
        table[true[a], made[b]] = count
    return int(table[linear_sum_assignment(table, maximize=True)].sum())
