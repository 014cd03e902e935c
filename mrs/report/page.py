"""`report.html` of a run: one page that needs nothing else, neither a server nor a network."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from typing import Any

from mrs import data
from mrs.npz import atomic_path
from mrs.report import advice, page_film, payload
from mrs.report.payload import Shown

MEASURES = (
    ("error_2d_percent", "2D error", "% of height", "mean distance of the body's points from the detected ones in the picture"),
    ("jitter_10m_s3", "Jitter", "10 m/s³", "mean size of the joints' third derivative; tremble"),
    ("foot_skate_cm_s", "Foot skate", "cm/s", "how fast heels and toes move while they stand"),
    ("penetration_cm", "Below ground", "cm", "mean depth of the lowest sole under y = 0"),
    ("largest_jump_m", "Largest jump", "m", "farthest that a joint moves from one frame to the next"),
    ("bone_change_mm", "Bone change", "mm", "how much a bone's length changes over the clip"),
)
ABOUT = {
    "tracks.npz": "who is where in the picture; edit it with mrs tracks", "run.json": "everything about this run, for programs",
    "overlay.mp4": "the bodies over the video", "synth.mp4": "the video beside its people re-enacting",
    "appearance.npz": "how the person and the place look", "camera.npz": "the camera of every frame", "motion.npz": "the refined motion as arrays",
    "lifted.npz": "what the lifter said, before refinement", "motion.bvh": "the refined motion for Blender, Unreal, Maya and others",
}


def write(path: Path, report: dict[str, Any], people: Sequence[Shown], film: Path | None, files: Iterable[str] = ()) -> None:
    """Write the page, atomically. `report` is what run.json holds, `film` the overlay, `files` paths beside `path` to link."""
    facts = report["video"]
    duration_s = max(facts["last_s"] - facts["first_s"], 1e-3)
    moving = payload.pack(people, facts["first_s"], duration_s) if people else None
    content = page(report, moving, film, path.parent, files, duration_s)
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def page(report: dict[str, Any], moving: dict[str, Any] | None, film: Path | None, root: Path, files: Iterable[str],
         duration_s: float) -> str:
    """Return the page's text."""
    film_bytes = None if film is None else page_film.embedded(film, duration_s)
    film_source = "" if film is None else "embedded" if film_bytes is not None else _relative(film, root)
    name = Path(report["video"]["path"]).name
    return Template(_asset("report.html")).substitute(
        title=_escaped(name), facts=_facts(report, duration_s), style=_asset("report.css"), script=_asset("report_space.js") + _asset("report.js"),
        plotly=_asset("plotly-gl3d.min.js") if moving else "", data=_json(moving), film=film_source,
        film_data="" if film_bytes is None else base64.b64encode(film_bytes).decode(), remarks=_remarks(report),
        quality=_quality(report), timings=_timings(report), files=_files(files, root), options=_options(report),
        again=_escaped(shlex.join(report.get("command", []))), state="" if moving else "empty")


def _asset(name: str) -> str:
    return data.place(f"web/{name}").read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that can't end the script element it stands in."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _escaped(value: Any) -> str:
    return html.escape(str(value))


def _relative(path: Path, root: Path) -> str:
    from urllib.parse import quote

    return quote(path.relative_to(root).as_posix())


def _facts(report: dict[str, Any], duration_s: float) -> str:
    """The line under the title."""
    video, count = report["video"], len(report.get("persons", {}))
    width, height = video["size_px"]
    parts = [f"{count} {'person' if count == 1 else 'people'}", f"{duration_s:.1f} s", f"{video['frames']} frames",
             f"{video['mean_fps']:.4g} a second" + ("" if video["times"] == "even" else ", uneven"), f"{width} × {height}",
             f"mrs {report.get('mrs', '').partition('+')[0]}", str(report.get("started", ""))[:16].replace("T", " ")]
    return "".join(f"<li>{_escaped(part)}</li>" for part in parts if part)


def _remarks(report: dict[str, Any]) -> str:
    found = advice.remarks(report)
    if not found:
        return '<li class="fine"><p>Nothing to complain about.</p></li>'
    return "".join(f'<li class="{remark.weight}"><p>{_escaped(remark.text)}</p>'
                   + (f'<p class="todo">{_escaped(remark.todo)}</p>' if remark.todo else "") + "</li>" for remark in found)


def _quality(report: dict[str, Any]) -> str:
    """A table of the measures before and after, a column a person."""
    people = sorted(report.get("persons", {}).items())
    head = "".join(f'<th scope="col" data-person="{int(number)}">Person {int(number)}</th>' for number, _ in people)
    rows = []
    for key, label, unit, about in MEASURES:
        cells = "".join(_cell(person["quality"], key) for _, person in people)
        rows.append(f'<tr title="{_escaped(about)}"><th scope="row">{label}<small>{unit}</small></th>{cells}</tr>')
    return f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"


def _cell(quality: dict[str, dict], key: str) -> str:
    before, after = quality["lifted"].get(key), quality["refined"].get(key)
    if before is None or after is None:
        return "<td>–</td>"
    better = "better" if after < 0.95 * before else "worse" if after > 1.05 * before + 0.01 else "same"
    return (f'<td class="{better}" data-measure="{key}"><span class="was">{_number(before)}</span> <span class="to">→</span> '
            f'<b>{_number(after)}</b></td>')


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _timings(report: dict[str, Any]) -> str:
    rows = report.get("timings", {})
    longest = max((row["seconds"] for row in rows.values()), default=0) or 1
    total = sum(row["seconds"] for row in rows.values())
    bars = "".join(
        f'<li><span>{_escaped(stage)}</span><i style="--share:{row["seconds"] / longest:.4f}"></i><b>{row["seconds"]:.1f} s</b>'
        f'<small>{_rate(row)}</small></li>' for stage, row in rows.items())
    return f'{bars}<li class="total"><span>together</span><i></i><b>{total:.1f} s</b><small></small></li>'


def _rate(row: dict[str, float]) -> str:
    """Frames a second, of what takes long enough for that to say something."""
    return f"{row['frames_per_s']:.0f} frames/s" if "frames_per_s" in row and row["seconds"] > 0.05 else ""


def _files(names: Iterable[str], root: Path) -> str:
    from urllib.parse import quote

    rows = []
    for name in names:
        path = root / name
        size = _size(path.stat().st_size) if path.is_file() and name != "run.json" else ""
        about = ABOUT.get(name) or ABOUT.get(Path(name).name) or ("re-enacted by another body" if "/synth/" in name else "")
        rows.append(f'<li><a href="{quote(name)}">{_escaped(name)}</a><span>{_escaped(about)}</span><small>{size}</small></li>')
    return "".join(rows)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(count / 1e3, 0.1):.1f} kB"


def _options(report: dict[str, Any]) -> str:
    """Settings, the options of every plugin, and versions, as definition lists."""
    stages = report.get("stages", {})
    steps = [(stage, facts) for stage, facts in stages.items() if isinstance(facts, dict)]
    steps += [("exporter", facts) for facts in stages.get("exporters", [])]
    groups = [("settings", report.get("settings", {}))]
    groups += [(f"{stage}: {facts['name']} {facts.get('version', '')}", facts.get("options", {})) for stage, facts in steps]
    versions = {"mrs": report.get("mrs"), "python": report.get("python"), "platform": report.get("platform"),
                "device": report.get("device"), **report.get("libraries", {}), "video sha256": report["video"]["sha256"]}
    groups.append(("versions", versions))
    return "".join(f"<section><h3>{_escaped(title)}</h3><dl>" + "".join(
        f"<dt>{_escaped(key)}</dt><dd>{_escaped('–' if value is None else value)}</dd>" for key, value in values.items())
        + "</dl></section>" for title, values in groups if values)
