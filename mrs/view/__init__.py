"""Motions in the browser (`mrs view`, `mrs live`), by viser: needs the extra `view`."""

from __future__ import annotations

import contextlib
import io
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from mrs.errors import MissingError

LOCAL, VIEW_RAD = "127.0.0.1", 0.75
AROUND_M, FADE_M, LINES = 8.0, 3.0, (172, 179, 187)
BACKDROP_M, NEAR_M = 1.02, 0.05
"""How far ahead pictures begin. viser draws a backdrop 1 m before the camera, a window full of points even where it has no picture: a
sixth of a frame without a GPU. Beginning behind it leaves it out."""


_PAGES: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
"""The folder with the page of each server that runs."""


def server(host: str, port: int, label: str) -> Any:
    """Start a viser server whose world is Y up, with a ground; refuse where viser is not installed."""
    try:
        import viser
    except ImportError as error:
        raise MissingError(f"Expected viser for the viewer, but it is not installed ({error}). Type: pip install 'mrs[view]'") from None
    from mrs.view.page import lightened

    with contextlib.redirect_stdout(io.StringIO()), lightened() as page:
        made = viser.ViserServer(host=host, port=port, label=label, verbose=False)
    _PAGES[made] = page
    made.gui.configure_theme(show_logo=False, show_share_button=False, brand_color=(31, 127, 214))
    made.scene.set_up_direction("+y")
    _light(made.scene)
    ground(made, np.array([-AROUND_M, -AROUND_M]), np.array([AROUND_M, AROUND_M]))
    return made


def _light(scene: Any) -> None:
    """Light bodies by two lamps alone: shadow maps and reflections cost a machine without a GPU 9 frames out of 10."""
    scene.configure_default_lights(False, cast_shadow=False)
    scene.configure_environment_map(None)
    scene.add_light_hemisphere("/lights/sky", ground_color=(150, 150, 160), intensity=1.7)
    scene.add_light_directional("/lights/sun", position=(2.0, 5.0, 3.0), intensity=1.9)


def ground(made: Any, low_m: np.ndarray, high_m: np.ndarray) -> None:
    """Draw lines a metre apart from corner to corner (X and Z, (2,) each); they fade towards the edge, where nothing is known."""
    low, high = np.floor(low_m), np.ceil(high_m)
    ends = []
    for along, across in ((0, 1), (1, 0)):
        starts, lines = np.meshgrid(np.arange(low[along], high[along]), np.arange(low[across], high[across] + 1), indexing="ij")
        pieces = np.zeros((starts.size, 2, 3), np.float32)
        pieces[..., 2 * along] = starts.ravel()[:, None] + (0, 1)
        pieces[..., 2 * across] = lines.ravel()[:, None]
        ends.append(pieces)
    points = np.concatenate(ends)
    inside = np.minimum(points[..., ::2] - low, high - points[..., ::2]).min(-1) / min((high - low).min() / 2, FADE_M)
    colours = 255 - (255 - np.array(LINES)) * np.clip(inside, 0, 1)[..., None]
    made.scene.add_line_segments("/ground", points, colours.astype(np.uint8), thickness=1.0, thickness_units="screen")


def begin(made: Any, things: Sequence[tuple[np.ndarray, float]]) -> None:
    """Let each browser's picture begin behind the backdrop, or at its eye where one of `things` (place (3,), reach in metres) is near it."""
    for client in made.get_clients().values():
        eye = np.asarray(client.camera.position)
        close = any(np.linalg.norm(place - eye) < BACKDROP_M + reach for place, reach in things)
        client.camera.near = NEAR_M if close else BACKDROP_M


def stop(made: Any) -> None:
    """Stop a server, without its words on stdout."""
    with contextlib.redirect_stdout(io.StringIO()):
        made.stop()
    if (page := _PAGES.pop(made, None)) is not None:
        page.cleanup()


def address(made: Any) -> str:
    """Where a browser finds a server."""
    host = made.get_host()
    return f"http://{'localhost' if host in (LOCAL, '0.0.0.0') else host}:{made.get_port()}"
