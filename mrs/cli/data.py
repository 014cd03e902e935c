"""`mrs data`: make a corpus of motions that `mrs train bds` learns from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mrs.cli import appearance

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


@command.group("h36m")
def h36m():
    """Prepare Human3.6M, for those who have it: extract, then process, then annotate."""


def _h36m_kind(name: str, text: str, tell):
    """One step; `tell` says what came of it."""

    @h36m.command(name, help=text)
    @click.argument("folder", type=PATH, metavar="DIR")
    @click.option("--subjects", default="all", show_default=True, help="Such as S1,S5.")
    def step(folder, subjects):
        from mrs.errors import InputError, UsageError
        from mrs.formats import h36m as prepare

        chosen = prepare.SUBJECTS if subjects == "all" else tuple(subjects.split(","))
        unknown = [s for s in chosen if s not in prepare.SUBJECTS]
        if unknown:
            raise UsageError(f"Expected subjects of {', '.join(prepare.SUBJECTS)}, but got '{unknown[0]}'.")
        if not folder.is_dir():
            raise InputError(f"Expected the folder of Human3.6M at {folder}, but there is none.")
        click.echo(tell(getattr(prepare, name)(folder, chosen, lambda line: click.echo(line, err=True))))

    return step


h36m_extract = _h36m_kind("extract", "Unpack DIR/archives/*.tgz to DIR/extracted.", lambda found: "\n".join(map(str, found)))
h36m_process = _h36m_kind("process", "Write every frame that has a pose as JPEG below DIR/processed/all.", lambda n: f"{n} pictures")
h36m_annotate = _h36m_kind("annotate", "Write DIR/processed/all/annot_export.h5 from the poses: 2D and 3D joints, cameras, ids.", str)

for _command in (appearance.deepfashion, appearance.market, appearance.poses):
    command.add_command(_command)
