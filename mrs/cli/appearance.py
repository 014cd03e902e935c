"""What `mrs train`, `mrs data` and `mrs eval` do about the shape-and-posture network."""

from __future__ import annotations

import json
from pathlib import Path

import click

PATH = click.Path(path_type=Path)
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)


@click.command("shape-pose")
@click.option("--data", multiple=True, metavar="KIND:PATH", help="people:POSES.npz, video:RUN (repeatable), deepfashion:DIR, market:DIR, h36m:DIR.")
@click.option("--config", metavar="NAME|FILE", help="Packaged recipe by name, such as deepfashion-2021, or a YAML file.  [default: the data's own]")
@click.option("--out", type=PATH, default=Path("shape_pose_run"), show_default=True, help="Folder of the training.")
@click.option("--resume", is_flag=True, help="Go on where the training in --out stopped, exactly.")
@click.option("--start", metavar="shipped|none|PATH", help="Weights to begin with.  [default: shipped for video:, else none]")
@click.option("--iterations", type=click.IntRange(1), help="Iterations.")
@click.option("--minutes", type=click.FloatRange(0.001), help="Train for so long; the learning rate follows the clock.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="A number of the recipe (repeatable).")
@click.option("--vgg", metavar="vgg19|FILE", help="torchvision's vgg19-dcbb9e9d.pth, for the published perceptual loss; vgg19 after mrs models get "
              "vgg19.  [default: patch statistics]")
@click.option("--person", default="largest", show_default=True, help="Whose pictures, in video: largest, longest, center or an id.")
@click.option("--seed", type=click.IntRange(0), help="Seed of everything random.")
@DEVICE
@click.option("--quiet", is_flag=True, help="Show no progress.")
def train(data, config, out, resume, start, iterations, minutes, sets, vgg, person, seed, device, quiet):
    """Train the network that draws a person from a stick figure and their looks.

    Writes OUT/weights.safetensors, which `mrs render --renderer shape-pose --set renderer.weights=OUT` and `mrs eval shape-pose
    --weights OUT` take, OUT/sheet.png with held-out pictures, and OUT/log.jsonl.
    """
    from mrs import progress
    from mrs.appearance import session, sources
    from mrs.errors import UsageError
    from mrs.plan import resolve_device

    if resume and (data or config or start or iterations or minutes or sets or vgg or seed is not None):
        raise UsageError("Expected no data and no recipe with --resume, which takes those of --out, but got some.")
    made, first = None, None
    if not resume:
        kind, _ = sources.split(data)
        values = _values(sets) | {"iterations": iterations, "vgg": _fetched(vgg, "--vgg"), "seed": seed}
        first = _start(start, kind)
        made = _recipe(config or kind, first, values)
    shown = progress.choose(quiet)
    with shown:
        path = session.session(data, out, made, start=first, minutes=minutes, person=person, device=resolve_device(device), shown=shown)
    click.echo(path)


def _fetched(name_or_path: str | None, option: str) -> str | None:
    """The path of foreign weights that are given by path, or by the name that they were fetched under."""
    from mrs.model_cache import resolve

    return None if name_or_path is None else str(resolve(name_or_path, f"{option} FILE"))


def _values(sets) -> dict:
    from mrs.errors import UsageError

    pairs = [text.partition("=") for text in sets]
    if not all(equals for _, equals, _ in pairs):
        raise UsageError(f"Expected --set NAME=VALUE, but got '{next(name for name, equals, _ in pairs if not equals)}'.")
    return {name.strip(): value for name, _, value in pairs}


def _start(start: str | None, kind: str) -> str | None:
    """The path of the weights to begin with."""
    from mrs.appearance.weights import ASSET
    from mrs.data import asset_path

    start = start or ("shipped" if kind == "video" else "none")
    if start == "none":
        return None
    return str(asset_path(ASSET)) if start == "shipped" else start


def _recipe(config: str, first: str | None, values: dict):
    """The recipe; the sizes of a network to begin with are its own."""
    from mrs.appearance import recipe, weights

    made = recipe.read(config, **values)
    if first is None:
        return made
    own = weights.load(first).facts["recipe"]
    sizes = {name: own[name] for name in ("size_px", "channels", "looks", "parts_px", "blocks", "encoder_blocks", "alpha", "stick_px", "five_points")}
    return recipe.read(config, **{**values, **sizes})


def _archive(kind: str, what: str):
    """One command for the archive of one data set."""

    @click.command(kind, help=f"Check {what} in DIR and index it.\n\nDIR holds index.p and the pictures it lists. Writes OUT/pictures.npz, which "
                   f"`mrs train shape-pose --data {kind}:OUT` takes.")
    @click.argument("folder", type=PATH, metavar="DIR")
    @click.option("-o", "--out", type=PATH, help="Folder of the index.  [default: DIR]")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    def check(folder, out, as_json):
        from mrs.appearance import archives

        index, counts = archives.read(folder, kind)
        path = archives.save(index, out or folder)
        if as_json:
            click.echo(json.dumps({"index": str(path), **counts}, indent=1))
            return
        for name, value in counts.items():
            click.echo(f"{name:14}{value:8d}")
        click.echo(path)

    return check


deepfashion = _archive("deepfashion", "the VUNet archive of DeepFashion")
market = _archive("market", "the VUNet archive of Market-1501")


@click.command("poses")
@click.argument("corpora", nargs=-1, required=True, type=PATH, metavar="CORPUS...")
@click.option("-o", "--out", type=PATH, required=True, metavar="POSES.npz", help="File to write.")
@click.option("--step", default=2, show_default=True, type=click.IntRange(1), help="Take every so manieth pose.")
def poses(corpora, out, step):
    """Pack the poses of corpora for `mrs train shape-pose --data people:POSES.npz`."""
    from mrs.appearance import people
    from mrs.synth import corpus

    count = people.pack_poses([corpus.load(folder) for folder in corpora], out, step)
    click.echo(f"{count} poses")
    click.echo(out)


@click.command("shape-pose")
@click.option("--data", multiple=True, metavar="KIND:PATH", help="As in mrs train shape-pose; of video: one run.")
@click.option("--weights", metavar="PATH", help="Folder of a training or a .safetensors file.  [default: those that ship]")
@click.option("--personalise", metavar="SECONDS", default="0", show_default=True, help="With video:, train on the frames that aren't held out first.")
@click.option("--count", default=256, show_default=True, type=click.IntRange(2), help="How many held-out pictures are drawn, but with video:.")
@click.option("--probe", default=512, show_default=True, type=click.IntRange(0), help="Pictures for the posture probe; 0 for none.")
@click.option("--rivals", default="mesh", show_default=True, metavar="NAMES", help="With video:, renderers to compare with; none for none.")
@click.option("--person", default="largest", show_default=True, help="With video: largest, longest, center or an id.")
@click.option("--lpips-alexnet", metavar="alexnet|FILE", help="torchvision's alexnet-owt-7be5be79.pth, for LPIPS.")
@click.option("--lpips-linear", metavar="lpips-alex|FILE", help="alex.pth of the package lpips (its v0.1), for LPIPS.")
@click.option("--inception", metavar="inception-fid|FILE", help="inception-2015-12-05.pt (TorchScript), for FID by clean-fid's convention; a stand-in without.")
@click.option("--sheet", type=PATH, help="PNG of held-out pictures to write, with video:.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of everything random.")
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(data, weights, personalise, count, probe, rivals, person, lpips_alexnet, lpips_linear, inception, sheet, seed, device, as_json):
    """Measure drawn pictures of held-out frames or people against the true ones.

    Beside the network: copying the picture of the looks, the mean picture and, with video:, the nearest frame that was learnt from and
    other renderers; and how much of the posture can be read out of the appearance code (posture probe: R^2, lower is better).
    Weights of others are files, or the names under which mrs models get fetched them.
    """
    from mrs.appearance import recipe, report, sources
    from mrs.appearance import weights as files
    from mrs.appearance.personalise import recipe_of
    from mrs.errors import UsageError
    from mrs.plan import resolve_device

    kind, paths = sources.split(data)
    device, seconds = resolve_device(device), _seconds(personalise)
    if (lpips_alexnet is None) != (lpips_linear is None):
        raise UsageError("Expected both --lpips-alexnet and --lpips-linear, but got one.")
    make = report.judge(*(_fetched(given, option) for given, option in ((lpips_alexnet, "--lpips-alexnet"), (lpips_linear, "--lpips-linear"),
                                                                       (inception, "--inception"))), device)
    own = files.load(weights)
    if kind == "video":
        names = [] if rivals == "none" else rivals.split(",")
        found = report.of_clip(Path(paths[0]), person, own, seconds, make, names, device=device, seed=seed, sheet=sheet)
    else:
        made = recipe.make({**recipe_of(own).__dict__, "seed": seed})
        found = report.of_pictures(sources.open_sources(data, made, device=device), own, count, probe, make, device)
    click.echo(json.dumps(found, indent=1) if as_json else report.text(found))


def _seconds(text: str) -> float:
    from mrs.errors import UsageError

    try:
        number = float(text.strip().removesuffix("s"))
        if not 0 <= number <= 86400:
            raise ValueError
    except ValueError:
        raise UsageError(f"Expected --personalise SECONDS, such as 120s, but got '{text}'.") from None
    return number
