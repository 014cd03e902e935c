"""`mrs train`: learn behaviour, or to lift, from a corpus, or looks from pictures."""

from __future__ import annotations

from pathlib import Path

import click

from mrs.cli import appearance

PATH = click.Path(path_type=Path)


@click.group("train")
def command():
    """Train a model."""


@command.command("bds")
@click.option("--data", "corpora", multiple=True, type=PATH, metavar="CORPUS", help="Corpus made by mrs data (repeatable).")
@click.option("--config", type=PATH, help="YAML file with names of the recipe, such as iterations: 8000.")
@click.option("--out", type=PATH, default=Path("bds_run"), show_default=True, help="Folder of the training.")
@click.option("--resume", is_flag=True, help="Go on where the training in --out stopped, exactly.")
@click.option("--flow", "flow_only", is_flag=True, help="Train the flow only, anew, on the trained cVAE in --out.")
@click.option("--from", "begin", type=PATH, metavar="RUN", help="Begin with the networks of a finished training, and tune them.")
@click.option("--iterations", type=click.IntRange(1), help="Iterations of the cVAE.")
@click.option("--seed", type=click.IntRange(0), help="Seed of everything random.")
@click.option("--model", default="bds", show_default=True, type=click.Choice(["bds", "bds-2021", "cvae", "cae", "mt-vae"]),
              help="Or a baseline to compare with: the published net, a plain CVAE, a conditional autoencoder, MT-VAE.")
@click.option("--hidden", type=click.IntRange(8), help="Width of a baseline.  [default: 192]")
@click.option("--seconds", type=click.FloatRange(1), help="Train a baseline's first stage for about so long instead of --iterations.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def bds(corpora, config, out, resume, flow_only, begin, iterations, seed, model, hidden, seconds, device, quiet):
    """Train behaviour transfer: the cVAE, then the flow on its frozen code.

    Writes OUT/weights.npz, which `mrs transfer --weights OUT` and `mrs eval bds OUT` take. Numbers go to OUT/log.jsonl,
    and to TensorBoard where it is installed (pip install 'mrs[tensorboard]').
    """
    from mrs import progress
    from mrs.errors import UsageError
    from mrs.plan import resolve_device
    from mrs.synth import corpus, recipe, session

    if not corpora:
        raise UsageError("Expected --data CORPUS, but there is none. Make one: mrs data bvh FOLDER -o CORPUS")
    if (resume or flow_only) and (config or begin or iterations or seed is not None):
        raise UsageError("Expected no recipe with --resume or --flow, which take the one in --out, but got one.")
    if model != "bds":
        if resume or flow_only or config or begin:
            raise UsageError(f"Expected no --resume, --flow, --from or --config with --model {model}, but got one.")
        click.echo(_rival(corpora, out, quiet, seconds, kind=model, hidden=hidden, iterations=iterations, seed=seed))
        return
    if hidden or seconds:
        raise UsageError("Expected --hidden and --seconds with a baseline only, but the model is bds. Its sizes are in --config.")
    made = recipe.read(config, iterations=iterations, seed=seed)
    shown = progress.choose(quiet)
    with shown:
        path = session.session([corpus.load(c) for c in corpora], out, made, resume=resume, flow_only=flow_only, begin=begin,
                               device=resolve_device(device), shown=shown, facts={"data": [c.name for c in corpora]})
    click.echo(path)


def _rival(corpora, out: Path, quiet: bool, seconds: float | None, **given) -> Path:
    """Train a baseline; return the path of its weights."""
    import json

    from mrs import progress
    from mrs.errors import UsageError
    from mrs.synth import corpus, rivals, windows

    if (out / rivals.FILE).is_file():
        raise UsageError(f"Expected a new folder, but {out} holds weights. Choose another --out.")
    settings = rivals.Settings(**{name: value for name, value in given.items() if value is not None})
    out.mkdir(parents=True, exist_ok=True)
    shown = progress.choose(quiet)
    with shown, open(out / "log.jsonl", "w", encoding="utf-8", buffering=1) as log:
        with shown.step("windows", None):
            data = windows.build([corpus.load(c) for c in corpora], out / "cache")
        with shown.step(settings.kind, None):
            return rivals.train(settings, data, out, lambda numbers: log.write(json.dumps(numbers) + "\n"), seconds)


@command.command("hmr")
@click.option("--data", "corpora", multiple=True, type=PATH, metavar="CORPUS", help="Corpus made by mrs data, or one packed file (repeatable).")
@click.option("--bank", type=PATH, metavar="FILE", help="Sights of the real detector, made by tools/lifter_bank.py.")
@click.option("--out", type=PATH, default=Path("hmr_run"), show_default=True, help="Folder of the training.")
@click.option("--resume", is_flag=True, help="Go on where the training in --out stopped, exactly.")
@click.option("--start", type=PATH, metavar="FILE", help="Begin with the weights of another training, or with the shipped ones (mrs/data/models/hmr.safetensors).")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Stop after so long; the learning rate falls to then.")
@click.option("--steps", type=click.IntRange(1), help="Stop after so many steps instead.  [default: 20000]")
@click.option("--batch", type=click.IntRange(1), help="Windows a step.  [default: 256 on CUDA, 16 on the CPU]")
@click.option("--seed", type=click.IntRange(0), help="Seed of everything random.  [default: 0]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def hmr(corpora, bank, out, resume, start, minutes, steps, batch, seed, device, quiet):
    """Train the lifter hmr on films made of motion capture.

    Writes OUT/weights.safetensors, which --set lifter.weights=OUT/weights.safetensors takes; numbers, with the error on held-out
    clips, go to OUT/log.jsonl.
    """
    from mrs import progress
    from mrs.errors import UsageError
    from mrs.lifting import train, weights
    from mrs.plan import resolve_device

    if not corpora:
        raise UsageError("Expected --data CORPUS, but there is none. Make one: mrs data any FOLDER -o CORPUS")
    if resume and any(v is not None for v in (start, minutes, steps, batch, seed)):
        raise UsageError("Expected no recipe with --resume, which takes the one in --out, but got one.")
    if minutes and steps:
        raise UsageError("Expected either --steps or --minutes, which say when to stop, but got both.")
    device = resolve_device(device)
    batch = batch or (256 if device == "cuda" else 16)
    recipe = train.Recipe(batch=batch, reel=8 * batch, minutes=minutes or 0.0, steps=0 if minutes else steps or 20000, seed=seed or 0)
    shown = progress.choose(quiet)
    with shown, shown.step("hmr", None, "steps") as update:
        path = train.session(corpora, out, recipe, device=device, bank=bank, resume=resume, start=start,
                             tell=lambda numbers: update(numbers["step"]))
    net, told = weights.of_checkpoint(path)
    weights.save(out / "weights.safetensors", net, told)
    click.echo(out / "weights.safetensors")


command.add_command(appearance.train)
