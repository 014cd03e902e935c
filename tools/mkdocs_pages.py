"""What mkdocs needs to make a site of this repository: pages from outside docs/, links to them, and the order of all.

A page that is not named below stands under "More", so that whoever adds one has nothing else to do.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
OUTSIDE = {
    "README.md": "index.md", "THIRD_PARTY.md": "licences.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
    "mrs/data/models/README.md": "cards/models.md", "mrs/data/body/README.md": "cards/body.md", "examples/README.md": "cards/sample.md",
    "mrs/data/appearance/README.md": "cards/appearance.md", "mrs/data/web/README.md": "cards/web.md",
}
"""Pages of the site by their place in the repository; those that are not there are left out."""
SECTIONS = {
    "Begin": ("index.md", "quickstart.md", "troubleshooting.md", "batch.md", "report.md", "view.md", "live.md", "doctor.md"),
    "Stages": ("stages.md", "detecting.md", "cameras.md", "lifting.md", "refinement.md", "dense.md", "behaviour.md", "appearance.md",
               "export.md", "physics.md", "rl.md"),
    "In and out": ("files.md", "conventions.md", "poses2d.md", "mmpose.md"),
    "Program": ("python.md", "plugins.md", "architecture.md", "contributing.md", "changelog.md"),
    "How good": ("benchmarks.md", "metrics.md", "comparison.md"),
    "Files that ship": ("cards/models.md", "cards/body.md", "cards/appearance.md", "cards/sample.md", "cards/web.md", "licences.md"),
}
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")


def on_files(files, config):
    """Add the pages from outside docs/."""
    from mkdocs.structure.files import File

    for place, page in OUTSIDE.items():
        if (ROOT / place).is_file():
            files.append(File.generated(config, page, abs_src_path=str(ROOT / place)))
    return files


def on_config(config):
    """Order the pages that are there."""
    present = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    present |= {page for place, page in OUTSIDE.items() if (ROOT / place).is_file()}
    named = {page for pages in SECTIONS.values() for page in pages}
    sections = {**SECTIONS, "More": tuple(sorted(present - named))}
    config.nav = [{title: [p for p in pages if p in present]} for title, pages in sections.items() if present & set(pages)]
    return config


def on_page_markdown(markdown: str, page, config, files) -> str:
    """Lead links to where their targets are on the site; what is in the repository only becomes plain text."""
    source = next((place for place, name in OUTSIDE.items() if name == page.file.src_uri), f"docs/{page.file.src_uri}")
    return _LINK.sub(lambda match: _led(match, posixpath.dirname(source), posixpath.dirname(page.file.src_uri)), markdown)


def _led(match: re.Match, source_folder: str, site_folder: str) -> str:
    before, target, after = match.groups()
    path, _, anchor = target.partition("#")
    if "://" in target or target.startswith("mailto:") or not path:
        return match.group(0)
    if not source_folder.startswith("docs") or path.startswith(".."):
        place = posixpath.normpath(posixpath.join(source_folder, path))
        if place not in OUTSIDE and not place.startswith("docs/"):
            return f"{before[1:-2]} (`{place}`)" if (ROOT / place).exists() else match.group(0)
        inside = OUTSIDE.get(place) or place.removeprefix("docs/")
        path = posixpath.relpath(inside, site_folder or ".")
    return f"{before}{path}{'#' + anchor if anchor else ''}{after}"
