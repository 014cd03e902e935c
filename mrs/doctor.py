"""`mrs doctor`: look at everything that mrs stands on, and say of each whether it works or what mends it.

A check is ``ok``, ``off`` (something optional that is not there) or ``bad`` (something that mrs needs). The command in its
`todo` is what to type.
"""

from __future__ import annotations

import ctypes.util
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mrs.errors import MrsError, reason

MODULES = {"opencv-python-headless": "cv2", "PyYAML": "yaml", "json-tricks": "json_tricks", "scikit-learn": "sklearn", "pillow": "PIL",
           "usd-core": "pxr", "mkdocs-material": "material"}
NEEDED_GB, MODEL_GB = 1.0, 0.5
GPU_SIGNS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")


@dataclass(frozen=True)
class Check:
    """One thing looked at: its group and name, its state (ok, off, bad), what was found, and the command that mends it."""

    group: str
    name: str
    state: str
    told: str
    todo: str = ""


def examine() -> list[Check]:
    """Run every check; one that itself fails is bad with what it said."""
    groups: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("python", _python), ("libraries", _libraries), ("gpu", _gpu), ("graphics", _graphics), ("video", _codecs), ("plugins", _plugins),
        ("extras", _extras), ("models", _models), ("bodies", _bodies), ("disk", _disk), ("settings", _settings))
    found: list[Check] = []
    for name, checks in groups:
        try:
            found += checks()
        except Exception as error:  # noqa: BLE001 (a doctor goes on whatever a library does when it is touched)
            found.append(Check(name, "check", "bad", f"{type(error).__name__}: {reason(error)}", "mrs doctor --debug"))
    return found


def summary(checks: list[Check]) -> dict[str, Any]:
    """Return the checks JSON-able, and whether all that is needed works."""
    return {"ok": all(check.state != "bad" for check in checks), "checks": [asdict(check) for check in checks]}


def _python() -> Iterator[Check]:
    import mrs

    asked = (importlib.metadata.metadata("mrs")["Requires-Python"] if _version("mrs") else None) or ">=3.10"
    least = tuple(int(part) for part in re.findall(r"\d+", asked)[:2])
    told = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    good = sys.version_info[:2] >= least
    yield Check("python", "python", "ok" if good else "bad", told, "" if good else f"Install Python {asked}, then: python3 -m venv .venv")
    yield Check("python", "mrs", "ok", f"{mrs.__version__} in {Path(mrs.__file__).parent}")


def _libraries() -> Iterator[Check]:
    """Import what mrs requires, and hold the versions against its metadata."""
    for name, wanted in requirements():
        version = _version(name)
        if version is None:
            yield Check("libraries", name, "bad", "not installed", f"pip install '{name}{wanted}'")
            continue
        if not _within(version, wanted):
            yield Check("libraries", name, "bad", f"{version}, but mrs needs {wanted}", f"pip install '{name}{wanted}'")
            continue
        try:
            importlib.import_module(MODULES.get(name, name).replace("-", "_"))
        except Exception as error:  # noqa: BLE001 (a broken library raises what it likes)
            yield Check("libraries", name, "bad", f"{version} does not import: {reason(error)}", f"pip install --force-reinstall '{name}{wanted}'")
        else:
            yield Check("libraries", name, "ok", version)


def requirements(extra: str | None = None) -> list[tuple[str, str]]:
    """List (name, versions) of what mrs requires, or of what one of its extras adds."""
    out = []
    for line in importlib.metadata.requires("mrs") or [] if _version("mrs") else []:
        spec, _, marker = line.partition(";")
        named = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
        if (named.group(1) if named else None) != extra:
            continue
        match = re.match(r"\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*\(?([^)]*)\)?", spec)
        out.append((match.group(1), match.group(2).replace(" ", "")))
    return out


def _within(version: str, wanted: str) -> bool:
    """Hold a version against bounds such as ``>=2.6,<2.14``; bounds of another form count as met."""
    def numbers(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:3])

    for bound in filter(None, wanted.split(",")):
        match = re.fullmatch(r"(>=|<=|==|<|>)([\d.]+)", bound)
        if not match:
            continue
        ours, theirs = numbers(version), numbers(match.group(2))
        length = max(len(ours), len(theirs))
        ours, theirs = (side + (0,) * (length - len(side)) for side in (ours, theirs))
        if not {">=": ours >= theirs, "<=": ours <= theirs, "==": ours == theirs, "<": ours < theirs, ">": ours > theirs}[match.group(1)]:
            return False
    return True


def _gpu() -> Iterator[Check]:
    """Whether networks can run on a GPU; mrs works without."""
    import torch

    here = [sign for sign in GPU_SIGNS if Path(sign).exists()]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            yield Check("gpu", f"cuda:{index}", "ok", f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}")
    elif here and torch.version.cuda is None:
        yield Check("gpu", "cuda", "off", f"there is a GPU ({here[0]}), but torch {torch.__version__} is a build for CPUs",
                    "pip install --force-reinstall 'torch>=2.6,<2.14'")
    elif here:
        yield Check("gpu", "cuda", "off", f"there is a GPU ({here[0]}), but torch's CUDA {torch.version.cuda} can't use it; look at the driver",
                    "nvidia-smi")
    else:
        yield Check("gpu", "cuda", "ok", "none; everything runs on the CPU")
    import onnxruntime

    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    missing = bool(here) and "CUDA" not in providers
    yield Check("gpu", "onnxruntime", "off" if missing else "ok", ", ".join(providers),
                "pip uninstall onnxruntime && pip install onnxruntime-gpu" if missing else "")


def _graphics() -> Iterator[Check]:
    """OpenGL without a screen, with which `mrs render` is quicker; it paints without."""
    if importlib.util.find_spec("moderngl") is None:
        yield Check("graphics", "OpenGL", "off", "moderngl is not installed; mrs render paints without it, more slowly", "pip install 'mrs[gl]'")
        return
    from mrs.render.gl import open_context

    try:
        context = open_context()
    except MrsError as error:
        found = [name for name in ("EGL", "OSMesa", "GL") if ctypes.util.find_library(name)]
        yield Check("graphics", "OpenGL", "off", f"{str(error).partition(' Type:')[0]} Libraries: {', '.join(found) or 'none'}",
                    "apt install libegl1 libgl1-mesa-dri")
    else:
        yield Check("graphics", "OpenGL", "ok", f"{context.info['GL_RENDERER']}, OpenGL {context.version_code / 100:.1f}")
        context.release()


def _codecs() -> Iterator[Check]:
    """Write and read back a film, and look for the decoders of usual videos."""
    import av
    import numpy as np

    from mrs.video import Video, write_video

    with tempfile.TemporaryDirectory(prefix="mrs-doctor-") as folder:
        path = Path(folder) / "film.mp4"
        try:
            write_video(path, (np.full((48, 64, 3), 40 * n, np.uint8) for n in range(4)), np.arange(4) / 25, (64, 48))
            frames = sum(1 for _ in Video.open(path).frames())
        except Exception as error:  # noqa: BLE001 (whatever FFmpeg says)
            yield Check("video", "H.264", "bad", f"a film can't be written and read: {reason(error)}", "pip install --force-reinstall av")
        else:
            yield Check("video", "H.264", "ok" if frames == 4 else "bad", f"written and read, FFmpeg of PyAV {av.__version__}",
                        "" if frames == 4 else "pip install --force-reinstall av")
    wanted = ("hevc", "vp9", "av1", "mpeg4", "mjpeg", "prores")
    missing = [name for name in wanted if name not in av.codecs_available]
    yield Check("video", "decoders", "off" if missing else "ok", f"without {', '.join(missing)}" if missing else ", ".join(wanted),
                "pip install --upgrade av" if missing else "")


def _plugins() -> Iterator[Check]:
    from mrs import plugins, stages

    registry = plugins.load()
    yield Check("plugins", "loaded", "ok", f"{len(registry.entries)} in {len({stage for stage, _ in registry.entries})} stages")
    for origin, error in registry.broken.items():
        yield Check("plugins", origin, "bad", f"did not load: {error}", f"pip install --force-reinstall {origin.partition(':')[0]}"
                    if not origin.startswith("mrs_plugins.") else "pip install --force-reinstall --no-deps mrs")
    for entry in registry.entries.values():
        absent = stages.missing_needs(entry.cls)
        if absent:
            yield Check("plugins", f"{entry.stage} {entry.name}", "off", f"needs {', '.join(absent)}", stages.install_command(entry.cls))


def _extras() -> Iterator[Check]:
    """Which extras are complete."""
    names = importlib.metadata.metadata("mrs").get_all("Provides-Extra") or [] if _version("mrs") else []
    for extra in sorted(names):
        absent = [name for name, wanted in requirements(extra) if not (_version(name) and _within(_version(name), wanted))]
        yield Check("extras", extra, "off" if absent else "ok", f"without {', '.join(absent)}" if absent else "complete",
                    f"pip install 'mrs[{extra}]'" if absent else "")


def _models() -> Iterator[Check]:
    """Checksums of the files that ship, and of those that were fetched."""
    from mrs import data, model_cache
    from mrs.model_catalogue import CATALOGUE

    wrong = []
    for name in data.EMBEDDED:
        try:
            data.asset_path(name, verify=True)
        except MrsError as error:
            wrong.append(Check("models", name, "bad", str(error).partition(" Type:")[0], "pip install --force-reinstall --no-deps mrs"))
    yield from wrong
    yield Check("models", "embedded", "bad" if wrong else "ok", f"{len(data.EMBEDDED) - len(wrong)} of {len(data.EMBEDDED)} files have their checksum",
                "pip install --force-reinstall --no-deps mrs" if wrong else "")
    for name in CATALOGUE:
        if model_cache.held(name) is None:
            continue
        try:
            model_cache.verify(name)
        except MrsError as error:
            yield Check("models", name, "bad", str(error).partition(" Type:")[0], f"mrs models get {name} --again")
        else:
            yield Check("models", name, "ok", "fetched, has its checksum")


def _bodies() -> Iterator[Check]:
    """The body that ships, and bodies of other makers in MRS_SMPL_DIR."""
    from mrs.body import load_body

    body = load_body()
    yield Check("bodies", body.name, "ok", f"{len(body.template_m)} vertices, ships with mrs")
    folder = os.environ.get("MRS_SMPL_DIR")
    if not folder:
        yield Check("bodies", "SMPL", "ok", "none (not needed); whoever has SMPL files names their folder: export MRS_SMPL_DIR=FOLDER")
        return
    if not Path(folder).is_dir():
        yield Check("bodies", "SMPL", "bad", f"MRS_SMPL_DIR names {folder}, which is no folder", "export MRS_SMPL_DIR=FOLDER")
        return
    found = _body_files(Path(folder))
    if not found:
        yield Check("bodies", "SMPL", "bad", f"no .npz or .pkl in {folder}", "export MRS_SMPL_DIR=FOLDER, the one with SMPL_NEUTRAL.npz in it")
    for row in found:
        if "error" in row:
            yield Check("bodies", Path(row["path"]).name, "bad", row["error"], f"Fetch {Path(row['path']).name} again from where it is given out")
        else:
            told = ", ".join(str(row[key]) for key in ("family", "vertices") if key in row)
            yield Check("bodies", Path(row["path"]).name, "ok", told or f"{Path(row['path']).stat().st_size / 1e6:.1f} MB")


def _body_files(folder: Path) -> list[dict[str, Any]]:
    """What lies in a folder of bodies: read where this mrs can read them, else named."""
    if importlib.util.find_spec("mrs.body.smplx_files") is not None:
        return importlib.import_module("mrs.body.smplx_files").all_found()
    return [{"path": str(path)} for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".npz", ".pkl")]


def _disk() -> Iterator[Check]:
    """Room and rights where mrs writes."""
    from mrs import model_cache

    for name, folder, needed in (("here", Path.cwd(), NEEDED_GB), ("cache", model_cache.cache_dir(), MODEL_GB),
                                 ("temporary", Path(tempfile.gettempdir()), NEEDED_GB)):
        place = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(place).free / 1e9
        writable = os.access(place, os.W_OK)
        told = f"{folder}: {free:.1f} GB free" + ("" if writable else ", but it can't be written")
        todo = {"here": "cd FOLDER, one with room, or -o FOLDER", "cache": "export MRS_CACHE_DIR=FOLDER", "temporary": "export TMPDIR=FOLDER"}[name]
        good = writable and free >= needed
        yield Check("disk", name, "ok" if good else "bad", told, "" if good else todo)


def _settings() -> Iterator[Check]:
    """Environment variables that change what mrs does."""
    names = ("MRS_CACHE_DIR", "MRS_CONFIG", "MRS_DEVICE", "MRS_LOAD_PLUGINS", "MRS_LOG_JSON", "MRS_LOG_LEVEL", "MRS_OFFLINE", "MRS_SMPL_DIR",
             "MRS_THREADS", "NO_COLOR", "OMP_NUM_THREADS")
    told = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]
    yield Check("settings", "environment", "ok", ", ".join(told) or "nothing set")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
