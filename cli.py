"""`python cli.py run …` from a checkout: the same as `mrs run …`, without installing mrs."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def _offer_plugins() -> None:
    """Make ./plugins importable as `mrs_plugins`, the name it is installed under."""
    spec = importlib.util.spec_from_file_location("mrs_plugins", ROOT / "plugins" / "__init__.py",
                                                  submodule_search_locations=[str(ROOT / "plugins")])
    module = importlib.util.module_from_spec(spec)
    sys.modules["mrs_plugins"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    _offer_plugins()
    try:
        from mrs.cli import main
    except ModuleNotFoundError as error:
        print(f"Error: mrs needs {error.name}, which is not installed. Type: {sys.executable} -m pip install {ROOT}",
              file=sys.stderr)
        sys.exit(4)
    main()
