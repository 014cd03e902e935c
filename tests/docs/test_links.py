"""Links, commands and names in the texts lead somewhere."""

import re
import subprocess
import sys

import pytest

from mrs.cli import COMMANDS, SECTIONS
from tests.command import ROOT

PAGES = [*sorted((ROOT / "docs").glob("*.md")), *(ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "THIRD_PARTY.md"))]
PLACED = {name for names in SECTIONS.values() for name in names}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files_and_headings(page):
    """Every relative link names a file that exists, and its anchor a heading there (index.md is the README's page on the site)."""
    text = page.read_text()
    for target in LINK.findall(text):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        site = {"index.md": ROOT / "README.md", "licences.md": ROOT / "THIRD_PARTY.md"}
        found = page if not path else site.get(path, page.parent / path)
        assert found.exists(), f"{page.name}: {target}"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found.read_text()), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_and_benchmarks_exist(page):
    """`mrs NAME` at the start of a line or of code names a command; `python -m benchmarks.NAME` and `tools/...` files that exist."""
    text = page.read_text()
    for name in re.findall(r"(?:^    |`)mrs ([a-z]+)", text, re.MULTILINE):
        assert name in COMMANDS or name in PLACED, f"{page.name}: mrs {name}"
    for name in re.findall(r"python -m (benchmarks|tools)\.([a-z]\w+)", text):
        assert (ROOT / name[0] / f"{name[1]}.py").is_file(), f"{page.name}: {name}"
    for name in re.findall(r"python (tools/\w+\.py)", text):
        assert (ROOT / name).is_file(), f"{page.name}: {name}"


def test_the_readme_opens_with_a_moving_picture_of_moderate_size():
    """The first picture moves, is a real file, and is smaller than 3 MB."""
    target = LINK.findall((ROOT / "README.md").read_text())[0]
    data = (ROOT / target).read_bytes()
    assert len(data) < 3e6
    assert data[:4] == b"RIFF" and b"ANIM" in data[:64] and data.count(b"ANMF") > 20


def test_the_site_builds_without_a_warning(tmp_path):
    """mkdocs build --strict, where mkdocs is installed (pip install '.[docs]')."""
    pytest.importorskip("material")
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "index.html").is_file() and (tmp_path / "cards" / "models.html").is_file()
