"""Every layout of DensePose's results tells the same of the same people."""

import cv2
import numpy as np
import pytest
import torch

from mrs.errors import InputError
from mrs.formats.densepose import PERSON, Source
from tests.formats import detectron

SIZE = (64, 48)
RNG = np.random.default_rng(0)
PEOPLE = [((5, 6), (20, 12)), ((40, 10), (25, 15))]


def person(number):
    """A box with 24 parts in stripes, and any uv."""
    corner, (high, wide) = PEOPLE[number]
    parts = np.tile((np.arange(high) % 24 + 1).astype(np.uint8)[:, None], (1, wide))
    return corner, parts, np.round(np.random.default_rng(number).random((2, high, wide)) * 255) / 255


def whole_picture():
    """The two people in one IUV picture, and whose each pixel is."""
    iuv, inds = np.zeros((SIZE[1], SIZE[0], 3), np.uint8), np.zeros((SIZE[1], SIZE[0]), np.uint8)
    for number in (0, 1):
        (x, y), parts, uv = person(number)
        place = np.s_[y : y + parts.shape[0], x : x + parts.shape[1]]
        iuv[place] = np.moveaxis(np.concatenate([parts[None], np.round(255 * uv).astype(np.uint8)]), 0, -1)
        inds[place] = number + 1
    return iuv, inds


def write_png(folder):
    iuv, inds = whole_picture()
    cv2.imwrite(str(folder / "frame_0001_IUV.png"), iuv)
    cv2.imwrite(str(folder / "frame_0001_INDS.png"), inds)
    cv2.imwrite(str(folder / "frame_0002_IUV.png"), np.zeros_like(iuv))


def write_npz(folder):
    iuv, inds = whole_picture()
    np.savez(folder / "000001.npz", iuv=iuv, inds=inds)
    np.savez(folder / "000002.npz", iuv=np.zeros_like(iuv))


def write_as_densepose(folder):
    """As DensePose's own code: people are counted from 0 in the order of their scores, the first as if it were background."""
    iuv, inds = whole_picture()
    cv2.imwrite(str(folder / "frame_0001_IUV.png"), iuv)
    cv2.imwrite(str(folder / "frame_0001_INDS.png"), np.where(inds > 0, inds - 1, 0))
    cv2.imwrite(str(folder / "frame_0002_IUV.png"), np.zeros_like(iuv))
    cv2.imwrite(str(folder / "frame_0002_INDS.png"), np.zeros_like(inds))


def write_red_first(folder):
    """By Pillow, part in red."""
    for number, iuv in enumerate((whole_picture()[0], np.zeros((SIZE[1], SIZE[0], 3), np.uint8)), 1):
        cv2.imwrite(str(folder / f"frame_000{number}_IUV.png"), iuv[..., ::-1])
        cv2.imwrite(str(folder / f"frame_000{number}_INDS.png"), whole_picture()[1] if number == 1 else iuv[..., 0])


def write_dump(folder, write=detectron.write_dump):
    people = [((x, y, x + parts.shape[1], y + parts.shape[0]), parts, uv) for (x, y), parts, uv in map(person, (0, 1))]
    write(folder / "dump.pkl", [people, []])


def write_quantized(folder):
    write_dump(folder, detectron.write_quantized_dump)


def write_compressed(folder):
    write_dump(folder, detectron.write_compressed_dump)


def write_of_2020(folder):
    write_dump(folder, detectron.write_dump_of_2020)


LAYOUTS = [write_png, write_as_densepose, write_red_first, write_npz, write_dump, write_quantized, write_compressed, write_of_2020]


@pytest.mark.parametrize("write", LAYOUTS)
def test_each_layout_tells_the_same(tmp_path, write):
    """Both people, where they are, every part and uv; nobody in the second frame and in one that is not there."""
    write(tmp_path)
    source = Source(tmp_path)
    assert sorted(source.frames) == [0, 1]
    found, size = source.at(0)
    assert size in (None, SIZE) and len(found) == 2
    for number, sighting in enumerate(found):
        corner, parts, uv = person(number)
        assert sighting.corner_px == corner and sighting.lone
        np.testing.assert_array_equal(sighting.parts, parts)
        np.testing.assert_allclose(sighting.uv, uv, atol=1e-6 if write not in LAYOUTS[-3:] else 1 / 254)
        np.testing.assert_array_equal(sighting.box_px(), [*corner, corner[0] + parts.shape[1] - 1, corner[1] + parts.shape[0] - 1])
    assert source.at(1)[0] == [] and source.at(7) == ([], None)


def test_a_single_person_has_the_number_of_the_background(tmp_path):
    """In DensePose's INDS picture, which is black then; the person is told all the same."""
    iuv, inds = whole_picture()
    cv2.imwrite(str(tmp_path / "a_IUV.png"), np.where(inds[..., None] == 1, iuv, 0))
    cv2.imwrite(str(tmp_path / "a_INDS.png"), np.zeros_like(inds))
    (found,), _ = Source(tmp_path).at(0)
    assert found.lone and found.corner_px == person(0)[0] and (found.parts > 0).sum() == 20 * 12


def test_without_persons_all_are_one(tmp_path):
    """Nothing tells them apart, and the sighting says so."""
    cv2.imwrite(str(tmp_path / "frame_0001_IUV.png"), whole_picture()[0])
    (found,), _ = Source(tmp_path).at(0)
    assert not found.lone and (found.parts > 0).sum() == 20 * 12 + 25 * 15


def test_frames_come_in_the_order_of_their_numbers(tmp_path):
    """frame2 before frame10, from 1, with a gap."""
    for number in (10, 2, 1, 3):
        cv2.imwrite(str(tmp_path / f"frame{number}_IUV.png"), np.zeros((4, 4, 3), np.uint8))
    assert sorted(Source(tmp_path, 10).frames) == [0, 1, 2, 9]


def test_cse_dumps_give_the_mask(tmp_path):
    """The scores of background and person, stretched over the box as detectron2 does it; no part is told."""
    scores = torch.from_numpy(RNG.normal(size=(1, 2, 4, 4)).astype(np.float32))
    with detectron.detectron():
        torch.save([{"file_name": "a.jpg", "pred_boxes_XYXY": torch.tensor([[10.0, 20, 18, 28]]), "pred_densepose": detectron.made(
            detectron.DensePoseEmbeddingPredictorOutput, embedding=torch.zeros(1, 16, 4, 4), coarse_segm=scores)}], tmp_path / "d.pt")
    (found,), _ = Source(tmp_path / "d.pt").at(0)
    assert found.corner_px == (10, 20) and found.parts.shape == (8, 8)
    expected = torch.nn.functional.interpolate(scores, (8, 8), mode="bilinear")[0].argmax(0).numpy() > 0
    np.testing.assert_array_equal(found.parts, np.where(expected, PERSON, 0))
    assert 8 < expected.sum() < 56


def test_cse_embeddings_are_read_between_cells(tmp_path):
    """As detectron2 stretches them over the box: bilinear, by the cells' middles."""
    embedding = RNG.normal(size=(5, 4, 4)).astype(np.float32)
    detectron.write_cse_dump(tmp_path / "d.pt", [[((3, 4, 24, 15), np.ones((4, 4), bool), embedding)]])
    (found,), _ = Source(tmp_path / "d.pt").at(0)
    stretched = torch.nn.functional.interpolate(torch.from_numpy(embedding)[None], (11, 21), mode="bilinear")[0].numpy()
    y, x = np.indices((11, 21)).reshape(2, -1)
    np.testing.assert_allclose(found.values(x, y), stretched.reshape(5, -1).T, atol=1e-5)


def test_confidences_say_what_pixels_are_worth(tmp_path):
    """The least variance over the pixel's, by detectron2's softplus; an unsure label takes off more; 1 where nothing is told."""
    corner, parts, uv = person(0)
    box = (*corner, corner[0] + parts.shape[1], corner[1] + parts.shape[0])
    sigma, fine = RNG.normal(-2, 3, parts.shape), RNG.uniform(0, 2, parts.shape)
    detectron.write_dump(tmp_path / "d.pkl", [[(box, parts, uv, {"sigma_2": sigma, "fine_segm_confidence": fine}), (box, parts, uv, {}),
                                               (box, parts, uv)]])
    (told, *others), _ = Source(tmp_path / "d.pkl").at(0)
    variance = torch.nn.functional.softplus(torch.from_numpy(sigma)).numpy() + 0.01
    np.testing.assert_allclose(told.trust, 0.01 / variance * np.minimum(fine, 1), rtol=1e-4)
    assert all(o.trust is None for o in others)
    np.testing.assert_array_equal(told.parts, others[0].parts)


BAD = {
    "picture.png": (lambda p: (p / "a_IUV.png").write_bytes(b"no"), "PNG"),
    "labels.png": (lambda p: cv2.imwrite(str(p / "a_IUV.png"), np.full((4, 4, 3), 200, np.uint8)), "no IUV picture"),
    "persons.png": (lambda p: [cv2.imwrite(str(p / f"a_{n}.png"), np.ones((s, 4, 3), np.uint8)) for n, s in (("IUV", 4), ("INDS", 5))], "size"),
    "kind.npz": (lambda p: np.savez(p / "a.npz", iuv=np.zeros((4, 4, 3))), "uint8"),
    "name.npz": (lambda p: np.savez(p / "a.npz", other=1), "iuv"),
    "objects.npz": (lambda p: np.savez(p / "a.npz", iuv=np.array([{}], object)), "allow_pickle"),
    "broken.npz": (lambda p: (p / "a.npz").write_bytes(b"PK"), "can't be read"),
    "nothing": (lambda p: None, "there are none"),
    "dumps": (lambda p: [torch.save([], p / n) for n in ("a.pt", "b.pt")], "several dumps"),
    "dump of another thing": (lambda p: torch.save({"a": 1}, p / "a.pt"), "apply_net dump"),
    "boxes": (lambda p: torch.save([{"file_name": "a", "pred_boxes_XYXY": torch.zeros(2, 4), "pred_densepose": [3]}], p / "a.pt"), "can't be used"),
    "parts": (lambda p: detectron.write_dump(p / "a.pt", [[((0, 0, 2, 2), np.full((2, 2), 99), np.zeros((2, 2, 2)))]]), "parts go"),
    "sigma": (lambda p: detectron.write_dump(p / "a.pt", [[((0, 0, 2, 2), np.ones((2, 2)), np.zeros((2, 2, 2)), {"sigma_2": np.ones((3, 2))})]]), "sigma_2"),
    "embedding": (lambda p: detectron.write_cse_dump(p / "a.pt", [[((0, 0, 2, 2), np.ones((2, 2), bool), np.zeros((4, 2)))]]), "embedding is"),
    "uv": (lambda p: detectron.write_dump(p / "a.pt", [[((0, 0, 2, 2), np.ones((2, 2)), np.zeros((2, 3, 2)))]]), "uv"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_a_line(tmp_path, name):
    """By what was expected and what came."""
    BAD[name][0](tmp_path)
    with pytest.raises(InputError, match=BAD[name][1]) as refused:
        Source(tmp_path).at(0)
    assert "\n" not in str(refused.value)


def test_no_folder_is_told(tmp_path):
    """With the flag that named it."""
    with pytest.raises(InputError, match="--dense densepose:DIR"):
        Source(tmp_path / "nowhere")


def test_a_lone_tensor_is_no_dump(tmp_path):
    """Nor is an empty list; each is told in a line."""
    for value, words in ((torch.zeros(3), "something else"), ([], "none")):
        torch.save(value, tmp_path / "a.pt")
        with pytest.raises(InputError, match=f"holds {words}"):
            Source(tmp_path)
