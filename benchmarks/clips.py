"""Clips that the benchmarks make from the shipped sample, in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks._common import SAMPLE

WALK = 135
EMPTY_FROM = 145
ROOF_PX = 342


def forth_and_back(count: int, length: int) -> np.ndarray:
    """Rows (count,) that go 0..length-1 and back, again and again, without showing an end twice in a row."""
    turn = 2 * (length - 1)
    rows = np.arange(count) % turn
    return np.minimum(rows, turn - rows)


def one_person(path: Path, frames: int = 300) -> Path:
    """Write the sample's walking woman alone, 1280x720, 30 frames a second, walking forth and back.

    The man above her is covered with the empty roof of the sample's end; nothing else is changed.
    """
    from mrs.video import Video, write_video

    video = Video.open(SAMPLE)
    walk, empty = [], []
    for frame in video.frames():
        if frame.row < WALK:
            walk.append(frame.rgb)
        elif frame.row >= EMPTY_FROM:
            empty.append(frame.rgb[:ROOF_PX])
    roof = np.median(empty, axis=0).astype(np.uint8)
    for rgb in walk:
        rgb[:ROOF_PX] = roof
    rows = forth_and_back(frames, len(walk))
    write_video(path, (walk[row] for row in rows), np.arange(frames) / 30.0, video.size_px)
    return path


def one_loop(path: Path) -> Path:
    """Write :func:`one_person` from one turn to the next, so that its copies join without a jump."""
    return one_person(path, 2 * (WALK - 1))


def repeated(source: Path, path: Path, seconds: float) -> Path:
    """Write the packets of a clip without B-frames again and again, with their times moved on; nothing is encoded."""
    import av

    with av.open(str(source)) as first:
        stream = first.streams.video[0]
        packets = [(bytes(p), p.pts, p.is_keyframe) for p in first.demux(stream) if p.size]
        between = packets[1][1] - packets[0][1]
        span = packets[-1][1] - packets[0][1] + between
        with av.open(str(path), "w") as out:
            target = out.add_stream_from_template(stream)
            target.time_base = stream.time_base
            for data, pts, is_key in _shifted(packets, span, seconds / float(stream.time_base)):
                packet = av.Packet(data)
                packet.stream, packet.time_base = target, stream.time_base
                packet.pts = packet.dts = pts
                packet.duration, packet.is_keyframe = between, is_key
                out.mux(packet)
    return path


def _shifted(packets: list, span: int, end: float) -> Iterator[tuple[bytes, int, bool]]:
    """Yield packets, round after round, until their time reaches `end`."""
    start = 0
    while True:
        for data, pts, is_key in packets:
            if pts + start >= end:
                return
            yield data, pts + start, is_key
        start += span
