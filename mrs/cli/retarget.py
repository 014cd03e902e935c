"""`mrs retarget`: carry a motion over to another skeleton."""

from __future__ import annotations

import json
from pathlib import Path

import click

MODELS = (".xml", ".mjcf", ".urdf")
STATES = (".npz", ".csv")


@click.command("retarget")
@click.argument("motion", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), metavar="SKELETON.bvh|MODEL.xml",
              help="A BVH file whose skeleton is meant, or a humanoid or robot in MuJoCo's MJCF (or URDF).")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write: .bvh for a BVH skeleton, .npz or .csv for a model. "
              "Of several people each gets one: walk_01.npz for walk.npz. [default: MOTION_SKELETON beside MOTION]")
@click.option("--person", default="all", show_default=True, help="Of a run folder, whom: largest, longest, center, all, or ids such as 1,3.")
@click.option("--map", "maps", multiple=True, metavar="BODY=JOINT", help="A body of the model is this joint of ours (repeatable).")
@click.option("--feet", type=click.Choice(("auto", "hold", "follow")), default="auto", show_default=True,
              help="Feet that touch stand where they are (hold), or go wherever MOTION's feet go, slides and all (follow); "
              "auto follows where the skeleton has the proportions of MOTION's own legs.")
@click.option("--json", "as_json", is_flag=True, help="Print the errors of each joint as JSON.")
@click.option("--overwrite", "--force", "overwrite", is_flag=True, help="Replace what is there.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("--plugin", "extra", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
def command(motion: Path, target: Path, out: Path | None, person: str, maps: tuple[str, ...], feet: str, as_json: bool,
            overwrite: bool, quiet: bool, extra: tuple[str, ...]):
    """Let another skeleton do MOTION: BVH, or a humanoid or robot in MJCF.

    MOTION is a motion file or a run folder (all its people are carried over). Limbs keep their directions, standing feet stay where they
    are. Prints what was written, and how far each joint is from where it should be. A model's file holds qpos and qvel (MuJoCo's order,
    world Z up, quaternions w x y z), the rate and the names of the joints.
    """
    from mrs import plugins
    from mrs.cli.export import motion_files, refuse_existing
    from mrs.reading import read_motion

    suffix, registry = _suffix(target), plugins.load(extra)
    files = motion_files(motion, person)
    jobs = [(path, _out(path, number, target, out, suffix, len(files) > 1)) for number, path in files]
    for _, where in jobs:
        _refuse_suffix(where, target, suffix)
        refuse_existing(where, overwrite)
    written = []
    for path, where in jobs:
        facts = (_to_bvh if suffix == ".bvh" else _to_model)(read_motion(path, registry), target, where, overwrite, maps, feet, quiet)
        written.append({"written": str(where), **facts})
        if not as_json:
            _tell(where, facts)
    if as_json:
        click.echo(json.dumps(written if len(written) > 1 else written[0], indent=1))


def _out(path: Path, number: int | None, target: Path, out: Path | None, suffix: str, many: bool) -> Path:
    """Where one person's motion goes: beside it, or what -o names, with the person's number where there are several."""
    if out is None:
        return path.with_name(f"{path.stem}_{target.stem}{suffix}")
    out = out if out.suffix else out.with_name(out.name + suffix)
    return out.with_name(f"{out.stem}_{number:02d}{out.suffix}") if many and number is not None else out


def _tell(out: Path, facts: dict) -> None:
    click.echo(out)
    click.echo(f"Scale {facts['scale']:.3f}; feet {facts['feet']}; standing feet slide {facts['slide_cm_s']:.2f} cm/s; errors in mm, mean and largest:", err=True)
    for joint, error in facts["error_mm"].items():
        click.echo(f"  {joint:<15} {error['mean']:7.1f} {error['largest']:7.1f}", err=True)


def _suffix(target: Path) -> str:
    from mrs.errors import UsageError

    if target.suffix.lower() == ".bvh":
        return ".bvh"
    if target.suffix.lower() in MODELS:
        return ".npz"
    raise UsageError(f"Expected --to SKELETON.bvh or MODEL.xml, but got {target}.")


def _refuse_suffix(out: Path, target: Path, suffix: str) -> None:
    from mrs.errors import UsageError

    allowed = (".bvh",) if suffix == ".bvh" else STATES
    if out.suffix.lower() not in allowed:
        raise UsageError(f"Expected -o that ends in {' or '.join(allowed)} for {target.name}, but got {out}.")


def _to_bvh(motion, target: Path, out: Path, overwrite: bool, maps: tuple[str, ...], feet: str, quiet: bool) -> dict:
    from mrs.cli.export import replacing
    from mrs.errors import UsageError
    from mrs.formats import bvh
    from mrs.physics import bvh_target

    if maps:
        raise UsageError("Expected no --map with a BVH skeleton, whose joints are found by the names of known dialects.")
    found = bvh_target.retarget(motion, bvh.read(target), str(target), feet)
    with replacing(out, overwrite, folder=False) as temporary:
        bvh.write(temporary, found.document)
    for note in found.notes:
        click.echo(f"Note: {note}", err=True)
    return _facts(found)


def _to_model(motion, target: Path, out: Path, overwrite: bool, maps: tuple[str, ...], feet: str, quiet: bool) -> dict:
    import numpy as np

    from mrs import npz, progress
    from mrs.cli.export import replacing
    from mrs.errors import UsageError
    from mrs.motion import mean_rate
    from mrs.physics import robot

    given = {}
    for text in maps:
        body, equals, joint = text.partition("=")
        if not equals:
            raise UsageError(f"Expected --map BODY=JOINT, but got '{text}'.")
        given[body] = joint
    shown = progress.choose(quiet)
    with shown, shown.step("retarget", len(motion), "frames") as update:
        found = robot.retarget(motion, target, given, update, feet)
    fps = mean_rate(found.times_s)
    with replacing(out, overwrite, folder=False) as temporary:
        if out.suffix.lower() == ".csv":
            _write_csv(temporary, found)
        else:
            npz.save(temporary, "retargeted", {"qpos": found.qpos, "qvel": found.qvel, "times_s": found.times_s, "fps": np.array(fps)},
                     {"joint_names": found.joint_names, "bodies": found.bodies, "model": target.name, "quaternions": "wxyz", "up": "z"})
    return {**_facts(found), "bodies": found.bodies, "fps": fps}


def _write_csv(path: Path, found) -> None:
    """A header, then a row a frame: time, root place, root quaternion w x y z, then the joints' values in the model's order."""
    import numpy as np

    rest = found.qpos.shape[1] - 7
    names = [f"q{k}" for k in range(rest)] if rest != len(found.joint_names) - 1 else found.joint_names[1:]
    header = ",".join(["time_s", "root_x_m", "root_y_m", "root_z_m", "root_qw", "root_qx", "root_qy", "root_qz", *names])
    np.savetxt(path, np.column_stack([found.times_s - found.times_s[0], found.qpos]), delimiter=",", header=header, comments="", fmt="%.9g")


def _facts(found) -> dict:
    errors = {joint: {"mean": float(values.mean()), "largest": float(values.max())} for joint, values in found.error_mm.items()}
    return {"scale": float(found.scale), "feet": found.feet, "slide_cm_s": float(found.slide_cm_s), "error_mm": errors}
