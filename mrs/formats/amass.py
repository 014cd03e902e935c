"""AMASS motion files: npz of SMPL-H or SMPL-X pose vectors, Z up, onto the embedded body.

SMPL-H files hold poses (T, 156), trans (T, 3), betas, gender and mocap_framerate; SMPL-X files root_orient (T, 3),
pose_body (T, 63), trans, betas and mocap_frame_rate. The first 22 joints are the same in both and in SMPL; hands and faces are
left out. Only arrays of numbers are read: nothing in the file is ever unpickled.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from mrs import rotations
from mrs.body import Body, load_body
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.world.ground import sole_points

JOINTS = 22
RATES = ("mocap_framerate", "mocap_frame_rate", "mocap_frame_rate_hz", "fps")
Z_UP_TO_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
FLOOR_PERCENTILE = 2.0


def holds(path: Path | str) -> bool:
    """Tell whether a file is an npz with the arrays of AMASS."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return _is_amass(set(file.files))
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile):
        return False


def _is_amass(names: set[str]) -> bool:
    return "trans" in names and ("poses" in names or {"root_orient", "pose_body"} <= names)


def read(path: Path | str, *, up: str = "z", stature_m: float | None = None, floor: str = "feet", body: Body | None = None) -> Motion:
    """Read a file into a world Motion of the embedded body, or of another.

    `trans` moves the model's origin, not the pelvis: the pelvis joint is trans + J0, the rest pelvis of the file's own body. J0
    is the same in every frame and is not turned with the body; the embedded body's stands in for it, which only shifts the
    whole path, unless the file says it (rest_pelvis_m, as our exporter does). The file's betas are coefficients of SMPL-H's or
    SMPL-X's shapes: on a body of that family (``smplx:PATH``) they are taken; elsewhere they mean nothing, and the body has mean
    shape, or `stature_m`. `floor` says where the ground is: "feet", where the lowest soles come down, or "file", the file's zero.
    """
    arrays = _arrays(Path(path))
    pose, trans = _pose(arrays, path), arrays["trans"].astype(float)
    rate_hz = _rate(arrays, path)
    if not (np.isfinite(pose).all() and np.isfinite(trans).all()):
        raise InputError(f"Expected finite numbers in {path}, but got NaN or infinity.")
    body = load_body() if body is None else body
    betas = _betas(arrays, body)
    if stature_m is not None:
        betas = np.zeros(10)
        betas[0] = (stature_m - body.stature_m(betas)) / (body.stature_m(np.eye(10)[0]) - body.stature_m(betas))
    to_y_up = Z_UP_TO_Y_UP if up == "z" else np.eye(3)
    matrices = np.tile(np.eye(3), (len(pose), 24, 1, 1))
    matrices[:, :JOINTS] = rotations.axis_angle_to_matrix(pose.reshape(len(pose), JOINTS, 3))
    matrices[:, 0] = to_y_up @ matrices[:, 0]
    quats = rotations.align_hemispheres(rotations.matrix_to_quat(matrices))
    rest_pelvis = arrays.get("rest_pelvis_m", body.rest_m[0] + body.rest_shape_m[0] @ betas)
    if rest_pelvis.shape != (3,) or rest_pelvis.dtype.kind not in "fiu" or not np.isfinite(rest_pelvis).all():
        raise InputError(f"Expected rest_pelvis_m in {path} to be 3 finite numbers, but got {rest_pelvis!r}.")
    root = (trans + rest_pelvis) @ to_y_up.T
    motion = body.motion(np.arange(len(pose)) / rate_hz, root, quats, betas)
    if floor == "file":
        return motion
    lowest = np.percentile(sole_points(motion)[..., 1].min(1), FLOOR_PERCENTILE)
    return body.motion(motion.times_s, root - [0, lowest, 0], quats, betas)


def _betas(arrays: dict[str, np.ndarray], body: Body) -> np.ndarray:
    """The file's own shape on a body of its family, else the mean."""
    own, betas = arrays.get("betas"), np.zeros(10)
    family = "SMPL-X" if "root_orient" in arrays else "SMPL-H"
    if own is not None and getattr(body, "family", None) == family and own.dtype.kind in "fiu" and np.isfinite(own).all():
        betas[: own.size] = own.ravel()[:10]
    return betas


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Load the arrays of numbers that are used; objects, which only pickle could read, are refused."""
    wanted = ("poses", "root_orient", "pose_body", "trans", "betas", "rest_pelvis_m", *RATES)
    if path.is_file() and not zipfile.is_zipfile(path):
        raise InputError(f"Expected an AMASS file at {path}, but it is no npz, or a part of one.")
    try:
        with np.load(path, allow_pickle=False) as file:
            names = set(file.files)
            if not _is_amass(names):
                raise InputError(f"Expected trans with poses, or with root_orient and pose_body, in {path}, but it holds "
                                 f"{', '.join(sorted(names)) or 'nothing'}.")
            return {name: file[name] for name in wanted if name in names}
    except FileNotFoundError:
        raise InputError(f"Expected an AMASS file at {path}, but there is none.") from None
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"Expected an AMASS file at {path}, but it can't be read: {error}.") from None


def _pose(arrays: dict[str, np.ndarray], path) -> np.ndarray:
    """Axis-angle (T, 66) of the root and 21 body joints."""
    frames = len(arrays["trans"])
    if "root_orient" in arrays and "pose_body" in arrays:
        parts = {"root_orient": (frames, 3), "pose_body": (frames, 63)}
    else:
        parts = {"poses": (frames, max(arrays["poses"].shape[-1] if arrays["poses"].ndim else 0, 3 * JOINTS))}
    for name, shape in ({"trans": (frames, 3)} | parts).items():
        if arrays[name].shape != shape or frames == 0 or arrays[name].dtype.kind not in "fiu":
            raise InputError(f"Expected {name} in {path} to be {shape} numbers of at least one frame, "
                             f"but got {arrays[name].shape} of {arrays[name].dtype}.")
    return np.concatenate([arrays[name] for name in parts], 1)[:, : 3 * JOINTS].astype(float)


def _rate(arrays: dict[str, np.ndarray], path) -> float:
    name = next((name for name in RATES if name in arrays), None)
    if name is None:
        raise InputError(f"Expected a frame rate in {path} ({' or '.join(RATES[:2])}), but there is none.")
    value = arrays[name]
    if value.size != 1 or value.dtype.kind not in "fiu" or not np.isfinite(value).all() or not float(value.reshape(-1)[0]) > 0:
        raise InputError(f"Expected {name} in {path} to be one positive number, but got {value!r}.")
    return float(value.reshape(-1)[0])
