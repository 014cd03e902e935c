"""Small synthetic videos whose every picture says which one it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

SIZE = (96, 64)
BITS = 8


def picture(number: int, size_px: tuple[int, int] = SIZE) -> np.ndarray:
    """Draw `number` as black and white bars (least significant left), a red top left corner, green top right."""
    width, height = size_px
    rgb = np.zeros((height, width, 3), np.uint8)
    for bit in range(BITS):
        if number >> bit & 1:
            rgb[height // 2:, bit * width // BITS:(bit + 1) * width // BITS] = 255
    rgb[:height // 4, :width // 4] = (220, 20, 20)
    rgb[:height // 4, -width // 4:] = (20, 200, 20)
    return rgb


def number_in(rgb: np.ndarray) -> int:
    """Read the number that :func:`picture` drew."""
    height, width = rgb.shape[:2]
    centres = [int((bit + 0.5) * width / BITS) for bit in range(BITS)]
    return sum(1 << bit for bit, x in enumerate(centres) if rgb[height * 3 // 4, x].mean() > 127)


def make_video(path: Path, times_s=None, *, count: int = 30, size_px=SIZE, codec: str = "libx264",
               tick_s=Fraction(1, 90_000), options=None, container_options=None, rotation_deg: int = 0, metadata=None,
               aspect=None) -> np.ndarray:
    """Write `picture(0..)` at the given times (30 per second without); return the times.

    `rotation_deg` is the clockwise turn a player shall apply; `aspect` the shape of a pixel.
    """
    import av

    times_s = np.arange(count) / 30 if times_s is None else np.asarray(times_s, float)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=30, options={"g": "12", "bf": "2", **(options or {})})
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = tick_s
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation_deg:
            stream.set_display_rotation(-rotation_deg)
        stream.metadata.update(metadata or {})
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(picture(number, size_px), format="rgb24")
            frame.pts, frame.time_base = round(time_s / tick_s), tick_s
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return times_s


def make_resizing_video(path: Path, sizes: list[tuple[int, int]]) -> None:
    """Write motion JPEG whose every picture has a size of its own."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        (stream.width, stream.height), stream.pix_fmt = sizes[0], "yuvj420p"
        container.start_encoding()
        for number, size_px in enumerate(sizes):
            encoder = av.CodecContext.create("mjpeg", "w")
            (encoder.width, encoder.height), encoder.pix_fmt, encoder.time_base = size_px, "yuvj420p", Fraction(1, 30)
            frame = av.VideoFrame.from_ndarray(picture(number, size_px), format="rgb24").reformat(format="yuvj420p")
            frame.pts = number
            for packet in encoder.encode(frame) + encoder.encode(None):
                packet.stream, packet.time_base = stream, Fraction(1, 30)
                container.mux(packet)


def add_hidden_frame(source: Path, target: Path) -> None:
    """Copy a VP8 file with one more packet in front whose picture is not to be shown."""
    import av

    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if not packet.size:
                continue
            data, pts = bytes(packet), packet.pts + 20
            if packet.pts == 0:
                hidden = av.Packet(bytes([data[0] & ~0x10]) + data[1:])
                hidden.stream, hidden.pts, hidden.dts, hidden.time_base = stream, 0, 0, packet.time_base
                hidden.is_keyframe = True
                new.mux(hidden)
            packet.pts = packet.dts = pts
            packet.stream = stream
            new.mux(packet)


def make_audio(path: Path) -> None:
    """Write a second of silence without any picture."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        for start in range(0, 44_100, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def decoded_times(path: Path) -> list[float]:
    """The times of all frames as decoding them tells."""
    import av

    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]
