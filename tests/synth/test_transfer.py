"""From features to motions: one by one and all at once."""

import numpy as np

from mrs.synth import features, transfer
from tests.synth.puppets import puppet, turned


def test_all_at_once_is_one_by_one():
    """Many roll-outs pinned together are those pinned one by one."""
    start = transfer.start_of(turned(puppet("march"), 0.7, shift=(2, 0, 1)), 0.5)
    values = np.stack([features.to_features(features.prepared(puppet(label, 2.0)))[:50] for label in ("march", "squat", "wave", "march")])
    values[3, :, 147] += 0.5
    for one, many in zip([transfer.finished(v, start) for v in values], transfer.all_finished(values, start), strict=True):
        np.testing.assert_allclose(many.joints_m, one.joints_m, atol=2e-3)
        np.testing.assert_allclose(np.abs((many.local_quat_wxyz * one.local_quat_wxyz).sum(-1)), 1, atol=1e-3)
        np.testing.assert_allclose(many.times_s, one.times_s)
