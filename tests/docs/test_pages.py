"""The documentation says what the code does."""

import importlib.util
from pathlib import Path

from mrs import plugins

ROOT = Path(__file__).parents[2]


def test_stage_page_is_what_the_plugins_say():
    """docs/stages.md is up to date; if not: python tools/write_stage_docs.py."""
    spec = importlib.util.spec_from_file_location("write_stage_docs", ROOT / "tools" / "write_stage_docs.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert (ROOT / "docs" / "stages.md").read_text() == tool.page(plugins.load())


def test_readme_and_guide_show_the_example_plugin_as_it_is():
    """The plugin in the README and in docs/plugins.md is the one in examples/, word for word."""
    source = (ROOT / "examples" / "mrs-standing" / "mrs_standing.py").read_text().strip()
    assert source in (ROOT / "README.md").read_text()
    assert source in (ROOT / "docs" / "plugins.md").read_text()


def test_every_embedded_file_has_its_checksum_on_its_card():
    """Each weight and body file's sha256 stands on the card beside it."""
    import hashlib

    for folder in ("models", "body"):
        card = (ROOT / "mrs" / "data" / folder / "README.md").read_text()
        files = (ROOT / "mrs" / "data" / folder).iterdir()
        for path in sorted(p for p in files if p.suffix in (".npz", ".onnx", ".safetensors")):
            assert hashlib.sha256(path.read_bytes()).hexdigest() in card, path.name


def test_measures_page_names_every_measure_with_its_unit():
    """docs/metrics.md has the row that the code has for each measure."""
    from mrs.metrics.compare import MEASURES

    page = (ROOT / "docs" / "metrics.md").read_text()
    for name, (_, unit, text) in MEASURES.items():
        assert f"| `{name}` | {unit} | {text.replace('|', chr(92) + '|')} |" in page


def test_export_page_names_every_exporter_of_motions():
    """docs/export.md has a row for each, with its file's ending."""
    page = (ROOT / "docs" / "export.md").read_text()
    registry = plugins.load()
    for name in registry.names("exporter"):
        assert f"| `{name}` | {registry.get('exporter', name).cls.suffix} |" in page, name
