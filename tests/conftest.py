"""What every test shares: no file of the user is read or written, no third-party plugin is loaded."""

import os
import signal

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def temporary_home(tmp_path_factory):
    """Point home, cache and configuration to a temporary place, for this process and those it starts."""
    home = tmp_path_factory.mktemp("home")
    places = {"HOME": home, "XDG_CACHE_HOME": home / "cache", "XDG_CONFIG_HOME": home / "config",
              "MRS_CACHE_DIR": home / "cache" / "mrs", "MRS_LOAD_PLUGINS": ""}
    unset = ("MRS_DEVICE", "MRS_LOG_LEVEL", "MRS_CONFIG", "NO_COLOR", "FORCE_COLOR")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in places.items():
            patch.setenv(name, str(value))
        for name in unset:
            patch.delenv(name, raising=False)
        yield home


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Shells start background jobs deaf to Ctrl-C; tests of interruptions, and the commands they start, must hear it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
