"""What is said of a batch in a line."""

import pytest

from mrs.batch import summary


@pytest.mark.parametrize(("statuses", "words"), [
    (["done"], "1 clip: 1 done"), (["done", "nobody", "done"], "3 clips: 2 done, 1 nobody"), ([], "0 clips: ")])
def test_clips_are_counted_by_their_status(statuses, words):
    """The commonest status first; one clip is no clips."""
    assert summary.in_words([{"status": status} for status in statuses]) == words
