"""Motions in the browser (`mrs view`, `mrs live`), by viser: needs the extra `view`."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from mrs.errors import MissingError

LOCAL = "127.0.0.1"


def server(host: str, port: int, label: str) -> Any:
    """Start a viser server whose world is Y up, with a ground; refuse where viser is not installed."""
    try:
        import viser
    except ImportError as error:
        raise MissingError(f"Expected viser for the viewer, but it is not installed ({error}). Type: pip install 'mrs[view]'") from None
    with contextlib.redirect_stdout(io.StringIO()):
        made = viser.ViserServer(host=host, port=port, label=label, verbose=False)
    made.gui.configure_theme(show_logo=False, show_share_button=False, brand_color=(31, 127, 214))
    made.scene.set_up_direction("+y")
    made.scene.add_grid("/ground", 40, 40, plane="xz", cell_size=0.5, section_size=1.0, cell_color=(215, 219, 224),
                        section_color=(176, 183, 191), fade_distance=30, plane_opacity=0.0)
    return made


def stop(made: Any) -> None:
    """Stop a server, without its words on stdout."""
    with contextlib.redirect_stdout(io.StringIO()):
        made.stop()


def address(made: Any) -> str:
    """Where a browser finds a server."""
    host = made.get_host()
    return f"http://{'localhost' if host in (LOCAL, '0.0.0.0') else host}:{made.get_port()}"
