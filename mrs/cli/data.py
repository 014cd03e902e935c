"""`mrs data`: make a corpus of motions that `mrs train bds` learns from."""

from __future__ import annotations

import json
from pathlib import Path

import click

PATH = click.Path(path_type=Path)
SUFFIXES = {"bvh": (".bvh",), "deepmimic": (".txt", ".json"), "amass": (".npz",), "runs": (".npz",), "any": (".bvh", ".txt", ".json", ".npz")}


@click.group("data")
def command():
    """Make a corpus from files of motion, with labels and splits."""


def _kind(kind: str, text: str):
    """One command for one kind of file."""

    @command.command(kind, help=text)
    @click.argument("folders", nargs=-1, required=True, type=PATH, metavar="DIR...")
    @click.option("-o", "--out", type=PATH, required=True, metavar="CORPUS", help="Folder to write the corpus to.")
    @click.option("--labels", type=PATH, help="JSON file that gives labels by file name without suffix.")
    @click.option("--plugin", "plugins", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
    @click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
    def make(folders, out, labels, plugins, as_json):
        from mrs import plugins as manager
        from mrs.reading import read_motion
        from mrs.synth import corpus

        registry = manager.load(plugins)
        files = corpus.sources(folders, SUFFIXES[kind], _labels(labels))
        files = [f for f in files if kind != "runs" or f.path.name == "motion.npz"]
        files = [f for f in files if f.path.name != corpus.INDEX]
        built = corpus.build(files, out, lambda path: read_motion(path, registry), lambda line: click.echo(line, err=True))
        rows = _table(built)
        click.echo(json.dumps(rows, indent=1) if as_json else _text(rows))

    return make


def _labels(path: Path | None) -> dict[str, str] | None:
    from mrs.errors import InputError

    if path is None:
        return None
    try:
        found = json.loads(path.read_text())
        return {str(name): str(label) for name, label in found.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"Expected a JSON object of labels by name in {path}, but it can't be read: {error}.") from None


def _table(built) -> list[dict]:
    from mrs.synth.features import RATE_HZ

    rows = []
    for label in built.labels:
        clips = [c for c in built.clips if c.label == label]
        seconds = {split: sum(c.frames for c in clips if c.split == split) / RATE_HZ for split in ("train", "test")}
        rows.append({"label": label, "clips": len(clips), "train_s": round(seconds["train"], 1), "test_s": round(seconds["test"], 1)})
    return rows


def _text(rows: list[dict]) -> str:
    width = max(len(r["label"]) for r in rows)
    lines = [f"{'label':{width}}  clips  train s  test s"]
    lines += [f"{r['label']:{width}}  {r['clips']:5d}  {r['train_s']:7.1f}  {r['test_s']:6.1f}" for r in rows]
    return "\n".join(lines)


bvh = _kind("bvh", "Make a corpus from BVH files.\n\nLabels come from DIR/index.json, --labels, the folder below DIR, or the file's name. "
            "Clips that the index calls test are held out, and of every label its last takes up to 18 % of its time.")
deepmimic = _kind("deepmimic", "Make a corpus from DeepMimic files (.txt, .json).")
amass = _kind("amass", "Make a corpus from AMASS files (.npz); the folder below DIR is the label.")
runs = _kind("runs", "Make a corpus from run folders of mrs: every persons/*/motion.npz.")
any_ = _kind("any", "Make one corpus from folders of any of these kinds.")
