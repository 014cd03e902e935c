"""What those who carry on rely on: licences, citation, changelog, hooks, jobs."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _tool(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_licences_are_those_of_the_embedded_files_and_of_every_requirement():
    """THIRD_PARTY.md is up to date (if not: python tools/write_licences.py), and no file or library is left out."""
    from mrs.data import EMBEDDED

    tool = _tool("write_licences")
    page = (ROOT / "THIRD_PARTY.md").read_text()
    assert page == tool.page()
    assert tool.required() <= set(tool.LIBRARIES)
    shipped = {path.relative_to(ROOT / "mrs/data").as_posix() for path in (ROOT / "mrs/data").rglob("*")
               if path.suffix in (".npz", ".onnx", ".safetensors", ".pt", ".json")}
    assert shipped <= set(EMBEDDED)
    for name, asset in EMBEDDED.items():
        assert f"`{name}`" in page and asset.licence and asset.source


def test_citation_names_both_papers_and_this_version():
    """CITATION.cff can be read, credits both papers with all their authors, and has the package's version."""
    import yaml

    import mrs

    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["cff-version"], cited["version"], cited["license"]) == ("1.2.0", mrs.__version__, "Apache-2.0")
    families = [[author["family-names"] for author in paper["authors"]] for paper in cited["references"]]
    assert families == [["Peng", "Kanazawa", "Malik", "Abbeel", "Levine"], ["Blattmann", "Milbich", "Dorkenwald", "Ommer"]]


def test_workflows_and_hooks_are_yaml_that_names_what_exists():
    """The job list has Linux, mac and Windows; its commands and those of pre-commit are ones that CI knows."""
    import yaml

    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]
    systems = {row["os"].split("-")[0] for row in jobs["test"]["strategy"]["matrix"]["include"]}
    assert systems == {"ubuntu", "macos", "windows"}
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks][:2] == ["ruff", "mypy"]
    steps = "\n".join(step.get("run", "") for step in jobs["check"]["steps"])
    assert all(command in steps for command in ("ruff check .", "mypy", "mkdocs build --strict", "twine check"))


def test_the_changelog_has_this_version():
    """CHANGELOG.md has a section for what is not out yet and one for the version of the package."""
    import mrs

    text = (ROOT / "CHANGELOG.md").read_text()
    assert "\n## Unreleased\n" in text and f"\n## {mrs.__version__}\n" in text
