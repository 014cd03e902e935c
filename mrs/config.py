"""The settings of a run: flag over environment over ``--config`` file over the user's file over default; unknown names are refused."""

from __future__ import annotations

import dataclasses
import difflib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mrs import options, stages
from mrs.errors import InputError, UsageError

STAGE_NAMES = tuple(name for name in stages.STAGES if name not in ("importer", "converter", "track_exporter"))
ALIASES = {"synth": "synthesizer", "export": "exporter"}
NAMED_AS = {"synthesizer": "synth"}
"""Stages whose plugin has another name among the settings; exporters are several, and keep their options."""
CAMERAS = ("static", "rotating", "auto")
PERSONS = ("largest", "longest", "center", "all")


class Run:
    """The values that flags and the config file share."""

    name = "run"

    class Options:
        """One field a flag; the names in a config file are the same."""

        detector: str = options.option("blazepose", "Detector plugin: who is where, in every frame.")
        tracker: str = options.option("auto", "Tracker plugin: who is who over time; auto keeps the ids of a file that has "
                                      "them (file), and else tracks (oks).")
        lifter: str = options.option("auto", "Lifter plugin: from pictures to bodies in 3D; auto takes hmr, or smplify for "
                                     "keypoints that hmr does not know.")
        smoother: str = options.option("sfv", "Smoother plugin: the refiner of the motion.")
        body: str | None = options.option(None, "Body model of the lifter: smplx:PATH, your file of SMPL, SMPL-H or SMPL-X; without it, "
                                          "the embedded body.")
        synth: str | None = options.option(None, "Synthesizer plugin: re-enact the behaviour with another body.")
        target: str | None = options.option(None, "Who re-enacts with --synth: standing, frame:SECONDS (of the person, from the "
                                            "video's start), or a file with a motion; without it, standing.")
        renderer: str = options.option("mesh", "Renderer plugin of the people in synth.mp4, with --synth: mesh, pyrender, stick, shape-pose.")
        export: str = options.option("bvh", "Exporter plugins, with commas between; bvh is always written.")
        person: str = options.option("all", "Whom to follow: largest, longest, center, all, or ids such as 1,3.")
        start: float | None = options.option(None, "Begin at this second of the video.")
        end: float | None = options.option(None, "End before this second of the video.")
        size: str | None = options.option(None, "Size of the picture, WIDTHxHEIGHT, where there is no VIDEO.")
        fps: str | None = options.option(None, "Frames a second (29.97, 30000/1001), where there is no VIDEO.")
        fov: float | None = options.option(None, "Horizontal field of view in degrees; without it, a guess.",
                                           min=1, max=175)
        camera: str = options.option("auto", "static, checked by the background; rotating, followed by it; auto, followed where the check "
                                 "says that it moves; or a file of poses.")
        camera_tilt: float | None = options.option(None, "Degrees the camera looks down (negative: up); unless told, found from where feet stand, or level.",
                                                   min=-90, max=90)
        foot_lock: str | None = options.option(None, "Pin feet that stand (auto), all that touch (always), only set feet on the ground "
                                               "(ground), or leave them (never); short for --set smoother.foot_lock.",
                                               choices=("auto", "always", "ground", "never"))
        dense: str | None = options.option(None, "Hold the body to its picture: densepose:DIR (IUV pictures or a dump of detectron2), or masks, the "
                                           "detector's own; short for --set smoother.dense.")
        overlay: bool = options.option(True, "Draw the body over the video.")
        report: bool = options.option(True, "Write report.html.")
        seed: int = options.option(0, "Seed of everything random.", min=0, max=2**32 - 1)
        device: str = options.option("auto", "Where networks run; auto takes CUDA where there is one.",
                                     choices=("auto", "cpu", "cuda"))


@dataclass(frozen=True)
class Settings:
    """A run, fully resolved: `values` is an instance of Run.Options, `stage_options` plain values by stage."""

    video: Path | None
    out: Path
    values: Any
    stage_options: dict[str, dict[str, Any]] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    overwrite: bool = False
    until: str = "export"

    @property
    def exporters(self) -> tuple[str, ...]:
        """Names of the exporters to run: bvh, then the others."""
        named = [n.strip() for n in self.values.export.split(",") if n.strip()]
        return tuple(dict.fromkeys(["bvh", *named]))


def user_file() -> Path | None:
    """Return the user's own settings file, where there is one: MRS_CONFIG, else config.yaml in the system's place for settings.

    An empty MRS_CONFIG means none.
    """
    named = os.environ.get("MRS_CONFIG")
    if named is not None:
        return Path(named) if named else None
    path = user_place()
    return path if path.is_file() else None


def user_place() -> Path:
    """Return where the user's settings file is looked for without MRS_CONFIG."""
    if os.environ.get("XDG_CONFIG_HOME"):
        return Path(os.environ["XDG_CONFIG_HOME"]) / "mrs" / "config.yaml"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "mrs" / "config.yaml"
    if sys.platform == "win32" and os.environ.get("APPDATA"):
        return Path(os.environ["APPDATA"]) / "mrs" / "config.yaml"
    return Path.home() / ".config" / "mrs" / "config.yaml"


@dataclass
class Merged:
    """What all sources say together, and which of them said it, by name or by `stage.option`."""

    values: dict[str, Any] = field(default_factory=dict)
    stage_options: dict[str, dict[str, Any]] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    origins: dict[str, str] = field(default_factory=dict)

    def add(self, values: dict[str, Any], stage_options: dict[str, dict[str, Any]], origin: str) -> None:
        """Lay a source over those before it; the options of a stage go where it names another plugin."""
        for stage in STAGE_NAMES:
            name = NAMED_AS.get(stage, stage)
            if name in values and self.values.get(name, values[name]) != values[name]:
                for option in self.stage_options.pop(stage, {}):
                    self.origins.pop(f"{stage}.{option}", None)
        self.values |= values
        self.origins |= dict.fromkeys(values, origin)
        for stage, given in stage_options.items():
            self.stage_options.setdefault(stage, {}).update(given)
            self.origins |= {f"{stage}.{option}": origin for option in given}


def merged(flags: dict[str, Any], config: Path | None = None, sets: tuple[str, ...] = (), plugins: tuple[str, ...] = ()) -> Merged:
    """Lay the user's file, the config file, the environment, flags (None is not given) and each --set over each other."""
    found = Merged()
    for path in (user_file(), config):
        if path:
            values, stage_options, named = read(path)
            found.add(values, stage_options, f"file {path}")
            found.plugins += named
    environment = {"device": os.environ["MRS_DEVICE"]} if os.environ.get("MRS_DEVICE") else {}
    found.add(checked(environment, "in MRS_DEVICE"), {}, "environment MRS_DEVICE")
    given = checked({name: value for name, value in flags.items() if value is not None}, "on the command line")
    for name, value in given.items():
        found.add({name: value}, {}, f"flag --{name.replace('_', '-')}")
    before = {stage: dict(given) for stage, given in found.stage_options.items()}
    place_options(found.stage_options, found.values, sets)
    _note_placed(found, before, sets)
    found.plugins += plugins
    return found


def _note_placed(found: Merged, before: dict[str, dict[str, Any]], sets: tuple[str, ...]) -> None:
    """Note where options of stages came from that short flags and --set placed."""
    by_set = {f"{stage}.{option}" for stage, option, _ in map(split_set, sets)}
    for stage, given in found.stage_options.items():
        for option, value in given.items():
            name = f"{stage}.{option}"
            if name in by_set:
                found.origins[name] = "flag --set"
            elif before.get(stage, {}).get(option, _NOTHING) != value:
                found.origins[name] = found.origins.get(option, "default")


_NOTHING = object()


def settings(video: Path | str | None, flags: dict[str, Any], *, out: Path | None = None, config: Path | None = None,
             sets: tuple[str, ...] = (), plugins: tuple[str, ...] = (), overwrite: bool = False,
             until: str = "export") -> Settings:
    """Merge flags (None is not given), the environment, the config file, the user's file and defaults."""
    found = merged(flags, config, sets, plugins)
    values = _values(found.values)
    _refuse_size_with_video(video, values)
    source = video or values.detector.partition(":")[2] or found.stage_options.get("detector", {}).get("source") or "run"
    return Settings(Path(video) if video else None, Path(out or f"{Path(source).stem}_mrs"), values, found.stage_options, found.plugins,
                    overwrite, until)


def _refuse_size_with_video(video: Path | str | None, values: Any) -> None:
    """Refuse what only a run without a video needs, and a run without a video that lacks it."""
    given = [f"--{name}" for name in ("size", "fps") if getattr(values, name) is not None]
    if video is not None and given:
        raise UsageError(f"Expected {' and '.join(given)} only without a VIDEO, which has its own, but got {video} too.")
    if video is None and len(given) < 2:
        raise UsageError("Expected a VIDEO, or --size and --fps with a detector that reads a file. Type: mrs run VIDEO, or "
                         "mrs run --detector openpose:DIR --size 1920x1080 --fps 29.97")


def place_options(stage_options: dict[str, dict[str, Any]], values: dict[str, Any], sets: tuple[str, ...]) -> None:
    """Put flags that are short for an option of a stage, and then each --set, among the options by stage, in place."""
    if values.get("foot_lock"):
        stage_options.setdefault("smoother", {})["foot_lock"] = values["foot_lock"]
    if values.get("dense"):
        stage_options.setdefault("smoother", {})["dense"] = values["dense"]
    for stage, name, value in map(split_set, sets):
        stage_options.setdefault(stage, {})[name] = value


def _values(merged: dict[str, Any]) -> Any:
    values = options.build(Run, merged, "run")
    if values.person not in PERSONS and not all(part.strip().isdigit() for part in values.person.split(",")):
        near = difflib.get_close_matches(values.person, PERSONS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UsageError(f"Expected --person to be {', '.join(PERSONS)} or ids such as 1,3, but got '{values.person}'.{hint}")
    if values.camera not in CAMERAS and not Path(values.camera).is_file():
        near = difflib.get_close_matches(values.camera, CAMERAS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UsageError(f"Expected --camera to be {', '.join(CAMERAS)} or a file of poses, but got '{values.camera}'.{hint}")
    return values


def split_set(text: str) -> tuple[str, str, str]:
    """Split ``stage.option=value``."""
    place, equals, value = text.partition("=")
    stage, dot, name = place.strip().partition(".")
    if not equals or not dot or not name:
        raise UsageError(f"Expected --set STAGE.OPTION=VALUE, but got '{text}'. "
                         "Type, for example: --set detector.score_threshold=0.3")
    return known_stage(stage), name, value


def known_stage(stage: str) -> str:
    """Return a stage's full name, or refuse with the nearest one."""
    stage = ALIASES.get(stage, stage)
    if stage not in STAGE_NAMES:
        raise UsageError(options.unknown(f"stage '{stage}' in --set", stage, STAGE_NAMES))
    return stage


def read(path: Path) -> tuple[dict[str, Any], dict[str, dict], tuple[str, ...]]:
    """Read a YAML file: keys named like flags, and a mapping for the options of a stage.

    Returns checked values by flag, options by stage, and plugins. A plugin's path may be relative to the file.
    """
    path = Path(path)
    values: dict[str, Any] = {}
    stage_options: dict[str, dict[str, Any]] = {}
    plugins: tuple[str, ...] = ()
    for key, value in _load_yaml(path).items():
        key = str(key).replace("-", "_")
        if key in ("plugin", "plugins"):
            plugins = tuple(str(path.parent / p) if (path.parent / str(p)).is_file() else str(p) for p in _listed(value))
        elif isinstance(value, dict):
            stage, rest = _stage_key(key, path), {str(k): v for k, v in value.items()}
            named = rest.pop("name", None)
            if isinstance(rest.get("source"), str):
                rest["source"] = _beside(path, rest["source"])
            if named is not None:
                named = _beside_named(path, named)
                values["synth" if stage == "synthesizer" else "export" if stage == "exporter" else stage] = named
            stage_options[stage] = rest
        else:
            values[key] = ",".join(map(str, value)) if key == "export" and isinstance(value, list) else _beside_named(path, value)
            if key == "camera" and (path.parent / str(value)).is_file():
                values[key] = str(path.parent / str(value))
    return checked(values, f"in {path}"), stage_options, plugins


def _beside(path: Path, source: str) -> str:
    """Return a source's path, which may be relative to the config file."""
    beside = path.parent / source
    return str(beside) if beside.exists() else source


def _beside_named(path: Path, value: Any) -> Any:
    """Do the same with NAME:SOURCE."""
    if not isinstance(value, str) or not value.partition(":")[2]:
        return value
    name, _, source = value.partition(":")
    return f"{name}:{_beside(path, source)}"


def checked(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Refuse unknown names and bad values; `where` says where they stand."""
    cls = options.options_class(Run)
    known = [f.name for f in dataclasses.fields(cls)]
    for key in values:
        if key not in known:
            raise UsageError(options.unknown(f"key '{key}' {where}", key, [*known, "plugin", "renderer", "exporter"]))
    try:
        built = options.build(Run, values, "run")
    except UsageError as error:
        raise UsageError(str(error).replace("Expected run.", f"Expected, {where}, ", 1)) from None
    return {key: getattr(built, key) for key in values}


def _stage_key(key: str, path: Path) -> str:
    stage = ALIASES.get(key, key)
    if stage not in STAGE_NAMES:
        raise UsageError(options.unknown(f"stage '{key}' in {path}", key, STAGE_NAMES))
    return stage


def _listed(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def _load_yaml(path: Path) -> dict:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"Expected a YAML file at {path}, but there is none. Check --config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Expected a YAML file at {path}, but it can't be read: {error}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(f"Expected YAML in {path}, but it can't be read{line}: {reason}.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"Expected 'key: value' lines in {path}, but got {type(content).__name__}.")
    return content
