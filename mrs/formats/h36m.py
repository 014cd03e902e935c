"""Human3.6M for those who have it: from the registered download to frames and an annotation of our own.

The layout is that of the published preparation: DIR/archives/Poses_D3_Positions_mono_universal_S1.tgz and Videos_S1.tgz
become DIR/extracted/S1/..., then DIR/processed/all/S1/Walking-1/imageSequence/54138969/img_000001.jpg, and at last
DIR/processed/all/annot_export.h5 with a row a frame and camera.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import numpy as np

from mrs.errors import InputError, MissingError
from mrs.npz import atomic_path

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
CAMERAS = ("54138969", "55011271", "58860488", "60457274")
ACTIONS = ("_ALL", "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting", "SittingDown",
           "Smoking", "TakingPhoto", "Waiting", "Walking", "WalkingDog", "WalkTogether")
ALIASES = {"Photo": "TakingPhoto", "WalkDog": "WalkingDog", "WalkingTogether": "WalkTogether"}
UNIVERSAL, OWN = "Poses_D3_Positions_mono_universal", "Poses_D3_Positions_mono"
KINDS = {UNIVERSAL: True, "Videos": True, "Poses_D3_Positions": False, OWN: False, "Poses_D2_Positions": False}
ANNOTATION, JOINTS, JPEG_QUALITY = "annot_export.h5", 32, 95
HIPS_UP, NECK = 0, 13


@dataclass(frozen=True)
class Take:
    """One performance: subject, action id 2 to 16, sub-action 1 or 2, and the name its files begin with."""

    subject: str
    action: int
    subaction: int
    name: str

    @property
    def folder(self) -> str:
        """Folder below processed/all."""
        return f"{self.subject}/{ACTIONS[self.action - 1]}-{self.subaction}"


def extract(folder: Path, subjects: tuple[str, ...] = SUBJECTS, tell: Callable[[str], None] = print) -> list[Path]:
    """Unpack every archive there is to extracted/SUBJECT/KIND, without the folders that all its files share.

    What is unpacked already is left alone; an archive that breaks off leaves nothing behind. Raises InputError where
    nothing is found.
    """
    done = []
    for subject in subjects:
        for kind, needed in KINDS.items():
            out = folder / "extracted" / subject / kind
            archive = next((p for end in (".tgz", ".tar.gz") if (p := folder / "archives" / f"{kind}_{subject}{end}").is_file()), None)
            if out.is_dir():
                done.append(out)
            elif archive is not None:
                _unpack(archive, out)
                tell(f"{archive.name} was unpacked to {out}")
                done.append(out)
            elif needed:
                tell(f"{kind}_{subject}.tgz is not in {folder / 'archives'}.")
    if not done:
        raise InputError(f"Expected archives such as {UNIVERSAL}_S1.tgz in {folder / 'archives'}, but there are none.")
    return done


def _unpack(archive: Path, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as part:
        try:
            with tarfile.open(archive, "r:gz") as tar:
                files = [m for m in tar.getmembers() if m.isreg()]
                shared = _shared([PurePosixPath(m.name).parent.parts for m in files])
                for member in files:
                    inside = PurePosixPath(*PurePosixPath(member.name).parts[shared:])
                    if inside.is_absolute() or ".." in inside.parts:
                        raise InputError(f"Expected files below one folder in {archive}, but it holds '{member.name}'.")
                    target = Path(part) / "files" / inside
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with tar.extractfile(member) as source, open(target, "wb") as file:
                        shutil.copyfileobj(source, file)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise InputError(f"Expected a whole .tgz archive at {archive}, but it can't be read: {error}.") from None
        if not files:
            raise InputError(f"Expected files in {archive}, but it is empty.")
        (Path(part) / "files").rename(out)


def _shared(folders: list[tuple[str, ...]]) -> int:
    """How many leading folders all have in common."""
    count = 0
    while folders and all(len(f) > count and f[count] == folders[0][count] for f in folders):
        count += 1
    return count


def takes(folder: Path, subjects: tuple[str, ...] = SUBJECTS, tell: Callable[[str], None] = print) -> list[Take]:
    """List performances: by DIR/metadata.xml where it is, else by the names of the pose files, in their order."""
    metadata = folder / "metadata.xml"
    found = _from_metadata(metadata, subjects) if metadata.is_file() else _from_names(folder, subjects)
    if not metadata.is_file() and found:
        tell(f"{metadata} is not there; sub-actions are numbered by the names of the files.")
    if not found:
        raise InputError(f"Expected poses in {folder / 'extracted'}/S1/{UNIVERSAL}, but there are none. "
                         f"Type: mrs data h36m extract {folder}")
    return found


def _from_metadata(path: Path, subjects: tuple[str, ...]) -> list[Take]:
    try:
        rows = [[cell.text for cell in row] for row in ElementTree.parse(path).getroot().find("mapping")]
        names = rows[0][2:]
        return [Take(subject, int(row[0]), int(row[1]), row[2 + names.index(subject)]) for subject in subjects if subject in names
                for row in rows[1:] if (row[0] or "").isdigit() and 1 < int(row[0]) <= len(ACTIONS) and row[2 + names.index(subject)]]
    except (OSError, ElementTree.ParseError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"Expected Human3.6M's metadata at {path}, but it can't be read: {error}.") from None


def _from_names(folder: Path, subjects: tuple[str, ...]) -> list[Take]:
    out = []
    for subject in subjects:
        stems = sorted({p.name.rsplit(".", 2)[0] for p in (folder / "extracted" / subject / UNIVERSAL).glob("*.cdf")})
        counts: dict[int, int] = {}
        for stem in stems:
            action = ALIASES.get(plain := re.sub(r"\s+\d+$", "", stem), plain)
            if action in ACTIONS[1:]:
                number = ACTIONS.index(action) + 1
                counts[number] = counts.get(number, 0) + 1
                out.append(Take(subject, number, counts[number], stem))
    return out


def poses(folder: Path, take: Take, camera: str, kind: str = UNIVERSAL, size: int = 3) -> np.ndarray | None:
    """Read positions (T, 32, size) of a take as a camera has them, in mm (or pixels); None where there is no file."""
    name = f"{take.name}.cdf" if kind == "Poses_D3_Positions" else f"{take.name}.{camera}.cdf"
    path = folder / "extracted" / take.subject / kind / name
    if not path.is_file():
        return None
    try:
        import cdflib
    except ImportError:
        raise MissingError("Expected cdflib, which reads Human3.6M's poses, but it is not installed. Type: pip install 'mrs[h36m]'") from None
    try:
        return np.asarray(cdflib.CDF(path)["Pose"], float).reshape(-1, JOINTS, size)
    except (OSError, ValueError, KeyError, EOFError, AttributeError) as error:
        raise InputError(f"Expected a CDF file with poses of 32 joints at {path}, but it can't be read: {error}.") from None


def process(folder: Path, subjects: tuple[str, ...] = SUBJECTS, tell: Callable[[str], None] = print) -> int:
    """Write the frames that have a pose, as JPEG, for every take and camera; what is there already is left alone.

    A view that can't be read is told and passed over. Returns how many pictures there are.
    """
    count = 0
    for take in takes(folder, subjects, tell):
        for camera in CAMERAS:
            try:
                count += _pictures(folder, take, camera)
            except InputError as error:
                tell(f"{take.folder} camera {camera} was left out: {error}")
    return count


def _pictures(folder: Path, take: Take, camera: str) -> int:
    from mrs.video import Video

    posed = poses(folder, take, camera)
    if posed is None:
        raise InputError(f"Expected {take.name}.{camera}.cdf in {UNIVERSAL} of {take.subject}, but there is none.")
    out = pictures_folder(folder, take, camera)
    wanted = {f"img_{n:06d}.jpg" for n in range(1, len(posed) + 1)}
    if out.is_dir() and wanted <= {p.name for p in out.iterdir()}:
        return len(wanted)
    video = Video.open(folder / "extracted" / take.subject / "Videos" / f"{take.name}.{camera}.mp4")
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    for frame in video.frames():
        if frame.row >= len(posed):
            break
        _write_jpeg(out / f"img_{frame.row + 1:06d}.jpg", frame.rgb)
        written += 1
    if written < len(posed):
        raise InputError(f"Expected {len(posed)} pictures in {take.name}.{camera}.mp4, one a pose, but got {written}.")
    return written


def _write_jpeg(path: Path, rgb: np.ndarray) -> None:
    import cv2

    _, data = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())


def pictures_folder(folder: Path, take: Take, camera: str) -> Path:
    """Where a view's pictures lie."""
    return folder / "processed" / "all" / take.folder / "imageSequence" / camera


def annotate(folder: Path, subjects: tuple[str, ...] = SUBJECTS, tell: Callable[[str], None] = print) -> Path:
    """Write the annotation file: what the published loader reads by name, worked out from the poses that are there.

    World positions are Poses_D3_Positions where they are unpacked; else the room is that of the first camera, turned so
    that the body's mean up is up. Extrinsics are the rigid motion from one to the other, exact for exact poses. With
    Poses_D3_Positions_mono there are also joints with the subject's own bones, with Poses_D2_Positions pixels and intrinsics
    (least squares of pixels on x/z and y/z).
    """
    try:
        import h5py
    except ImportError:
        raise MissingError("Expected h5py, which writes the annotation, but it is not installed. Type: pip install 'mrs[h36m]'") from None
    blocks: dict[str, list[np.ndarray]] = {}
    for take in takes(folder, subjects, tell):
        for rows in _views(folder, take, tell):
            for name, values in rows.items():
                blocks.setdefault(name, []).append(values)
    if not blocks:
        raise InputError(f"Expected poses of at least one camera in {folder / 'extracted'}, but there are none.")
    full = max(len(v) for v in blocks.values())
    path = folder / "processed" / "all" / ANNOTATION
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name, values in blocks.items():
            if len(values) == full:
                file[name] = np.concatenate(values)
            else:
                tell(f"{name} was left out: {full - len(values)} of {full} views have none.")
    return path


def _views(folder: Path, take: Take, tell) -> Iterator[dict[str, np.ndarray]]:
    """Rows of every camera of a take."""
    seen = {camera: found for camera in CAMERAS if (found := poses(folder, take, camera)) is not None}
    if not seen:
        tell(f"{take.folder} was left out: no camera has poses.")
        return
    count = min(map(len, seen.values()))
    world = poses(folder, take, "", "Poses_D3_Positions")
    world = standing(next(iter(seen.values()))[:count]) if world is None else world[:count]
    for camera, posed in seen.items():
        posed = posed[: len(world)]
        turn, shift = rigid(world.reshape(-1, 3), posed.reshape(-1, 3))
        rows = {"keypoints_3d_univ": posed, "keypoints_3d_world": world,
                "extrinsics_univ": np.broadcast_to(np.c_[turn, shift], (len(posed), 3, 4)),
                "img_paths": _paths(folder, take, camera, len(posed)), "f_ids": np.arange(1, len(posed) + 1)}
        for name, value in (("p_ids", int(take.subject[1:])), ("action", take.action), ("subaction", take.subaction),
                            ("camera_id", int(camera))):
            rows[name] = np.full(len(posed), value)
        own = poses(folder, take, camera, OWN)
        if own is not None and len(own) >= len(posed):
            rows["keypoints_3d"] = own[: len(posed)]
        yield rows | _pixels(folder, take, camera, posed)


def _paths(folder: Path, take: Take, camera: str, count: int) -> np.ndarray:
    below = pictures_folder(folder, take, camera).relative_to(folder).as_posix()
    return np.array([f"{below}/img_{n:06d}.jpg" for n in range(1, count + 1)], "S")


def _pixels(folder: Path, take: Take, camera: str, posed: np.ndarray) -> dict[str, np.ndarray]:
    """Pixels, their share of the picture, and intrinsics, where there are pixels; the picture's size where there is one."""
    out = {}
    first = pictures_folder(folder, take, camera) / "img_000001.jpg"
    if first.is_file():
        import cv2

        height, width = cv2.imread(str(first)).shape[:2]
        out["image_size"] = np.tile([width, height], (len(posed), 1))
    pixels = poses(folder, take, camera, "Poses_D2_Positions", 2)
    if pixels is None:
        return out
    pixels = pixels[: len(posed)]
    fitted = [np.linalg.lstsq(np.c_[(posed[..., axis] / posed[..., 2]).ravel(), np.ones(posed[..., 0].size)],
                              pixels[..., axis].ravel(), rcond=None)[0] for axis in (0, 1)]
    out |= {"keypoints": pixels, "intrinsics_univ": np.tile(np.concatenate(fitted), (len(posed), 1))}
    return out | ({"norm_keypoints": pixels / out["image_size"][:, None]} if "image_size" in out else {})


def standing(posed: np.ndarray) -> np.ndarray:
    """Turn positions (T, 32, 3) of a camera so that the mean direction from pelvis to neck is +Z, as in the lab's world."""
    up = (posed[:, NECK] - posed[:, HIPS_UP]).mean(0)
    up /= np.linalg.norm(up)
    right = np.cross(up, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    return posed @ np.stack([right, np.cross(up, right), up]).T


def rigid(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and shift (3,) that take points a (n, 3) to b best in the mean square (Kabsch)."""
    u, _, v = np.linalg.svd((a - a.mean(0)).T @ (b - b.mean(0)))
    turn = (u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v).T
    return turn, b.mean(0) - turn @ a.mean(0)
