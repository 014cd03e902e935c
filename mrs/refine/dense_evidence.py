"""From DensePose's files, or the masks that a track holds, to the terms of :mod:`mrs.refine.dense` for one track.

At most LOOKS_HZ frames a second are looked at, and POINTS pixels in each: neighbouring frames and pixels say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mrs.body import atlas, load_body, vertex_chart
from mrs.errors import InputError, UsageError
from mrs.formats.densepose import PARTS, Sighting, Source
from mrs.refine import dense_sides
from mrs.refine.clip import frame_steps
from mrs.tracks import MASK_SIDE, Track

LOOKS_HZ = 15
POINTS, OUTLINE, DRAWN = 120, 48, 500
SIDE = 96
GROWN = 1.3
LEAST_OVERLAP = 0.3
LIMBS_SHARE = 1 / 6
"""What pixels are worth of which only the limb is known; with more, benchmarks/dense.py loses where it gains with an atlas."""
MASKS = "masks"
FORMS = "densepose:DIR, or masks, those that the detector gave"


@dataclass
class Seen:
    """What is found of T frames, by row: pixels (K, 3) x, y and part, what they say of the surface, and masks with their maps to pixels.

    `uv` (K, 2) has u and v, or CSE's embeddings (K, D); `trust` (K,) what that is worth, 0..1.
    """

    pixels: dict[int, np.ndarray] = field(default_factory=dict)
    uv: dict[int, np.ndarray] = field(default_factory=dict)
    trust: dict[int, np.ndarray] = field(default_factory=dict)
    masks: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def source_of(dense: str) -> str | None:
    """Return the folder or dump of ``densepose:DIR``, None for ``masks``. Raises UsageError."""
    name, colon, path = dense.partition(":")
    if dense == MASKS:
        return None
    if name != "densepose" or not colon or not path:
        raise UsageError(f"Expected --dense {FORMS}, but got '{dense}'.")
    return path


def looked_at(track: Track) -> tuple[np.ndarray, int]:
    """Rows that are looked at, evenly and where the person is seen, and how many frames each stands for."""
    step = float(np.mean(frame_steps(track.times_s))) / 30 if len(track) > 1 else 1 / 30
    stride = max(1, round(1 / (LOOKS_HZ * step)))
    rows = np.arange(stride // 2 if len(track) > stride else 0, len(track), stride)
    return rows[track.seen[rows]], stride


def from_densepose(track: Track, source: Source, size_px=None) -> Seen:
    """Collect what DensePose says of the track's person: the sighting that overlaps the track's box most."""
    out, rng = Seen(), np.random.default_rng(0)
    for row in looked_at(track)[0]:
        people, size = source.at(int(track.frame_ids[row]))
        if size is not None and size_px is not None and tuple(size) != tuple(size_px):
            raise InputError(f"Expected pictures of DensePose in {source.path} of the video's size {size_px[0]}x{size_px[1]}, "
                             f"but got {size[0]}x{size[1]}. Run DensePose on the video's own frames.")
        person = _of_box(people, track.boxes_px[row])
        if person is None:
            continue
        out.pixels[row], out.uv[row], out.trust[row] = _drawn_pixels(person, rng)
        mask, to_px = _cut_mask(person.parts > 0, person.corner_px, track.boxes_px[row], size or size_px)
        if (mask == 1).any():
            out.masks[row] = mask, to_px
    return out


def from_masks(track: Track) -> Seen:
    """Collect the masks that the detector gave. Raises UsageError where it gave none."""
    if track.masks is None or track.mask_to_px is None:
        raise UsageError("Expected a detector that gives masks of people with --dense masks, but this one gave none. "
                         "Type: --detector blazepose, or --dense densepose:DIR")
    out = Seen()
    for row in looked_at(track)[0]:
        mask = np.unpackbits(np.asarray(track.masks[row], np.uint8)).reshape(MASK_SIDE, MASK_SIDE) > 0
        if mask.any():
            out.masks[row] = mask, np.asarray(track.mask_to_px[row], float)
    return out


def _of_box(people: list[Sighting], box: np.ndarray) -> Sighting | None:
    """The sighting of a box; of labels that may be several people's, what lies within the box grown by a tenth."""
    best, most = None, LEAST_OVERLAP
    for person in people:
        if not person.lone:
            person = _within(person, box)
        overlap = _overlap(person.box_px(), box)
        if overlap > most:
            best, most = person, overlap
    return best


def _within(person: Sighting, box: np.ndarray) -> Sighting:
    grow = 0.1 * (box[2:] - box[:2])
    low, high = box[:2] - grow - person.corner_px, box[2:] + grow - person.corner_px
    y, x = np.ogrid[: person.parts.shape[0], : person.parts.shape[1]]
    inside = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
    return Sighting(person.corner_px, np.where(inside, person.parts, 0).astype(np.uint8), person.uv)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Common area over that of the smaller box: a track's box is of keypoints or of a detector, looser or tighter."""
    size = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    areas = [float(np.prod(np.maximum(box[2:] - box[:2], 0))) for box in (a, b)]
    if min(areas) < 0.1 * max(areas):
        return 0.0
    return float(size.prod()) / max(min(areas), 1e-9)


def _drawn_pixels(person: Sighting, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw pixels within the parts' borders, as many from each part as its area's square root."""
    import cv2

    parts, kernel = person.parts, np.ones((3, 3), np.uint8)
    told = (parts > 0) & ((parts <= PARTS) if person.embedding is None else True)
    core = (cv2.erode(parts, kernel) == parts) & (cv2.dilate(parts, kernel) == parts) & told
    core = core if core.sum() >= POINTS else told
    y, x = np.nonzero(core)
    if not len(y):
        return np.zeros((0, 3)), np.zeros((0, 2)), np.zeros(0)
    part = parts[y, x]
    share = 1 / np.sqrt(np.bincount(part, minlength=PARTS + 1)[part])
    chosen = rng.choice(len(y), min(POINTS, len(y)), replace=False, p=share / share.sum())
    y, x = y[chosen], x[chosen]
    pixels = np.stack([x + person.corner_px[0], y + person.corner_px[1], parts[y, x]], -1).astype(float)
    return pixels, person.values(x, y), np.ones(len(x)) if person.trust is None else person.trust[y, x]


def _cut_mask(mask: np.ndarray, corner_px, box: np.ndarray, size_px) -> tuple[np.ndarray, np.ndarray]:
    """A square (SIDE, SIDE) cut of a mask about a box, 2 outside of the picture, and its map to pixels (2, 3)."""
    side = GROWN * max(float((box[2:] - box[:2]).max()), 8.0)
    cell, start = side / (SIDE - 1), (box[:2] + box[2:]) / 2 - side / 2
    places = start[:, None] + cell * np.arange(SIDE)
    columns, rows = (np.round(places[axis] - corner_px[axis]).astype(int) for axis in (0, 1))
    inside = ((columns >= 0) & (columns < mask.shape[1])) & ((rows >= 0) & (rows < mask.shape[0]))[:, None]
    cut = np.where(inside, mask[rows.clip(0, mask.shape[0] - 1)[:, None], columns.clip(0, mask.shape[1] - 1)], 0).astype(np.uint8)
    if size_px is not None:
        seen = (places >= 0) & (places <= np.asarray(size_px)[:, None] - 1)
        cut[~(seen[0] & seen[1][:, None])] = 2
    return cut, np.array([[cell, 0, start[0]], [0, cell, start[1]]])


def terms(track: Track, seen: Seen, chart: atlas.Atlas | vertex_chart.VertexChart | None, *, dense_weight: float, silhouette_weight: float,
          device="cpu", body: str | None = None) -> list:
    """Make the terms; a weight of 0, or nothing seen, leaves one out. Without a chart pixels are held to their limbs alone."""
    import torch

    from mrs.body.torch_body import TorchBody
    from mrs.refine import dense

    body = load_body(body)
    skin = dense.Skin(TorchBody(body, dtype=torch.float32, device=device))
    stride, out = looked_at(track)[1], []
    pixels = {row: found for row, found in seen.pixels.items() if len(found) and (chart is not None or found[0, 2] <= PARTS)}
    if dense_weight and pixels:
        arrays = _points(track, seen, pixels, chart)
        kind = dense.Surface if chart is not None else dense.Limbs
        share = stride * arrays.pop("worth")
        worth = dense_weight * (LIMBS_SHARE if chart is None else 1.0)
        out.append(_made(kind, skin, share, worth, device, arrays | (_drawn(body) if chart is None else {})))
    if silhouette_weight and seen.masks:
        arrays, outline = _outlines(len(track), seen.masks)
        share = stride * np.isin(np.arange(len(track)), list(seen.masks))
        lines = _made(dense.Limbs, skin, share, 1.0, device, outline | _drawn(body))
        out.append(_made(dense.Silhouette, skin, share, silhouette_weight, device, arrays, outline=lines))
    return out


def _made(kind, skin, share, weight: float, device: str, arrays: dict[str, np.ndarray], **more):
    import torch

    def tensor(array):
        kind = {"i": torch.int64, "f": torch.float16 if array.dtype == np.float16 else torch.float32}[array.dtype.kind]
        return torch.as_tensor(array, dtype=kind, device=device)

    return kind(skin, tensor(share.astype(float)), weight, **{name: tensor(a) for name, a in arrays.items()}, **more)


def _points(track: Track, seen: Seen, pixels: dict[int, np.ndarray], chart) -> dict[str, np.ndarray]:
    """Where pixels are and what they show of the body, by frame, and what each frame is `worth` (T,) by how far it is trusted."""
    frames, rows = len(track), list(pixels)
    counts = [len(pixels[row]) for row in rows]
    place = np.repeat(rows, counts), np.concatenate([np.arange(n) for n in counts])
    found = np.concatenate([pixels[row] for row in rows])
    out = {"observed": np.zeros((frames, POINTS, 2)), "weights": np.zeros((frames, POINTS))}
    out["observed"][place] = found[:, :2]
    if chart is None:
        region, known = atlas.REGION_OF_PART[found[:, 2].astype(int)], np.ones(len(found), bool)
        out["labels"] = np.zeros((frames, POINTS), int)
        out["labels"][place] = region
    else:
        samples, known = _found(chart, seen, rows, found)
        out |= {"vertices": np.zeros((frames, POINTS, 3), int), "shares": np.zeros((frames, POINTS, 3))}
        out["vertices"][place], out["shares"][place] = chart.surface.vertices[samples], chart.surface.shares[samples]
    told = known if chart is not None else known & ~_exchanged(track, rows, counts, found, region)
    trust = np.concatenate([seen.trust[row] if row in seen.trust else np.ones(n) for row, n in zip(rows, counts, strict=True)])
    out["weights"][place] = told * trust
    kept = np.bincount(place[0], told, frames)
    out["worth"] = np.bincount(place[0], told * trust, frames) / np.maximum(kept, 1)
    return out


def _exchanged(track: Track, rows: list[int], counts: list[int], found: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Which pixels of all rows are of the side that the keypoints call the other.

    Points of a chart are not asked: an exchanged one is so far from its place that the robust loss lets it go, and benchmarks/dense.py
    loses where they are.
    """
    ends = np.cumsum(counts)[:-1]
    each = zip(rows, np.split(found, ends), np.split(region, ends), strict=True)
    return np.concatenate([dense_sides.exchanged(track, row, pixels[:, :2], limbs) for row, pixels, limbs in each])


def _found(chart, seen: Seen, rows: list[int], found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The chart's samples of all pixels, and whether it knows them. Raises InputError where it is a chart of something else."""
    values = [seen.uv[row] for row in rows]
    if len({v.shape[1] for v in values}) > 1 or (isinstance(chart, atlas.Atlas) and values[0].shape[1] != 2):
        raise InputError("Expected u and v in DensePose's results, as smoother.atlas charts them, but got CSE's embeddings. Type: "
                         "--set smoother.atlas=FILE with the vertices' embeddings, or leave it out to use the mask alone.")
    return chart.find(found[:, 2].astype(int), np.concatenate(values))


def _drawn(body) -> dict[str, np.ndarray]:
    """Vertices that stand for the body, far from each other, and their limbs."""
    chosen, away = [0], np.full(len(body.template_m), np.inf)
    for _ in range(DRAWN - 1):
        away = np.minimum(away, ((body.template_m - body.template_m[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(away.argmax()))
    return {"drawn": np.array(chosen), "region": atlas.vertex_regions(body)[chosen]}


def _outlines(frames: int, masks: dict) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Signed distances and maps by row, and points of the outline."""
    import cv2

    side = len(next(iter(masks.values()))[0])
    arrays = {"field": np.zeros((len(masks), side, side), np.float16), "place": np.zeros(frames, int), "to_cell": np.zeros((frames, 2, 3))}
    outline = {"observed": np.zeros((frames, OUTLINE, 2)), "labels": np.zeros((frames, OUTLINE), int),
               "weights": np.zeros((frames, OUTLINE))}
    rng = np.random.default_rng(0)
    for place, (row, (mask, to_px)) in enumerate(masks.items()):
        person, unknown = (mask == 1).astype(np.uint8), mask == 2
        cell = np.sqrt(abs(np.linalg.det(to_px[:, :2])))
        outside, inside = (cv2.distanceTransform(m, cv2.DIST_L2, 5) for m in (1 - person, person))
        arrays["place"][row] = place
        arrays["field"][place] = np.where(unknown, 0, cell * np.where(person > 0, 0.5 - inside, outside - 0.5))
        inverse = np.linalg.inv(np.r_[to_px, [[0, 0, 1]]])
        arrays["to_cell"][row] = inverse[:2]
        beside = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        y, x = np.nonzero((person > 0) & (inside <= 1) & ~beside)
        chosen = rng.permutation(len(y))[:OUTLINE]
        points = np.stack([x[chosen], y[chosen], np.ones(len(chosen))], -1) @ to_px.T
        outline["observed"][row, : len(points)], outline["weights"][row, : len(points)] = points, 1
    return arrays, outline
