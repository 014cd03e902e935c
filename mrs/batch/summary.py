"""The table of a batch: CSV for programs, and one HTML page that opens from disk, sorts by any column and shows thumbnails."""

from __future__ import annotations

import base64
import csv
import html
import io
from typing import Any

from mrs.batch import jobs as state
from mrs.batch.storage import Folder, Remote

QUALITY = {"error_2d_percent": "2D error, % of height", "jitter_10m_s3": "jitter, 10 m/s³", "foot_skate_cm_s": "foot skate, cm/s",
           "penetration_cm": "below ground, cm", "largest_jump_m": "largest jump, m"}
COLUMNS = ("name", "status", "people", "video_s", "frames", "seconds", *QUALITY, "warnings", "error", "video", "attempt", "finished")
WAITING = "waiting"


def rows(place: Folder | Remote) -> list[dict[str, Any]]:
    """Return one row a clip that was ever submitted, in the order of names; of several people the worst number."""
    found = state.records(place)
    return [_row(job, found.get(job["name"])) for job in sorted(state.known(place), key=lambda job: job["name"])]


def _row(job: dict[str, Any], record: dict[str, Any] | None) -> dict[str, Any]:
    current = record is not None and record.get("key") == job.get("key")
    told: dict[str, Any] = record if current and record is not None else {"status": WAITING}
    quality: dict[str, float] = told.get("quality", {})
    return {**{name: told.get(name) for name in COLUMNS}, "name": job["name"], "video": job["video"], "status": told["status"],
            **{name: quality.get(name) for name in QUALITY}, "warnings": len(told.get("warnings", []))}


def counts(table: list[dict[str, Any]]) -> dict[str, int]:
    """Count the clips by status."""
    found: dict[str, int] = {}
    for row in table:
        found[row["status"]] = found.get(row["status"], 0) + 1
    return found


def in_words(table: list[dict[str, Any]]) -> str:
    """Say how many clips there are of each status."""
    return f"{len(table)} clip{'' if len(table) == 1 else 's'}: " + ", ".join(f"{n} {status}" for status, n in sorted(counts(table).items(), key=lambda item: -item[1]))


def write(place: Folder | Remote) -> list[dict[str, Any]]:
    """Write summary.csv and summary.html; return the rows."""
    table = rows(place)
    place.write("summary.csv", as_csv(table).encode())
    place.write("summary.html", as_html(table, place).encode())
    return table


def as_csv(table: list[dict[str, Any]]) -> str:
    """Return the rows as CSV with a header; empty where a number is missing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in table)
    return text.getvalue()


def as_html(table: list[dict[str, Any]], place: Folder | Remote) -> str:
    """Return one page without a network: styles, script and thumbnails inside."""
    heads = ["clip", "", "status", "people", "video, s", "run, s", *QUALITY.values(), "notes"]
    columns = "".join(f'<th{" class=number" * (2 < i < len(heads) - 1)}><button data-column="{i}">{html.escape(text)}</button></th>'
                      if text else "<th></th>" for i, text in enumerate(heads))
    body = "\n".join(_html_row(row, place) for row in table)
    return _PAGE.format(words=html.escape(in_words(table)), columns=columns, body=body)


def _html_row(row: dict[str, Any], place: Folder | Remote) -> str:
    name, link = html.escape(row["name"]), _link(row["name"])
    picture, there = place.read(state.thumbnail_name(row["name"])), place.names(row["name"])
    image = (f'<img alt="the middle of {name}" loading="lazy" src="data:image/jpeg;base64,{base64.b64encode(picture).decode()}">'
             if picture else "")
    page = next((file for file in ("report.html", "run.json") if file in there), None)
    cells = [f"<td>{_linked(name, link, page)}</td>", f"<td>{_linked(image, link, 'overlay.mp4' if 'overlay.mp4' in there else None)}</td>",
             f'<td class="{row["status"].replace(" ", "-")}">{row["status"]}</td>']
    cells += [_number(row[k], digits) for k, digits in (("people", 0), ("video_s", 1), ("seconds", 1), *((k, 2) for k in QUALITY))]
    notes = row["error"] or (f"{row['warnings']} warnings in run.json" if row["warnings"] else "")
    return f"<tr>{''.join(cells)}<td>{html.escape(notes)}</td></tr>"


def _linked(inside: str, folder: str, file: str | None) -> str:
    """Make a link to a file of a run folder, where there is one."""
    return f'<a href="{folder}/{file}">{inside}</a>' if file and inside else inside


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return '<td class="number" data-value=""></td>'
    return f'<td class="number" data-value="{value}">{value:.{digits}f}</td>'


def _link(name: str) -> str:
    from urllib.parse import quote

    return quote(name)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>mrs batch</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }}
body {{ margin: 1.5rem }}
table {{ border-collapse: collapse }}
th {{ position: sticky; top: 0; background: Canvas; text-align: left; vertical-align: bottom }}
th button {{ all: unset; cursor: pointer; padding: .3rem .6rem; font-weight: 600 }}
th button:focus-visible {{ outline: 2px solid }}
th[aria-sort=ascending] button::after {{ content: " \\2191" }}
th[aria-sort=descending] button::after {{ content: " \\2193" }}
td {{ padding: .25rem .6rem; border-top: 1px solid color-mix(in srgb, CanvasText 15%, Canvas) }}
td:last-child {{ min-width: 16rem; max-width: 40rem }}
.number {{ text-align: right; font-variant-numeric: tabular-nums }}
.done {{ color: light-dark(#176f2c, #6fd58a) }}
.failed, .bad-input {{ color: light-dark(#b3261e, #ff8a80); font-weight: 600 }}
img {{ display: block; height: 64px; border-radius: 4px }}
</style>
<h1>{words}</h1>
<p>Of several people in a clip, each number is the worst. A click on a heading sorts.</p>
<table><thead><tr>{columns}</tr></thead><tbody>
{body}
</tbody></table>
<script>
const body = document.querySelector("tbody");
const value = (row, i) => {{
  const cell = row.cells[i];
  return cell.dataset.value === undefined ? cell.textContent : cell.dataset.value === "" ? NaN : +cell.dataset.value;
}};
document.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => {{
  const head = button.parentElement, i = +button.dataset.column;
  const up = head.getAttribute("aria-sort") !== "ascending";
  document.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  [...body.rows].sort((a, b) => {{
    const x = value(a, i), y = value(b, i);
    if (typeof x === "string") return up ? x.localeCompare(y) : y.localeCompare(x);
    if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
    return up ? x - y : y - x;
  }}).forEach(row => body.append(row));
}}));
</script>
</html>
"""
