"""BVH documents: reading dialects, forward kinematics against independent readers, writing."""

import dataclasses
import os
import time

import numpy as np
import pytest

from mrs import rotations
from mrs.errors import InputError, MrsError, UsageError
from mrs.formats import bvh
from mrs.formats.euler import axis_matrix, euler_to_matrix
from mrs.skeletons import SMPL_24, SMPL_PARENTS
from tests.formats.bvh_samples import CMU8, DIALECTS, SMALL, bvhio_positions, bvhtoolbox_positions, head_of, text_of
from tests.formats.test_euler import largest_angle_deg, smooth_rotations


def random_document(rng, frames=60, order="ZXY", channels=3, **changes):
    """A 24-joint document that moves through all rotations."""
    return bvh.build(
        SMPL_24.names,
        SMPL_PARENTS,
        rng.normal(size=(24, 3)) * 20,
        smooth_rotations(rng, frames, 24),
        rng.normal(size=(frames, 3)) * 100,
        1 / 29.97,
        order=order,
        channels=channels,
        ends={10: [0, 0, 5.0], 15: [0, 12.0, 0]},
        **changes,
    )


def test_the_fields_of_a_small_file():
    """Names, parents, offsets, channels, end sites, frame time and values come as they stand in the file."""
    document = bvh.loads(SMALL)
    assert document.names == ("Hips", "Leg")
    assert document.parents.tolist() == [-1, 0]
    assert document.offsets.tolist() == [[1, 2, 3], [0, -10, 0]]
    assert document.channels[1] == ("Zrotation", "Xrotation", "Yrotation")
    assert document.end_joints.tolist() == [1] and document.end_offsets.tolist() == [[0, 0, 5]]
    assert document.frame_time_s == 0.0333333333
    np.testing.assert_allclose(document.times_s, [0, 0.0333333333])
    assert document.values.shape == (2, 9) and document.values[1, 1] == 101


def test_forward_kinematics_by_hand():
    """Position channels replace the root's OFFSET, and rotations turn what hangs below the joint."""
    document = bvh.loads(SMALL)
    turned, placed = document.pose()
    np.testing.assert_allclose(placed[0], [[0, 100, 0], [0, 90, 0]], atol=1e-12)
    np.testing.assert_allclose(placed[1], [[1, 101, 2], [11, 101, 2]], atol=1e-12)
    np.testing.assert_allclose(document.ends(turned, placed)[:, 0], [[0, 85, 0], [11, 106, 2]], atol=1e-12)
    np.testing.assert_allclose(document.rest_joints(), [[1, 2, 3], [1, -8, 3]])


def test_channels_multiply_left_to_right():
    """`Zrotation Yrotation Xrotation` is Rz Ry Rx."""
    text = SMALL.replace("Zrotation Xrotation Yrotation", "Zrotation Yrotation Xrotation").replace(
        "0.0 100.0 0.0 0.0 0.0 0.0", "0.0 100.0 0.0 10.0 20.0 30.0"
    )
    expected = axis_matrix(2, np.radians(10)) @ axis_matrix(1, np.radians(20)) @ axis_matrix(0, np.radians(30))
    np.testing.assert_allclose(bvh.loads(text).rotations()[0, 0], expected, atol=1e-12)


def _rebroken(text):
    head, numbers = text.split("0.0333333333\n")
    return f"{head}0.0333333333 " + "\n".join(numbers.split())


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t.replace("\t", "   ").replace(" ", "\t"),
        lambda t: t.replace("\n", "\n\n \n"),
        lambda t: t.rstrip("\n"),
        lambda t: t + "\n\n",
        lambda t: "\ufeff" + t,
        lambda t: t.replace("End Site", "End LeftToe"),
        lambda t: t.replace("End Site", "End"),
        lambda t: t.lower().replace("hips", "Hips").replace("leg\n", "Leg\n"),
        lambda t: t.upper().replace("HIPS", "Hips").replace("LEG\n", "Leg\n"),
        lambda t: t.replace("100.0", "1.0e+2").replace("101.0", "1.01E2").replace("-10.0", "-1e1"),
        lambda t: t.replace("Leg\n\t{", "Leg {").replace("ROOT Hips\n{", "ROOT Hips{"),
        lambda t: t.replace("Frames: 2", "Frames:2").replace("Frame Time: ", "Frame Time:"),
        lambda t: t.replace("Frames: 2", "Frames :\t2").replace("Frame Time: ", "FRAME  TIME :\n"),
        _rebroken,
    ],
    ids=[
        "crlf",
        "cr",
        "tabs",
        "blank-lines",
        "no-final-newline",
        "more-newlines",
        "bom",
        "end-token",
        "end-alone",
        "lower",
        "upper",
        "exponents",
        "braces",
        "glued-labels",
        "spaced-labels",
        "odd-line-breaks",
    ],
)
def test_spelling_does_not_matter(change, tmp_path):
    """Line ends, tabs, case, exponents, End tokens and line breaks inside frames read as the plain file does."""
    path = tmp_path / "a.bvh"
    path.write_bytes(change(SMALL).encode())
    plain, other = bvh.loads(SMALL), bvh.read(path)
    assert other.names == plain.names and other.channels == plain.channels and other.frame_time_s == plain.frame_time_s
    for name in ("parents", "offsets", "end_joints", "end_offsets", "values"):
        np.testing.assert_array_equal(getattr(other, name), getattr(plain, name))


def test_names_keep_spaces_prefixes_and_foreign_letters(tmp_path):
    """Joint names with spaces, colons and Latin-1 letters are kept."""
    path = tmp_path / "a.bvh"
    path.write_bytes(
        SMALL.replace("ROOT Hips", "ROOT mixamorig:Hips").replace("JOINT Leg", "JOINT Bip01 L Füß").encode("latin-1")
    )
    assert bvh.read(path).names == ("mixamorig:Hips", "Bip01 L Füß")


def test_joints_without_channels_and_one_with_a_single_channel():
    """CHANNELS 0, no CHANNELS at all and one lone rotation are read; what has no channel does not move."""
    leg = "CHANNELS 3 Zrotation Xrotation Yrotation\n\t\tEnd"
    for replacement, columns in (("CHANNELS 0\n\t\tEnd", 6), ("End", 6), ("CHANNELS 1 Zrotation\n\t\tEnd", 7)):
        text = (
            SMALL.replace(leg, replacement).split("0.0333333333")[0]
            + "0.0333333333\n"
            + " ".join("0" * 6 + "9" * (columns - 6))
        )
        document = bvh.loads(text.replace("Frames: 2", "Frames: 1"))
        assert document.values.shape == (1, columns)
        expected = axis_matrix(2, np.radians(9)) if columns == 7 else np.eye(3)
        np.testing.assert_allclose(document.rotations()[0, 1], expected, atol=1e-12)


def test_several_end_sites_and_no_frames():
    """Two End Sites on one joint and a file of zero frames are read and written."""
    end = SMALL[SMALL.index("\t\tEnd Site") : SMALL.index("\t}\n}")]
    document = bvh.loads(
        SMALL.replace(end, end * 2).replace("Frames: 2", "Frames: 0").split("0.0333333333")[0] + "0.0333333333\n"
    )
    assert document.end_joints.tolist() == [1, 1] and document.values.shape == (0, 9)
    assert bvh.dumps(document).count("End Site") == 2


CHANNEL_LIST = "to be one of Xposition, Yposition, Zposition, Xrotation, Yrotation, Zrotation in line"


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: "", "Expected 'HIERARCHY' in line 1 of x.bvh, but got the end of the file."),
        (lambda t: '{"a": 1}', "Expected 'HIERARCHY' in line 1 of x.bvh, but got '{'."),
        (lambda t: t.replace("ROOT", "JOINT"), "Expected ROOT in line 2 of x.bvh, but got 'JOINT'."),
        (lambda t: t.replace("ROOT Hips", "ROOT"), "Expected a joint name in line 3 of x.bvh, but got '{'."),
        (lambda t: t.replace("ROOT Hips\n{", "ROOT Hips\n}"), "Expected '{' in line 3 of x.bvh, but got '}'."),
        (lambda t: t.replace("-10.0", "-1O.0"), "Expected OFFSET Y as a number in line 8 of x.bvh, but got '-1O.0'."),
        (lambda t: t.replace("-10.0", "nan"), "Expected OFFSET Y as a number in line 8 of x.bvh, but got 'nan'."),
        (
            lambda t: t.replace("CHANNELS 6", "CHANNELS six"),
            "Expected the number of channels as a whole number in line 5 of x.bvh, but got 'six'.",
        ),
        (
            lambda t: t.replace("Zposition", "Zpos"),
            f"Expected channel 3 of 6 {CHANNEL_LIST} 5 of x.bvh, but got 'Zpos'.",
        ),
        (
            lambda t: t.replace("CHANNELS 3", "CHANNELS 4"),
            f"Expected channel 4 of 4 {CHANNEL_LIST} 10 of x.bvh, but got 'End'.",
        ),
        (
            lambda t: t.replace("CHANNELS 6 Xposition", "CHANNELS 6 Yposition"),
            "Expected Yposition once in line 5 of x.bvh, but got 'Yposition'.",
        ),
        (
            lambda t: t.replace("\t\tOFFSET 0.0 -10.0 0.0\n", ""),
            "Expected an OFFSET of 'Leg' in line 13 of x.bvh, but got '}'.",
        ),
        (
            lambda t: t.replace("\t}\n}\nMOTION", "\t}\nMOTION"),
            "Expected OFFSET, CHANNELS, JOINT, End Site or '}' of 'Hips' in line 15 of x.bvh, but got 'MOTION'.",
        ),
        (lambda t: t[: t.index("MOTION")], "Expected ROOT or MOTION in line 16 of x.bvh, but got the end of the file."),
        (lambda t: t.replace("Frames: 2\n", ""), "Expected 'Frames:' in line 17 of x.bvh, but got 'Frame'."),
        (
            lambda t: t.replace("Frames: 2", "Frames: 2.5"),
            "Expected the number of frames as a whole number in line 17 of x.bvh, but got '2.5'.",
        ),
        (
            lambda t: t.replace("Frame Time: 0.0333333333", "Frame Time: 0"),
            "Expected a frame time above 0 s in line 18 of x.bvh, but got '0'.",
        ),
        (lambda t: t.replace("101.0", "NaN"), "Expected a finite number in line 20 of x.bvh, but got 'NaN'."),
        (lambda t: t.replace("101.0", "1e999"), "Expected a finite number in line 20 of x.bvh, but got '1e999'."),
        (lambda t: t.replace("101.0", "-1.#IND"), "Expected a finite number in line 20 of x.bvh, but got '-1.#IND'."),
        (lambda t: t.replace("101.0", "}101"), "Expected a finite number in line 20 of x.bvh, but got '}101'."),
        (
            lambda t: t.replace("Frames: 2", "Frames: 3"),
            "Expected 3 frames of 9 numbers (27) in x.bvh, but got 18 numbers, 2 frames. The file is cut off.",
        ),
        (
            lambda t: t.replace("Frames: 2", "Frames: 1"),
            "Expected 1 frame of 9 numbers (9) in x.bvh, but got 18 numbers, 2 frames.",
        ),
        (
            lambda t: t[:-10],
            "Expected 2 frames of 9 numbers (18) in x.bvh, but got 16 numbers, 1 frame and 7 numbers. "
            + "The file is cut off.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(change, message):
    """A broken file is refused with what was expected, what came, and the line."""
    with pytest.raises(InputError) as caught:
        bvh.loads(change(SMALL), "x.bvh")
    assert str(caught.value) == message


def test_no_damage_breaks_out_of_the_error_class():
    """A file cut anywhere, or with characters exchanged anywhere, reads or is an InputError of one line."""
    rng = np.random.default_rng(0)
    damaged = [SMALL[:cut] for cut in range(0, len(SMALL), 7)]
    for _ in range(300):
        characters = list(SMALL)
        for place in rng.integers(0, len(SMALL), 2):
            characters[place] = rng.choice(list("{}\n .-9eXJ\x00é"))
        damaged.append("".join(characters))
    refused = 0
    for text in damaged:
        try:
            bvh.loads(text).pose()
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert 100 < refused < len(damaged)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_are_counted_with_any_line_end(ends):
    """The line in a message is right for LF, CRLF and CR files."""
    with pytest.raises(InputError, match="in line 20 of"):
        bvh.loads(SMALL.replace("101.0", "NaN").replace("\n", ends))


def test_missing_file_folder_and_binary_are_refused(tmp_path):
    """A path without a file, a folder and a binary file are InputErrors of one line."""
    (tmp_path / "b.bvh").write_bytes(bytes(range(256)) * 10)
    for path in (tmp_path / "none.bvh", tmp_path, tmp_path / "b.bvh"):
        with pytest.raises(InputError) as caught:
            bvh.read(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_agree_with_two_independent_readers(dialect, tmp_path):
    """Joint positions in each dialect are those of bvhio and bvhtoolbox, within a millimetre."""
    path = tmp_path / "a.bvh"
    spec = DIALECTS[dialect]()
    path.write_text(text_of(**spec))
    _assert_agrees(path, 1e-3 if dialect == "deepmimic_made" else 0.1)


def test_moving_positions_on_every_joint_agree_with_bvhio(tmp_path):
    """Six-channel joints whose positions leave their offsets stand where bvhio puts them."""
    path = tmp_path / "a.bvh"
    path.write_text(text_of(**DIALECTS["blender_like"](), sway=5.0))
    document = bvh.read(path)
    _, placed = document.pose()
    for name, positions in bvhio_positions(path).items():
        np.testing.assert_allclose(placed[:, document.names.index(name)], positions, atol=0.01)


@pytest.mark.skipif(not CMU8.is_dir(), reason="the CMU clips are not on this machine")
@pytest.mark.parametrize("clip", ["test_walking_6", "test_basketball_1", "train_jumping_1"])
def test_cmu_clips_agree_with_two_independent_readers(clip, tmp_path):
    """Real CMU files give the joint positions of bvhio and bvhtoolbox."""
    path = tmp_path / "a.bvh"
    path.write_text(head_of((CMU8 / f"{clip}.bvh").read_text(), 12))
    _assert_agrees(path, 0.1)


@pytest.mark.skipif(not CMU8.is_dir(), reason="the CMU clips are not on this machine")
def test_cmu_clips_keep_their_values():
    """Reading a CMU file and writing it again keeps skeleton and values."""
    for path in sorted(CMU8.glob("*.bvh"))[::16]:
        document = bvh.read(path)
        again = bvh.loads(bvh.dumps(document))
        assert again.names == document.names and again.channels == document.channels
        np.testing.assert_allclose(again.values, document.values, atol=1e-6)


@pytest.mark.parametrize("order, channels", [("ZXY", 3), ("ZYX", 3), ("XYZ", 6)])
def test_independent_readers_read_what_we_write(order, channels, tmp_path):
    """bvhio and bvhtoolbox find our joints where we put them."""
    document = random_document(np.random.default_rng(3), frames=5, order=order, channels=channels)
    bvh.write(tmp_path / "a.bvh", document)
    turned, placed = document.pose()
    truth = dict(zip(document.names, np.moveaxis(placed, 1, 0)))
    ends = document.ends(turned, placed)
    for reader in (bvhio_positions, bvhtoolbox_positions):
        found = reader(tmp_path / "a.bvh")
        assert set(truth) <= set(found)
        for name, positions in truth.items():
            np.testing.assert_allclose(found[name], positions, atol=0.01)
    np.testing.assert_allclose(
        found["head_End"], ends[:, list(document.end_joints).index(document.names.index("head"))], atol=0.01
    )


def _assert_agrees(path, millimetre):
    document = bvh.read(path)
    turned, placed = document.pose()
    ours = dict(zip(document.names, np.moveaxis(placed, 1, 0)))
    ends = dict(
        zip(
            [f"{document.names[joint]}_End" for joint in document.end_joints],
            np.moveaxis(document.ends(turned, placed), 1, 0),
        )
    )
    a, b = bvhio_positions(path), bvhtoolbox_positions(path)
    assert set(a) == set(ours) and set(b) == set(ours) | set(ends) and len(ends) > 3
    for name, positions in a.items():
        np.testing.assert_allclose(ours[name], positions, atol=millimetre)
    for name, positions in b.items():
        np.testing.assert_allclose((ours | ends)[name], positions, atol=millimetre)


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
@pytest.mark.parametrize("channels", [3, 6])
def test_write_and_read_keep_the_motion(order, channels, tmp_path):
    """Through a file, rotations keep 1e-4 degree and positions 1e-3 of the unit."""
    document = random_document(np.random.default_rng(4), order=order, channels=channels)
    bvh.write(tmp_path / "a.bvh", document)
    again = bvh.read(tmp_path / "a.bvh")
    (turned, placed), (turned_again, placed_again) = document.pose(), again.pose()
    assert largest_angle_deg(turned, turned_again) < 1e-4
    assert np.abs(placed - placed_again).max() < 1e-3
    assert abs(again.frame_time_s * 29.97 - 1) < 1e-8
    assert again.names == document.names and (again.parents == document.parents).all()
    np.testing.assert_allclose(again.end_offsets, document.end_offsets)


def test_write_and_read_keep_gimbal_locked_rotations(tmp_path):
    """A body that passes through and stays in gimbal lock comes back within 1e-4 degree."""
    angles = np.zeros((90, 24, 3))
    angles[:, :, 1] = np.linspace(0, np.pi, 90)[:, None]
    angles[30:60, :, 1] = np.pi / 2
    angles[:, :, 0] = np.linspace(0, 3, 90)[:, None]
    local = euler_to_matrix(angles, "ZXY")
    document = bvh.build(SMPL_24.names, SMPL_PARENTS, np.ones((24, 3)) * 10, local, np.zeros((90, 3)), 0.02)
    bvh.write(tmp_path / "a.bvh", document)
    again = bvh.read(tmp_path / "a.bvh").rotations()
    rows = bvh.depth_first(SMPL_PARENTS)
    assert largest_angle_deg(again, local[:, rows]) < 1e-4


def test_build_orders_joints_depth_first():
    """Joints in SMPL's order come out nested, each with its own offset, turn and parent."""
    rng = np.random.default_rng(5)
    local = smooth_rotations(rng, 7, 24)
    offsets = rng.normal(size=(24, 3))
    document = bvh.build(SMPL_24.names, SMPL_PARENTS, offsets, local, np.zeros((7, 3)), 0.1)
    assert sorted(document.names) == sorted(SMPL_24.names) and document.names != SMPL_24.names
    for row, name in enumerate(document.names):
        joint = SMPL_24.index(name)
        np.testing.assert_array_equal(document.offsets[row], offsets[joint])
        np.testing.assert_allclose(document.rotations()[:, row], local[:, joint], atol=1e-9)
        if row:
            assert document.names[document.parents[row]] == SMPL_24.names[SMPL_PARENTS[joint]]


def test_angles_do_not_jump():
    """A tumbling body has no step of more than 30 degrees in any channel between small steps of rotation."""
    steady = np.linspace(0, 8 * np.pi, 600)
    local = np.repeat(rotations.axis_angle_to_matrix(np.stack([steady, 0 * steady, 0.1 * steady], -1))[:, None], 24, 1)
    document = bvh.build(SMPL_24.names, SMPL_PARENTS, np.ones((24, 3)), local, np.zeros((600, 3)), 0.02)
    assert np.abs(np.diff(document.values[:, 3:], axis=0)).max() < 30
    assert np.abs(document.values[:, 3:]).max() > 360


def test_the_written_text_exactly():
    """The text is tabs, `End Site`, six decimals, a frame time of ten, and one line a frame."""
    document = bvh.loads(SMALL)
    expected = SMALL
    for short, long in (
        ("1.0 2.0 3.0", "1.000000 2.000000 3.000000"),
        ("0.0 -10.0 0.0", "0.000000 -10.000000 0.000000"),
        ("OFFSET 0.0 0.0 5.0", "OFFSET 0.000000 0.000000 5.000000"),
    ):
        expected = expected.replace(short, long)
    head, numbers = expected.split("0.0333333333\n")
    rows = [" ".join(f"{float(n):.6f}" for n in line.split()) for line in numbers.splitlines()]
    assert bvh.dumps(document) == f"{head}0.0333333333\n" + "\n".join(rows) + "\n"


def test_no_zero_has_a_minus():
    """Values that round to zero are written without a sign, in motion and offsets."""
    document = bvh.loads(SMALL.replace("90.0", "-0.0000000001").replace("-10.0", "-0.0").replace("5.0", "-1e-9"))
    text = bvh.dumps(document)
    assert "-0.000000" not in text and "-0 " not in text


def test_metres_are_written_with_more_decimals():
    """A skeleton in metres has 8 decimals, so that it keeps as much as one in centimetres."""
    document = bvh.loads(SMALL.replace("-10.0", "-0.4"))
    assert "OFFSET 0.00000000 -0.40000000 0.00000000" in bvh.dumps(document)


def test_the_same_document_gives_the_same_bytes(tmp_path):
    """Two writes of one document are byte for byte equal, with LF line ends."""
    document = random_document(np.random.default_rng(6), frames=4)
    for name in "ab":
        bvh.write(tmp_path / f"{name}.bvh", document)
    assert (tmp_path / "a.bvh").read_bytes() == (tmp_path / "b.bvh").read_bytes()
    assert b"\r" not in (tmp_path / "a.bvh").read_bytes()


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    """When the disk refuses, the old file stays, nothing else is left, and the error is one line."""
    path = tmp_path / "a.bvh"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(MrsError, match="No space left on device"):
        bvh.write(path, bvh.loads(SMALL))
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_nan_a_wrong_suffix_and_a_missing_folder_are_refused(tmp_path):
    """NaN is never written; the path must end in .bvh and lie in a folder that exists."""
    document = bvh.loads(SMALL)
    broken = dataclasses.replace(document, values=document.values * np.nan)
    with pytest.raises(InputError, match="finite numbers"):
        bvh.write(tmp_path / "a.bvh", broken)
    with pytest.raises(UsageError, match=r"ends in \.bvh, but got .*motion\.npz"):
        bvh.write(tmp_path / "motion.npz", document)
    with pytest.raises(UsageError, match="mkdir -p"):
        bvh.write(tmp_path / "none" / "a.bvh", document)
    assert list(tmp_path.iterdir()) == []


def test_ten_minutes_are_quick(tmp_path):
    """18,000 frames of 24 joints: build, write and read take a few seconds at most."""
    rng = np.random.default_rng(7)
    local = np.tile(smooth_rotations(rng, 600, 24), (30, 1, 1, 1))
    start = time.perf_counter()
    document = bvh.build(
        SMPL_24.names, SMPL_PARENTS, rng.normal(size=(24, 3)) * 20, local, rng.normal(size=(18000, 3)), 1 / 30
    )
    built = time.perf_counter()
    bvh.write(tmp_path / "a.bvh", document)
    written = time.perf_counter()
    again = bvh.read(tmp_path / "a.bvh")
    done = time.perf_counter()
    assert len(again) == 18000
    assert built - start < 4 and written - built < 4 and done - written < 3
