"""A live body is the walker who is seen, from the past alone."""

import numpy as np

from mrs.live.pose import LOST_S, Follower, Followers
from mrs.skeletons import BLAZEPOSE_33
from mrs.tracks import People
from tests.live.walking_detector import RATE_HZ, SIZE, Walk

FILTERS = {"min_cutoff_hz": 1.5, "beta": 0.5}
FOV = 50.0


def follow(rows, filters=FILTERS, noise_m=0.0):
    """Follow the walker over rows of its track; return the poses."""
    track, _ = Walk.of()
    follower, random = Follower(BLAZEPOSE_33, SIZE, FOV, filters), np.random.default_rng(1)
    return [follower.step(track.keypoints_px[row].astype(float), track.keypoints3d_m[row] + random.normal(scale=noise_m, size=(33, 3)),
                          float(track.times_s[row])) for row in rows]


def centred(joints):
    return joints - joints[0]


def turned_like(truth, joints):
    """Turn the truth about the vertical so that hips agree: the live world has its own heading."""
    angle = lambda j: np.arctan2(*(j[1] - j[2])[[2, 0]])
    a = angle(truth) - angle(joints)
    c, s = np.cos(a), np.sin(a)
    return truth @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T


def test_the_pose_is_the_walkers():
    """With almost no filter the joints are the walker's to 4 cm, and the soles stand on the ground."""
    rows = list(range(0, 3 * RATE_HZ, 8))
    poses = follow(rows, {"min_cutoff_hz": 50.0, "beta": 0.0})
    _, motion = Walk.of()
    for row, pose in list(zip(rows, poses, strict=True))[20:]:
        away = centred(pose.joints_m) - turned_like(centred(motion.joints_m[row]), centred(pose.joints_m))
        assert np.linalg.norm(away, axis=-1)[[1, 2, 4, 5, 7, 8, 15, 16, 17]].mean() < 0.04
        assert abs(pose.soles_m[:, 1].min()) < 0.05


def test_it_is_causal_and_calmer_than_what_it_is_given():
    """What comes later changes nothing; noise is damped."""
    rows = list(range(0, 2 * RATE_HZ, 8))
    assert np.array_equal(follow(rows[:15])[-1].joints_m, follow(rows)[14].joints_m)

    def tremble(poses):
        return np.abs(np.diff([centred(p.joints_m) for p in poses[10:]], 3, axis=0)).mean()

    assert tremble(follow(rows, noise_m=0.02)) < 0.5 * tremble(follow(rows, {"min_cutoff_hz": 50.0, "beta": 0.0}, noise_m=0.02))


def test_standing_feet_touch():
    """Of the frames in which the walker's heel stands, most are seen, and hardly one of those in which it swings."""
    rows = list(range(0, 4 * RATE_HZ, 4))
    from tests.walker import walker

    truth = walker(np.arange(6 * RATE_HZ) / RATE_HZ)[1]
    found = np.array([pose.contacts for pose in follow(rows)])[40:, [0, 2]] > 0.5
    standing = truth[rows][40:, [0, 2]]
    assert found[standing].mean() > 0.6 and found[~standing].mean() < 0.25


def people_at(row, lanes=(0,)):
    track, _ = Walk.of()
    pick = lambda a: np.repeat(a[row : row + 1], len(lanes), 0)
    return People(pick(track.keypoints_px), pick(track.boxes_px), np.ones(len(lanes)), pick(track.keypoints3d_m), lanes=np.array(lanes))


def test_people_come_and_go():
    """Each lane has its own follower, at most so many; who is gone for long is forgotten."""
    everybody = Followers(BLAZEPOSE_33, FOV, FILTERS, most=2)
    assert set(everybody.step(people_at(0, (3, 5, 9)), SIZE, 0.0)) == {3, 5}
    assert set(everybody.step(people_at(4, (5,)), SIZE, 0.03)) == {5} and set(everybody.people) == {3, 5}
    everybody.step(people_at(8, (5,)), SIZE, 0.1 + LOST_S)
    assert set(everybody.people) == {5}
    nobody = people_at(8, (5,))
    nobody = People(nobody.keypoints_px[:0], nobody.boxes_px[:0], np.zeros(0), nobody.keypoints3d_m[:0], lanes=np.zeros(0, int))
    assert everybody.step(nobody, SIZE, 1.2) == {}


def test_who_can_not_be_placed_has_no_pose():
    """Keypoints without confidence say nothing."""
    people = people_at(0)
    people.keypoints_px[..., 2] = 0
    assert Followers(BLAZEPOSE_33, FOV, FILTERS, 1).step(people, SIZE, 0.0) == {}
