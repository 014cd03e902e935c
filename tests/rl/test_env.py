"""The environment: the checkers' rules, starts on the reference, ends where it should, alone and in numbers."""

import numpy as np
import pytest

from mrs.errors import InputError, UsageError
from tests.physics import poses
from tests.walker import walker

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("mujoco")

import mrs.rl  # noqa: F401 (registers the environment)
from mrs.rl.env import ImitationEnv, ImitationVectorEnv
from mrs.rl.task import Imitation, Settings


@pytest.fixture(scope="module")
def walk():
    """Three seconds of walking."""
    return walker(np.arange(90) / 30)[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", [{"loop": True}, {"starts": "adaptive"}, {"actions": "absolute", "sizes": "deepmimic"}])
def test_gymnasiums_checker(walk, how):
    """gymnasium.make builds it, and the checker finds nothing."""
    from gymnasium.utils.env_checker import check_env

    env = gymnasium.make("mrs/Imitation-v0", motion=walk, **how).unwrapped
    assert isinstance(env, ImitationEnv)
    check_env(env, skip_render_check=True)


@pytest.mark.filterwarnings("ignore")
def test_stable_baselines_checker(walk):
    """Stable-Baselines3's checker finds nothing."""
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(gymnasium.make("mrs/Imitation-v0", motion=walk, loop=True).unwrapped)


def test_an_episode_begins_on_the_reference(walk):
    """Every start is a state of the reference, the reward's terms are one there, nothing is below the floor."""
    task = Imitation(walk, 16, Settings(loop=True), generator=np.random.default_rng(0))
    terms = task._terms()
    for name in ("pose", "velocity", "end_effectors"):
        assert terms[name] == pytest.approx(np.ones(16), abs=1e-6), name
    assert terms["root"].min() > 0.98
    assert len(set(task.row.tolist())) > 4 and task.row.max() < task.reference.starts


def test_the_reference_servos_track_for_a_while(walk):
    """Without any policy the servos follow the walk for a few steps with a high reward, and fall at last."""
    env = ImitationEnv(walk, loop=True)
    env.reset(seed=0, options={"row": 0})
    rewards, over = [], False
    while not over:
        _, reward, terminated, truncated, info = env.step(np.zeros(env.action_space.shape))
        rewards.append(reward)
        over = terminated or truncated
    assert np.mean(rewards[:5]) > 0.7
    assert terminated and len(rewards) < 300
    assert set(info) == {"pose", "velocity", "end_effectors", "root", "com"}


def test_the_same_seed_is_the_same_episode(walk):
    """Observations and rewards repeat to the last bit."""
    seen = []
    for _ in range(2):
        env = ImitationEnv(walk, loop=True)
        first, _ = env.reset(seed=7)
        env.action_space.seed(7)
        seen.append([first, *(env.step(env.action_space.sample())[0] for _ in range(5))])
    assert all((a == b).all() for a, b in zip(*seen, strict=True))


def test_numbers_do_not_depend_on_how_many_there_are(walk):
    """Eight side by side in two threads do what one alone does."""
    many, alone = Imitation(walk, 8, Settings(loop=True), threads=2), Imitation(walk, 1, Settings(loop=True))
    many.reset(np.arange(8), np.arange(8))
    alone.reset(np.arange(1), np.array([5]))
    actions = np.random.default_rng(0).uniform(-0.1, 0.1, (4, many.action_size))
    for action in actions:
        together = many.step(np.tile(action, (8, 1)))[0][5]
        assert alone.step(action[None])[0][0] == pytest.approx(together, abs=1e-12)
    assert many.observe()[5] == pytest.approx(alone.observe()[0], abs=1e-6)
    many.close()


def test_falling_ends_an_episode_without_reward(walk):
    """A chest on the floor ends it; without early termination it goes on."""
    for early in (True, False):
        task = Imitation(walk, 1, Settings(loop=True, early_termination=early))
        task.reset(np.arange(1), np.array([0]))
        task.data[0].qpos[2] = 0.13
        task.data[0].qpos[3:7] = [np.sqrt(0.5), 0, np.sqrt(0.5), 0]
        gained, terminated, _, _ = task.step(np.zeros((1, task.action_size)))
        assert terminated[0] == early and (gained[0] == 0) == early


def test_who_rolls_may_touch_the_floor():
    """A motion that lies on the floor does not end because it touches it."""
    lying = poses.posed({"left_shoulder": [0, 0, -80], "right_shoulder": [0, 0, 80]}, root_deg=(-90, 0, 0))
    task = Imitation(lying, 1, Settings())
    task.reset(np.arange(1), np.array([0]))
    ended = [task.step(np.zeros((1, task.action_size)))[1][0] for _ in range(15)]
    assert not any(ended)


def test_a_motion_that_ends_truncates(walk):
    """Without loop the episode is cut at the last frame, which is no failure; with it, after the seconds asked for."""
    task = Imitation(walk, 1, Settings(early_termination=False))
    task.reset(np.arange(1), np.array([80]))
    ended = [task.step(np.zeros((1, task.action_size)))[1:3] for _ in range(9)]
    assert [bool(t[0]) for _, t in ended] == [False] * 8 + [True]
    task = Imitation(walk, 1, Settings(loop=True, seconds=0.5, early_termination=False))
    ended = [bool(task.step(np.zeros((1, task.action_size)))[2][0]) for _ in range(15)]
    assert ended == [False] * 14 + [True]


def test_the_vector_env_begins_anew_in_the_same_step(walk):
    """Finished ones have their last observation in the info, and a fresh one beside the others'."""
    env = gymnasium.make_vec("mrs/Imitation-v0", num_envs=6, vectorization_mode="vector_entry_point", motion=walk, loop=True)
    assert isinstance(env, ImitationVectorEnv)
    first, _ = env.reset(seed=1)
    assert first.shape == (6, env.single_observation_space.shape[0]) and env.observation_space.contains(first)
    for _ in range(200):
        seen, _, terminated, _, info = env.step(np.zeros(env.action_space.shape))
        if terminated.any():
            break
    done = np.flatnonzero(terminated)
    assert (info["_final_obs"] == terminated).all()
    assert not np.allclose(info["final_obs"][done[0]], seen[done[0]])
    env.close()


def test_stable_baselines_vec_env(walk):
    """The VecEnv reports ended episodes with return and length, and PPO learns on it without complaint."""
    sb3 = pytest.importorskip("stable_baselines3")
    from mrs.rl.sb3 import ImitationVecEnv

    env = ImitationVecEnv(walk, 4, loop=True)
    env.reset()
    for steps in range(1, 200):
        _, _rewards, done, infos = env.step(np.zeros((4, env.action_space.shape[0])))
        if done.any():
            break
    info = infos[int(np.flatnonzero(done)[0])]
    assert info["episode"]["l"] == steps and info["terminal_observation"].shape == env.observation_space.shape
    sb3.PPO("MlpPolicy", env, n_steps=8, batch_size=16, n_epochs=1, policy_kwargs={"net_arch": [8]}).learn(32)
    env.close()


def test_rendering_needs_no_gl(walk):
    """rgb_array paints the person."""
    env = ImitationEnv(walk, render_mode="rgb_array", loop=True)
    env.reset(seed=0)
    picture = env.render()
    assert picture.dtype == np.uint8 and picture.ndim == 3 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_what_the_policy_turns(walk):
    """Hips, ankles, chest and shoulders in three axes, knees about left, elbows about up; with "all", every servo. The rest follows."""
    few, every = (Imitation(walk, 1, Settings(loop=True, controls=which)) for which in ("hinges", "all"))
    names = [few.model.actuator(row).name for row in few._acted]
    assert (few.action_size, every.action_size) == (3 * 7 + 4, 42)
    assert {"left_knee_y", "right_elbow_z", "spine1_x", "right_hip_z"} <= set(names)
    assert not {"left_knee_x", "neck_y", "left_foot_y"} & set(names)
    for task in (few, every):
        task.reset(np.arange(1), np.array([3]))
        task.step(np.zeros((1, task.action_size)))
    assert few.data[0].ctrl == pytest.approx(every.data[0].ctrl)
    few.step(np.ones((1, few.action_size)))
    every.step(np.zeros((1, every.action_size)))
    moved = np.flatnonzero(np.abs(few.data[0].ctrl - every.data[0].ctrl) > 0.5)
    assert moved.tolist() == few._acted.tolist()


def test_nonsense_is_refused(walk):
    """Unknown starts, no rate, unknown weights, a motion too short to imitate: one line each."""
    for how in ({"starts": "anywhere"}, {"rate_hz": 0.0}, {"weights": {"pose": 1.0}}, {"sizes": "giant"}):
        with pytest.raises(UsageError, match="Expected"):
            Imitation(walk, 1, Settings(**how))
    with pytest.raises(InputError, match="at least"):
        Imitation(walk.part(0, 2), 1, Settings())
