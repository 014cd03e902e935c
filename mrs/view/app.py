"""`mrs view`: the scene, its panel, and the clock that plays it."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrs import view
from mrs.plugins import Registry
from mrs.view import items as shown
from mrs.view.body import PARTS, MotionView
from mrs.view.film import Pictures
from mrs.view.items import Item

SPEEDS = ("0.1", "0.25", "0.5", "1", "2")
TICK_S, PICTURE_S = 1 / 60, 0.08
MARGIN_M, FROM = 3.0, (0.45, 0.3, 1.0)


class App:
    """A viewer of motions: serves until :meth:`close`."""

    def __init__(self, items: Sequence[Item], registry: Registry, host: str = view.LOCAL, port: int = 8080):
        self.items, self.registry = list(items), registry
        self.server = view.server(host, port, "mrs")
        self.length_s = max(max(item.length_s for item in self.items), 1e-3)
        self.time_s, self.rate_hz = 0.0, 0.0
        self._moved = threading.Event()
        self._lock = threading.RLock()
        self.bodies = [MotionView(self.server, f"/{number:02d}", item.motion, item.colour, item.label if len(self.items) > 1 else "",
                                  camera=self._has_camera(number - 1)) for number, item in enumerate(self.items, 1)]
        self.pictures = {item.film: Pictures(item.film) for item in self.items if item.film is not None}
        self._pictured: dict[int, tuple[int, float]] = {}
        self._panel()
        self.arrange(shown.default_arrangement(self.items))
        self.show(0.0, again=True)
        self.server.on_client_connect(lambda client: client.camera.on_update(lambda _: self._begin()))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._play, name="mrs-view", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return view.address(self.server)

    def close(self) -> None:
        """Stop playing and serving."""
        self._stopped.set()
        self._thread.join(timeout=5)
        for pictures in self.pictures.values():
            pictures.close()
        view.stop(self.server)

    def arrange(self, arrangement: str) -> None:
        """Put the bodies as they are, side by side or over each other, and let new browsers look at them."""
        places = shown.placed(self.items, arrangement)
        for body, (turn, shift) in zip(self.bodies, places, strict=True):
            body.place(turn, shift)
        ways = [item.motion.root_pos_m @ turn.T + shift for item, (turn, shift) in zip(self.items, places, strict=True)]
        low, high = np.min([w.min(0) for w in ways], 0), np.max([w.max(0) for w in ways], 0)
        view.ground(self.server, low[::2] - MARGIN_M, high[::2] + MARGIN_M)
        look_at = np.array([(low[0] + high[0]) / 2, max((low[1] + high[1]) / 2, 0.8), (low[2] + high[2]) / 2])
        camera, away_m = self.server.initial_camera, 1.1 * np.linalg.norm(high - low) + 2.5
        camera.fov, camera.look_at, camera.position = view.VIEW_RAD, look_at, look_at + away_m * np.array(FROM) / np.linalg.norm(FROM)

    def show(self, at_s: float, again: bool = False) -> int:
        """Show everybody at a time; return how many bodies moved."""
        with self._lock:
            self.time_s = at_s
            moved = 0
            for number, (item, body) in enumerate(zip(self.items, self.bodies, strict=True)):
                row = item.row(at_s)
                if body.at(row, again):
                    moved += 1
                    self._aim(number, item, body, row)
            if moved:
                self._begin()
            return moved

    def _begin(self) -> None:
        """See that nothing that is near a browser's eye is cut off."""
        view.begin(self.server, [thing for body in self.bodies for thing in body.things()])

    def _aim(self, number: int, item: Item, body: MotionView, row: int) -> None:
        """Turn the camera of a body, with the picture that it saw, once for each picture and while it plays a dozen a second."""
        if body.frustum is None or not body.frustum.visible:
            return
        soon = self.playing and time.monotonic() - self._pictured.get(number, (0, 0.0))[1] < PICTURE_S
        found = self.pictures[item.film].at(item.motion.times_s[row]) if item.film is not None and not soon else None
        new = found is not None and self._pictured.get(number, (-1, 0.0))[0] != found[0]
        if new:
            self._pictured[number] = found[0], time.monotonic()
        if new or not item.motion.camera.is_still:
            body.aim(item.motion.camera.at(row), found[1] if new else None)

    def _has_camera(self, number: int) -> bool:
        """Whether a body is the first of those that one camera saw: it is drawn once."""
        return not any(other.group == self.items[number].group and other.motion.camera is not None for other in self.items[:number])

    def _panel(self) -> None:
        gui = self.server.gui
        self.play = gui.add_button("Play", icon="player-play")
        self.slider = gui.add_slider("Time, s", 0.0, round(self.length_s, 3), round(min(self._step_s(), self.length_s), 4), 0.0)
        self.speed = gui.add_dropdown("Speed", SPEEDS, initial_value="1")
        self.playing = False
        self.arrangement = None
        if len(self.items) > 1:
            self.arrangement = gui.add_dropdown("Together", shown.ARRANGEMENTS, initial_value=shown.default_arrangement(self.items))
            self.arrangement.on_update(lambda _: self.arrange(self.arrangement.value))
        self.parts = {part: gui.add_checkbox(part.capitalize(), part not in ("skeleton",)) for part in PARTS}
        self.everybody = [gui.add_checkbox(item.label, True) for item in self.items] if len(self.items) > 1 else []
        for box in self.parts.values():
            box.on_update(lambda _: self._show_parts())
        for box, body in zip(self.everybody, self.bodies, strict=False):
            box.on_update(lambda _, box=box, body=body: setattr(body.root, "visible", box.value))
        self.play.on_click(lambda _: self._toggle())
        self.slider.on_update(lambda event: self._slid(event))
        self._export_panel()
        self.told = gui.add_markdown("")

    def _export_panel(self) -> None:
        with self.server.gui.add_folder("Export"):
            names = self.registry.names("exporter")
            self.format = self.server.gui.add_dropdown("Format", names, initial_value="bvh" if "bvh" in names else names[0])
            self.whom = self.server.gui.add_dropdown("Whom", [item.label for item in self.items])
            self.save = self.server.gui.add_button("Save", icon="download")
            self.save.on_click(self._export)

    def _step_s(self) -> float:
        steps = [np.median(np.diff(item.motion.times_s)) for item in self.items if len(item.motion) > 1]
        return float(min(steps)) if steps else 1 / 30

    def _show_parts(self) -> None:
        for body in self.bodies:
            body.show({part: box.value for part, box in self.parts.items()})
        self.show(self.time_s, again=True)

    def _toggle(self) -> None:
        self.playing = not self.playing
        self.play.label, self.play.icon = ("Pause", "player-pause") if self.playing else ("Play", "player-play")
        self._moved.set()

    def _slid(self, event: Any) -> None:
        """Follow a hand on the slider; the clock's own steps come here too, and are told by having no client."""
        if event.client is not None:
            self.show(float(self.slider.value))

    def exported(self, label: str, name: str) -> tuple[str, bytes]:
        """Write a motion with an exporter; return a file name and the bytes."""
        item = next(item for item in self.items if item.label == label)
        exporter = self.registry.make("exporter", name)
        suffix = getattr(exporter, "suffix", f".{name}")
        with tempfile.TemporaryDirectory(prefix="mrs-view-") as folder:
            path = Path(folder) / f"motion{suffix}"
            exporter.write(item.motion, path)
            stem = "".join(c if c.isalnum() else "_" for c in label)
            return f"{stem}{suffix}", path.read_bytes()

    def _export(self, event: Any) -> None:
        try:
            name, content = self.exported(self.whom.value, self.format.value)
        except Exception as error:  # noqa: BLE001 (whatever an exporter says is told in the browser; the viewer goes on)
            event.client.add_notification("Not exported", " ".join(str(error).split()), color="red")
            return
        event.client.send_file_download(name, content, save_immediately=True)

    def _play(self) -> None:
        """Move the clock while it plays: frames that come too late are skipped, never queued."""
        last, told, moved = time.monotonic(), time.monotonic(), 0
        while not self._stopped.is_set():
            if not self.playing:
                self._moved.wait(0.2)
                self._moved.clear()
                last = told = time.monotonic()
                moved = 0
                continue
            now = time.monotonic()
            at_s = (self.time_s + (now - last) * float(self.speed.value)) % (self.length_s + self._step_s())
            last = now
            moved += self.show(min(at_s, self.length_s)) > 0
            self.time_s = at_s
            if now - told > 0.5:
                self.rate_hz = moved / (now - told)
                self.told.content = f"{self.rate_hz:.0f} frames a second sent"
                self.slider.value = round(min(at_s, self.length_s), 3)
                told, moved = now, 0
            self._stopped.wait(max(TICK_S - (time.monotonic() - now), 0.001))
