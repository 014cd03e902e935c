"""Show a page in the user's browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import click

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")


def show(where: str) -> None:
    """Open an address or a file in the browser; where there is none, say so in a line."""
    if not _opened(where):
        click.echo(f"No browser could be started here. Open {where} yourself.", err=True)


def _opened(where: str) -> bool:
    """Start the browser. Beside Windows and mac, xdg-open does it, whose complaints are many lines: it is asked only where there is a display."""
    if sys.platform in ("win32", "darwin"):
        return click.launch(where) == 0
    starter = shutil.which("xdg-open")
    if not starter or not any(os.environ.get(name) for name in DISPLAYS):
        return False
    subprocess.Popen([starter, where], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    return True
