"""`mrs render`: one person drawn in a motion."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from mrs.cli.completion import plugin_names

PATH = click.Path(path_type=Path)


@click.command("render")
@click.argument("motion", type=PATH)
@click.option("-a", "--appearance", type=PATH, metavar="RUN|VIDEO|IMAGE", help="Whose looks: a run folder; a video or picture, which is "
              "run first unless its NAME_mrs is there. [default: the run that MOTION lies in, else a plain body]")
@click.option("-o", "--out", type=PATH, help="Video to write: .mp4, .m4v or .mov. [default: MOTION's name with .mp4]")
@click.option("--renderer", default="mesh", show_default=True, help="Renderer plugin: mesh, pyrender, stick, shape-pose.",
              shell_complete=plugin_names("renderer"))
@click.option("--camera", type=click.Choice(("clip", "orbit", "follow", "side")), help="The clip's own camera, around the person, along "
              "with them, or still at their side. [default: clip where there is one, else follow]")
@click.option("--size", metavar="WIDTHxHEIGHT", help="Size of the picture. [default: the clip's with --camera clip, up to 720p; else 1280x720]")
@click.option("--fps", help="Frames a second. [default: the motion's own, up to 60]")
@click.option("--person", help="Whose looks, of several: largest, longest, center or an id. [default: MOTION's own, else largest]")
@click.option("--body", type=click.Choice(("person", "motion")), default="person", show_default=True, help="Whose shape the body has: the "
              "person's of the appearance, or the motion's.")
@click.option("--personalise", metavar="SECONDS", help="Train the renderer on the clip first, for so long (120s); shape-pose alone does.")
@click.option("--set", "sets", multiple=True, metavar="renderer.OPTION=VALUE", help="Option of the renderer (repeatable).")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
@click.option("--seed", default=0, show_default=True, type=int, help="Seed of everything random.")
@click.option("--device", type=click.Choice(("auto", "cpu", "cuda")), default="auto", show_default=True, help="Where networks run.")
@click.option("--overwrite", is_flag=True, help="Write over what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(motion, appearance, out, renderer, camera, size, fps, person, body, personalise, sets, plugins, seed, device, overwrite,
            as_json, quiet):
    """Draw a person, as they look in a clip, in MOTION.

    MOTION is a motion of any kind (npz of mrs or AMASS, BVH, DeepMimic, a run folder of one person). The looks are gathered from
    the clip once and kept as appearance.npz in its run folder.
    """
    from mrs.cli.export import refuse_existing
    from mrs.cli.run import begin
    from mrs.plan import resolve_device
    from mrs.reading import read_motion
    from mrs.render import film as films
    from mrs.video_write import check_suffix

    out = out or motion.with_suffix(".mp4")
    if not out.is_dir():
        check_suffix(out)
    refuse_existing(out, overwrite)
    rate_hz, size_px, values = _rate(fps), _size(size), _values(sets)
    shown, registry = begin(plugins, quiet, 0)
    values |= _personalised(registry, renderer, personalise)
    drawing = films.renderer_of(registry, renderer, values, seed=seed, device=resolve_device(device))
    with shown:
        looks = _looks(appearance, motion, person, registry, shown)
        source = read_motion(_of_several(motion, looks), registry)
        view, size_px = _view(camera, source, looks, size_px)
        film = films.Film(source, looks, view, size_px, rate_hz, body == "person")
        spent_s = _write(film, drawing, out, shown)
    _tell(film, out, spent_s, as_json, quiet)


def _rate(fps: str | None) -> float | None:
    from mrs.video_free import read_rate

    return None if fps is None else float(read_rate(fps))


def _size(size: str | None) -> tuple[int, int] | None:
    from mrs.errors import UsageError
    from mrs.video_free import read_size

    if size is None:
        return None
    size_px = read_size(size)
    if min(size_px) < 16 or max(size_px) > 8192:
        raise UsageError(f"Expected --size between 16x16 and 8192x8192, but got '{size}'.")
    return size_px


def _values(sets: tuple[str, ...]) -> dict[str, str]:
    """Split renderer.OPTION=VALUE; the stage may be left out."""
    from mrs.errors import UsageError

    values = {}
    for text in sets:
        key, equals, value = text.partition("=")
        key = key.strip().removeprefix("renderer.")
        if not equals or not key or "." in key:
            raise UsageError(f"Expected --set renderer.OPTION=VALUE, but got '{text}'. Type, for example: --set renderer.shadow=0")
        values[key] = value
    return values


def _personalised(registry, name: str, seconds: str | None) -> dict[str, float]:
    """The renderer's option of how long it is trained on the clip."""
    from mrs import options
    from mrs.errors import UsageError

    if seconds is None:
        return {}
    if "personalise_s" not in {info.name for info in options.describe(registry.get("renderer", name).cls)}:
        raise UsageError(f"Expected a renderer that is trained on the clip with --personalise, but '{name}' is not. Type: --renderer shape-pose")
    try:
        number = float(seconds.strip().removesuffix("s"))
        if not 0 <= number <= 86400:
            raise ValueError
    except ValueError:
        raise UsageError(f"Expected --personalise SECONDS, such as 120s, but got '{seconds}'.") from None
    return {"personalise_s": number}


def _looks(path: Path | None, motion: Path, person: str | None, registry, shown):
    """The appearance that is asked for: of the named clip, of the run that the motion lies in, or plain."""
    from mrs.render import film as films
    from mrs.render.appearance import Appearance
    from mrs.render.clip import Clip

    own_run, own_person = _home(motion)
    if path is None and own_run is None:
        return Appearance.plain()
    run = own_run if path is None else films.run_of(path, registry, shown)
    if person is None and own_person is not None and own_run is not None and own_run.resolve() == run.resolve():
        person = own_person
    clip = Clip.of_run(run, person or "largest")
    with shown.step("appearance", None, "pictures") as update:
        return films.appearance_of(clip, update)


def _home(motion: Path) -> tuple[Path | None, str | None]:
    """The run folder that a motion's path lies in, and the person's id there."""
    if motion.is_dir() and (motion / "run.json").is_file():
        return motion, None
    for folder in motion.resolve().parents:
        if folder.parent.name == "persons" and (folder.parent.parent / "run.json").is_file():
            return folder.parent.parent, folder.name if folder.name.isdigit() else None
    return None, None


def _of_several(motion: Path, looks) -> Path:
    """The file of a motion: of a run folder, the motion of the person whose looks they are."""
    if motion.is_dir() and looks.clip is not None and looks.clip.folder.resolve().is_relative_to(motion.resolve()):
        return looks.clip.folder / "motion.npz"
    return motion


def _view(camera: str | None, motion, looks, size_px):
    """The view and the size of the picture."""
    from mrs.render import film as films
    from mrs.render import views

    view = camera or ("clip" if views.has_camera(motion, looks) else "follow")
    if size_px is None and view == "clip" and views.has_camera(motion, looks):
        size_px = films.fitting((motion.camera or looks.camera).size_px)
    return view, size_px or films.SIZE_PX


def _write(film, drawing, out: Path, shown) -> float:
    """Write the video; return the seconds it took."""
    from mrs.errors import InputError
    from mrs.video_write import write_video

    if out.is_dir() or not out.parent.is_dir():
        raise InputError(f"Expected a video to write in a folder that is there, but got {out}. Choose another with -o.")
    start = time.monotonic()
    with shown.step("renderer", len(film.times_s)) as update:
        drawing.progress = update
        write_video(out, _counted(film.pictures(drawing), update), film.times_s, film.size_px)
    return time.monotonic() - start


def _counted(pictures, update):
    for done, picture in enumerate(pictures, 1):
        yield picture
        update(done)


def _tell(film, out: Path, spent_s: float, as_json: bool, quiet: bool) -> None:
    frames = len(film.times_s)
    if as_json:
        told: dict[str, Any] = {"outputs": [str(out)], "frames": frames, "seconds": round(spent_s, 3),
                                "frames_per_s": round(frames / max(spent_s, 1e-9), 2), "size_px": list(film.size_px), "notes": film.notes}
        click.echo(json.dumps(told, indent=1))
        return
    if not quiet:
        for note in film.notes:
            click.echo(f"Note: {note}", err=True)
    click.echo(out)
