"""What stands in for a video that is not at hand."""

from fractions import Fraction

import numpy as np
import pytest

from mrs.errors import InputError, UsageError
from mrs.video_free import NoVideo, read_rate, read_size


def made(**named):
    return NoVideo.of("poses", "aa", 30, "1920x1080", "30000/1001", **named)


def test_times_are_rows_over_the_exact_rate():
    """29.97 stays what was said; frames are those between start and end."""
    video = made()
    np.testing.assert_allclose(video.times_s, np.arange(30) * 1001 / 30000, rtol=1e-15)
    part = made(start_s=0.2, end_s=0.5)
    assert part.times_s[0] >= 0.2 and part.times_s[-1] < 0.5
    assert part.frame_ids[0] == 6 and len(part) == 9


def test_other_size_or_rate_is_another_input():
    """The hash tells results that must be made anew."""
    shas = {NoVideo.of("p", "aa", 30, size, rate).sha256 for size in ("640x480", "1920x1080") for rate in ("30", "29.97")}
    assert len(shas) == 4


@pytest.mark.parametrize("text, size", [("1920x1080", (1920, 1080)), (" 640 x 480 ", (640, 480)), ("640,480", (640, 480))])
def test_sizes(text, size):
    """Width and height."""
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["1920", "0x10", "axb", "-3x5", "19.5x20", ""])
def test_other_sizes_are_refused(text):
    """With what to type."""
    with pytest.raises(UsageError, match="--size WIDTHxHEIGHT"):
        read_size(text)


def test_rates():
    """Decimals and fractions, exactly."""
    assert read_rate("29.97") == Fraction(2997, 100)
    assert read_rate("30000/1001") == Fraction(30000, 1001)


@pytest.mark.parametrize("text", ["0", "-1", "1/0", "nan", "inf", "fast", "1e9"])
def test_other_rates_are_refused(text):
    """With what to type."""
    with pytest.raises(UsageError, match="--fps"):
        read_rate(text)


def test_pictures_are_refused_in_a_line():
    """Whoever asks for frames hears why there are none."""
    with pytest.raises(InputError, match="this run has none"):
        made().frames()


def test_no_frame_between_start_and_end():
    """The range that there is is told."""
    with pytest.raises(InputError, match="from 0 s to 0.96"):
        made(start_s=5)
