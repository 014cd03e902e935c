"""Random poses within a person's reach, for tests of the body."""

import numpy as np

from mrs import rotations

# Degrees about (left, up, forward) of the rest pose that a left-side joint turns at most; the right mirrors it.
REACH_DEG = {
    1: ((-100, 20), (-20, 20), (-10, 35)), 4: ((5, 120), (0, 0), (0, 0)), 7: ((-25, 20), (-10, 10), (-5, 5)),
    3: ((0, 15), (-10, 10), (-8, 8)), 6: ((0, 15), (-10, 10), (-8, 8)), 9: ((0, 10), (-8, 8), (-5, 5)),
    12: ((-15, 15), (-20, 20), (-8, 8)), 15: ((-15, 15), (-20, 20), (-8, 8)),
    16: ((-40, 40), (-60, 20), (-70, 40)), 18: ((0, 0), (-110, -5), (0, 0)), 20: ((-30, 30), (-10, 10), (-20, 20)),
}
RIGHT = {1: 2, 4: 5, 7: 8, 16: 17, 18: 19, 20: 21}


def random_quats(frames, seed=0, wild=False):
    """Local rotations (T, 24, 4): within the table, or anything at all where `wild`."""
    rng = np.random.default_rng(seed)
    if wild:
        return rotations.normalise(rng.normal(size=(frames, 24, 4)))
    vectors = np.zeros((frames, 24, 3))
    for joint, reach in REACH_DEG.items():
        low, high = np.radians(np.array(reach, float)).T
        vectors[:, joint] = rng.uniform(low, high, (frames, 3))
        if joint in RIGHT:
            vectors[:, RIGHT[joint]] = rng.uniform(low, high, (frames, 3)) * [1, -1, -1]
    quats = rotations.axis_angle_to_quat(vectors)
    quats[:, 0] = rotations.normalise(rng.normal(size=(frames, 4)))
    return quats
