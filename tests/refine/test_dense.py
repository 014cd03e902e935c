"""The dense terms on a walker whose every pixel is known: least at the truth, downhill towards it, no frame rate in them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import dense as painter
from mrs.body import atlas, load_body
from mrs.errors import InputError, UsageError
from mrs.formats.densepose import Source
from mrs.refine import dense_evidence
from mrs.refine.clip import Clip
from mrs.tracks import MASK_SIDE
from tests.formats import detectron
from tests.walker import filmed, walker

FRAMES = 6


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """The clip, its track, and what exact pictures of DensePose say."""
    folder = tmp_path_factory.mktemp("iuv")
    track, truth = filmed(walker(np.arange(FRAMES) / 30)[0], noise=0.0)
    painter.draw(truth, track, folder)
    return Clip(load_body(), track, truth, "cpu"), track, folder


def made(scene, name, chart=None):
    """One term by name, from the folder."""
    _, track, folder = scene
    seen = dense_evidence.from_densepose(track, Source(folder), painter.SIZE_PX)
    return next(t for t in dense_evidence.terms(track, seen, chart, dense_weight=2 if chart is None else 1, silhouette_weight=1) if t.name == name)


def cost(term, clip, moved=None, turned=None, betas=None, rows=slice(None)):
    """The term with the body moved by (3,) metres."""
    w, betas = clip.all.at(rows), clip.betas if betas is None else betas
    root = w.root if moved is None else w.root + moved
    turned = w.turned if turned is None else turned[rows]
    return term.at(rows)(joints=clip.body.joints(root, turned, betas), turned=turned, betas=betas, window=w)


TERMS = {"dense": ("dense", atlas.embedded()), "limbs": ("dense", None), "silhouette": ("silhouette", None)}


@pytest.fixture(params=TERMS)
def term(request, scene):
    """Each term."""
    return made(scene, *TERMS[request.param])


def test_it_is_least_at_the_truth(scene, term):
    """Nearly nothing there: 2 % of the most that it could be; and more wherever the body is moved across the picture."""
    clip = scene[0]
    there = float(cost(term, clip))
    assert there < 0.02 * 12.25 * FRAMES
    across = clip.all.R.reshape(-1, 3, 3)[0, :2]
    for axis in across:
        for away in (-0.2, -0.1, 0.1, 0.2):
            assert float(cost(term, clip, away * axis)) > there + 0.5


def test_what_all_points_of_a_frame_are_off_by_hardly_counts(scene):
    """Labels moved by 3 % of the height are taken for wrong together: they pull no more than one point would, and turn no limb."""
    clip, term = scene[0], made(scene, *TERMS["dense"])
    moved = replace(term, observed=term.observed + 0.03 * clip.all.height[:, None, None])
    single = 1.5**2 * 2 * 3.5**2 / (1.5**2 * 2 + 3.5**2)
    there = float(cost(term, clip))
    assert 0.5 * single * FRAMES / 30 < float(cost(moved, clip)) - there < 1.5 * single * FRAMES / 30
    turned = clip.all.turned.clone().requires_grad_()
    one = (term.observed + 0.03 * clip.all.height[:, None, None] * (torch.arange(120) % 2)[:, None]).detach()
    pulls = [float(torch.autograd.grad(cost(t, clip, turned=turned), turned)[0].norm()) for t in (moved, replace(term, observed=one))]
    assert pulls[0] < 0.5 * pulls[1]


def test_its_gradient_points_to_the_truth(scene, term):
    """A body that is 10 cm off across the picture is drawn back by its root."""
    clip = scene[0]
    for axis in clip.all.R.reshape(-1, 3, 3)[0, :2]:
        for away in (-0.1, 0.1):
            moved = (away * axis).clone().requires_grad_()
            (gradient,) = torch.autograd.grad(cost(term, clip, moved), moved)
            assert torch.dot(gradient, moved.detach()) > 0


def test_its_gradient_is_that_of_finite_differences(scene):
    """Of the surface, by rotations and shape, in single precision."""
    clip, term = scene[0], made(scene, *TERMS["dense"])
    turned, betas = clip.all.turned.clone().requires_grad_(), (clip.betas + 0.5).requires_grad_()
    found = torch.autograd.grad(cost(term, clip, turned=turned, betas=betas), (turned, betas))
    for value, gradient in zip((turned, betas), found, strict=True):
        way = gradient / gradient.norm()
        ends = [float(cost(term, clip, **{"turned": turned.detach(), "betas": betas.detach()} |
                           {"turned" if value is turned else "betas": value.detach() + s * way})) for s in (-1e-3, 1e-3)]
        assert (ends[1] - ends[0]) / 2e-3 == pytest.approx(float(gradient.norm()), rel=0.05)


def test_windows_add_up(scene, term):
    """The rows of a clip cost what its parts cost."""
    clip = scene[0]
    moved = torch.tensor([0.1, 0.1, 0.0])
    parts = [float(cost(term, clip, moved, rows=rows)) for rows in (slice(0, 2), slice(2, 5), slice(5, None))]
    assert sum(parts) == pytest.approx(float(cost(term, clip, moved)), rel=1e-4)


def test_it_does_not_depend_on_the_frame_rate(tmp_path):
    """The same walk at 30 and at 60 frames a second costs the same within 15 %, though the same number of pictures is read."""
    found = {}
    for rate in (30, 60):
        track, truth = filmed(walker(np.arange(0, 0.4, 1 / rate))[0], noise=0.0)
        (folder := tmp_path / str(rate)).mkdir()
        painter.draw(truth, track, folder)
        seen = dense_evidence.from_densepose(track, Source(folder))
        terms = dense_evidence.terms(track, seen, atlas.embedded(), dense_weight=1, silhouette_weight=1)
        clip = Clip(load_body(), track, truth, "cpu")
        found[rate] = len(seen.masks), [float(cost(t, clip, torch.tensor([0.08, 0.05, 0.0]))) for t in terms]
    assert found[30][0] == found[60][0] == 6
    np.testing.assert_allclose(found[60][1], found[30][1], rtol=0.15)


def embedding_of(rest):
    """Any smooth map from the T-pose to 12 numbers of unit length."""
    waves = rest @ np.random.default_rng(3).normal(0, 4, (3, 6))
    out = np.concatenate([np.sin(waves), np.cos(waves)], 1)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def cse_dump(scene, path, side=112):
    """What CSE would say of the scene: each cell the embedding of the surface that it shows."""
    folder = scene[2]
    chart, rest, frames = atlas.embedded(), load_body().template_m, []
    for row in range(FRAMES):
        (person,), _ = Source(folder).at(row)
        parts, places = person.parts, ((np.arange(side) + 0.5) / side)
        y, x = (np.ravel(g) for g in np.meshgrid(*((places * n).astype(int) for n in parts.shape), indexing="ij"))
        shown = parts[y, x] > 0
        samples, _ = chart.find(parts[y, x][shown], person.uv[:, y, x].T[shown])
        cells = np.zeros((side * side, 12))
        cells[shown] = embedding_of(chart.surface.at(samples).on(rest))
        corner = np.array(person.corner_px)
        frames.append([((*corner, *(corner + parts.shape[::-1])), shown.reshape(side, side), cells.T.reshape(12, side, side))])
    detectron.write_cse_dump(path, frames)


def test_cse_holds_the_surface_as_charts_do(scene, tmp_path):
    """Embeddings of a dump, and a file of those of a mesh as fine as DensePose's: least at the truth, and drawn back to it."""
    clip, track, _ = scene
    cse_dump(scene, tmp_path / "cse.pt")
    rest = atlas.embedded().surface.on(load_body().template_m)
    np.savez(tmp_path / "embeddings.npz", embeddings=embedding_of(rest), rest_m=rest)
    chart, seen = atlas.read(tmp_path / "embeddings.npz"), dense_evidence.from_densepose(track, Source(tmp_path / "cse.pt"))
    found = dense_evidence.terms(track, seen, chart, dense_weight=1, silhouette_weight=1)
    assert [t.name for t in found] == ["dense", "silhouette"]
    term, there = found[0], float(cost(found[0], clip))
    assert there < 0.02 * 12.25 * FRAMES
    for axis in clip.all.R.reshape(-1, 3, 3)[0, :2]:
        for away in (-0.1, 0.1):
            moved = (away * axis).clone().requires_grad_()
            value = cost(term, clip, moved)
            (gradient,) = torch.autograd.grad(value, moved)
            assert float(value) > there + 0.5 and torch.dot(gradient, moved.detach()) > 0


def test_cse_without_its_embeddings_is_a_mask(scene, tmp_path):
    """Without an atlas the silhouette is left; a chart of u and v is refused in a line."""
    track = scene[1]
    cse_dump(scene, tmp_path / "cse.pt", 40)
    seen = dense_evidence.from_densepose(track, Source(tmp_path / "cse.pt"))
    assert [t.name for t in dense_evidence.terms(track, seen, None, dense_weight=1, silhouette_weight=1)] == ["silhouette"]
    with pytest.raises(InputError, match=r"got CSE's embeddings.*smoother\.atlas=FILE"):
        dense_evidence.terms(track, seen, atlas.embedded(), dense_weight=1, silhouette_weight=1)


def test_exchanged_sides_are_let_go(scene, tmp_path):
    """Where the parts of a frame have their sides exchanged no sided pixel counts, torso and head do; elsewhere nearly all count."""
    import cv2

    _, track, folder = scene
    wrong = (3,)
    for row in range(FRAMES):
        iuv = cv2.imread(str(folder / f"frame_{row:05d}_IUV.png"))
        if row in wrong:
            iuv[..., 0] = painter.EXCHANGED[iuv[..., 0]]
        cv2.imwrite(str(tmp_path / f"frame_{row:05d}_IUV.png"), iuv)
    seen = dense_evidence.from_densepose(track, Source(tmp_path))
    (term,) = dense_evidence.terms(track, seen, None, dense_weight=1, silhouette_weight=0)
    assert sorted(seen.pixels) == [1, 3, 5]
    for row, pixels in seen.pixels.items():
        sided = (pixels[:, 2] > 2) & (pixels[:, 2] < 23)
        counted = term.weights[row, : len(pixels)].numpy() > 0
        assert counted[~sided].mean() > 0.95 and counted[~sided].sum() > 10
        assert counted[sided].mean() == 0 if row in wrong else counted[sided].mean() > 0.9


def test_unsure_pixels_count_less(scene, tmp_path):
    """A model's own confidences are the pixels' weights, and a frame of which all is unsure counts as little."""
    track, source, frames = scene[1], Source(scene[2]), []
    for row in range(FRAMES):
        (person,), _ = source.at(row)
        corner, size = np.array(person.corner_px), person.parts.shape
        sigma = np.full(size, 3.0 if row == 3 else -20)
        sigma[: size[0] // 2] = 3.0
        frames.append([((*corner, *(corner + size[::-1])), person.parts, person.uv, {"sigma_2": sigma})])
    detectron.write_dump(tmp_path / "dump.pkl", frames)
    seen = dense_evidence.from_densepose(track, Source(tmp_path))
    (term,) = dense_evidence.terms(track, seen, atlas.embedded(), dense_weight=1, silhouette_weight=0)
    unsure = 0.01 / (0.01 + np.log1p(np.exp(3.0)))
    for row, pixels in seen.pixels.items():
        weights = term.weights[row, : len(pixels)].numpy()
        upper = (pixels[:, 1] < np.mean(frames[row][0][0][1::2]) - 1) | (row == 3)
        assert np.allclose(weights[upper & (weights > 0)], unsure, atol=1e-4)
        assert np.allclose(weights[~upper & (weights > 0)], 1, atol=1e-4)
    assert float(term.share[3]) == pytest.approx(2 * unsure, rel=0.01) and float(term.share[1]) > 0.6


def test_the_detectors_mask_is_enough(scene):
    """A mask in 64 x 64 bits, as blazepose gives it, in a crop that is turned; least at the truth and downhill to it."""
    clip, track, folder = scene
    seen = dense_evidence.from_densepose(track, Source(folder))
    bits, maps = np.zeros((FRAMES, MASK_SIDE**2 // 8), np.uint8), np.tile(np.eye(2, 3), (FRAMES, 1, 1))
    for row in seen.masks:
        (sighting,), _ = Source(folder).at(row)
        middle, size = (sighting.box_px()[:2] + sighting.box_px()[2:]) / 2, 1.2 * np.ptp(sighting.box_px()[1::2])
        turn = size / MASK_SIDE * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
        maps[row] = np.c_[turn, middle - turn @ [31.5, 31.5]]
        at = np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1) @ turn.T + maps[row][:, 2] - sighting.corner_px
        inside = ((at >= 0) & (at <= np.array(sighting.parts.shape[::-1]) - 1)).all(-1)
        column, line = np.where(inside[..., None], at, 0).round().astype(int).transpose(2, 0, 1)
        bits[row] = np.packbits(inside & (sighting.parts[line, column] > 0))
    masked = replace(track, masks=bits, mask_to_px=maps)
    (term,) = dense_evidence.terms(masked, dense_evidence.from_masks(masked), None, dense_weight=1, silhouette_weight=1)
    assert term.name == "silhouette" and float(cost(term, clip)) < 0.02 * 12.25 * FRAMES
    across = clip.all.R.reshape(-1, 3, 3)[0, 0]
    assert float(cost(term, clip, 0.1 * across)) > float(cost(term, clip)) + 0.5 < float(cost(term, clip, -0.1 * across))


def test_who_is_cut_by_the_picture_is_not_pushed_into_it(tmp_path):
    """Beyond the picture's edge nothing is known: the truth costs nearly nothing though half the body is out."""
    track, truth = filmed(walker(np.arange(4) / 30)[0], noise=0.0)
    K = truth.camera.K.copy()
    K[..., 0, 2] += painter.SIZE_PX[0] - track.boxes_px[:, [0, 2]].mean()
    truth = replace(truth, camera=replace(truth.camera, K=K))
    boxes = track.boxes_px + [[K[0, 2] - painter.SIZE_PX[0] / 2, 0] * 2]
    track = replace(track, boxes_px=boxes)
    painter.draw(truth, track, tmp_path)
    seen = dense_evidence.from_densepose(track, Source(tmp_path), painter.SIZE_PX)
    assert len(seen.masks) == 2
    term = dense_evidence.terms(track, seen, None, dense_weight=0, silhouette_weight=1)[0]
    assert float(cost(term, Clip(load_body(), track, truth, "cpu"))) < 0.02 * 12.25 * 4


def test_the_person_of_the_box_is_taken(tmp_path, scene):
    """Of pictures without persons only what lies in the box; a box elsewhere gets nobody."""
    _, track, folder = scene
    elsewhere = replace(track, boxes_px=np.tile([5.0, 5, 100, 300], (FRAMES, 1)))
    seen = dense_evidence.from_densepose(elsewhere, Source(folder))
    assert not seen.masks and not seen.pixels
    assert dense_evidence.terms(elsewhere, seen, None, dense_weight=1, silhouette_weight=1) == []


def test_wrong_evidence_is_refused_in_a_line(scene):
    """Another size, another name, no masks."""
    _, track, folder = scene
    with pytest.raises(InputError, match="640x480"):
        dense_evidence.from_densepose(track, Source(folder), (640, 480))
    for name in ("densepos:x", "densepose", "densepose:", "mask"):
        with pytest.raises(UsageError, match="densepose:DIR"):
            dense_evidence.source_of(name)
    with pytest.raises(UsageError, match="blazepose"):
        dense_evidence.from_masks(replace(track, masks=None))
