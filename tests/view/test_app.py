"""The viewer without a browser: it serves this machine alone, moves its bodies in time, and exports."""

import re
import signal
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

from mrs import plugins
from mrs.view import items
from tests.command import ROOT, here, real
from tests.report.runs import make_run
from tests.walker import walker

pytest.importorskip("viser")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("view") / "walk_mrs", seconds=1.5)


@pytest.fixture
def app(run):
    from mrs.view.app import App

    registry = plugins.load()
    made = App(items.gather([run], registry), registry, port=8460)
    yield made
    made.close()


def test_it_serves_this_machine_alone(app):
    """The page is there at 127.0.0.1, and the socket listens nowhere else."""
    import psutil

    assert urllib.request.urlopen(app.address, timeout=10).status == 200
    listening = {c.laddr.ip for c in psutil.Process().net_connections() if c.status == "LISTEN" and c.laddr.port == app.server.get_port()}
    assert listening == {"127.0.0.1"}


def test_the_page_asks_whether_there_is_a_gpu(app):
    """viser's page comes with mrs's look at the renderer before anything of its own; viser itself is as it was."""
    import viser

    from mrs.view.page import LIGHT

    text = urllib.request.urlopen(app.address, timeout=10).read().decode()
    assert text.index(LIGHT) < text.index("<script data-p") and text.count("<head>") == 1
    assert isinstance(viser.infra.WebsockServer, type)


def test_a_picture_begins_behind_the_backdrop_unless_somebody_is_near(app):
    """A browser's near plane is past 1 m, and at its eye while a body or a camera's picture is within reach."""
    from types import SimpleNamespace

    from mrs import view

    eye = SimpleNamespace(camera=SimpleNamespace(position=app.items[0].motion.root_pos_m[0] + [0, 0, 30.0], near=0.01))
    app.server.get_clients = lambda: {0: eye}
    app._begin()
    assert eye.camera.near == view.BACKDROP_M > 1
    eye.camera.position = app.items[0].motion.root_pos_m[0] + [0, 0, 1.5]
    app.show(0.0, again=True)
    assert eye.camera.near == view.NEAR_M
    del app.server.get_clients


def test_bodies_are_where_the_motion_is(app):
    """At a time each body has that frame's joints, soles that touch are marked, the camera has its picture."""
    app.parts["skeleton"].value = True
    app._show_parts()
    app.show(0.7)
    for item, body in zip(app.items, app.bodies, strict=True):
        assert np.allclose([bone.position for bone in body.mesh.bones], item.motion.joints_m[21], atol=1e-6)
        assert [mark.visible for mark in body.marks] == (item.motion.contacts[21] > 0.5).tolist()
        assert np.allclose([bone.position for bone in body.bones.bones], item.motion.joints_m[21], atol=1e-6)
    assert app.bodies[0].frustum is not None and app.bodies[1].frustum is None
    pictures = next(iter(app.pictures.values()))
    until = time.monotonic() + 20
    while pictures.at(0.7) is None and time.monotonic() < until:
        time.sleep(0.05)
    app.show(0.7, again=True)
    assert app.bodies[0].frustum.image is not None


def test_the_mesh_of_the_viewer_is_the_body(app):
    """Rest pose, weights and bones that viser is given make the vertices of the body, to a centimetre."""
    from mrs import rotations
    from mrs.body import load_body

    app.show(0.5)
    body, motion, mesh = load_body(), app.items[0].motion, app.bodies[0].mesh
    rest = body.rest_m + body.rest_shape_m @ motion.betas
    turns = rotations.quat_to_matrix(np.array([bone.wxyz for bone in mesh.bones]))
    places = np.array([bone.position for bone in mesh.bones])
    moved = np.einsum("jab,vjb->vja", turns, mesh.vertices[:, None] - rest) + places
    skin = np.einsum("vk,vka->va", mesh.skin_weights, np.take_along_axis(moved, mesh.skin_indices[..., None].astype(int), 1))
    skin /= mesh.skin_weights.sum(1, keepdims=True)
    assert np.abs(skin - body.vertices(motion, slice(15, 16))[0]).max() < 0.01


def test_the_skeleton_is_seen_through_the_body(app):
    """Ticking it draws the mesh through, and its octahedra are closed, look outwards and reach from joint to joint."""
    from mrs.body import load_body
    from mrs.skeletons import SMPL_PARENTS
    from mrs.view.body import bone_mesh

    app.parts["skeleton"].value = True
    app._show_parts()
    assert 0 < app.bodies[0].mesh.opacity < 1 and app.bodies[0].bones.visible
    app.parts["skeleton"].value = False
    app._show_parts()
    assert app.bodies[0].mesh.opacity is None and not app.bodies[0].bones.visible
    rest = load_body().rest_m
    points, faces, weights = bone_mesh(rest)
    corners = points[faces].reshape(23, 8, 3, 3)
    assert (np.linalg.det(corners - points.reshape(23, 6, 3).mean(1)[:, None, None]) > 0).all()
    assert np.allclose(points[0::6], rest[SMPL_PARENTS[1:]]) and np.allclose(points[5::6], rest[1:])
    assert (weights.argmax(1).reshape(23, 6) == np.array(SMPL_PARENTS[1:])[:, None]).all()


def test_the_ground_holds_the_ways(app):
    """Lines a metre apart reach beyond everybody's way, and the initial view looks at its middle from above the ground."""
    from mrs import view

    sent = {}
    app.server.scene.add_line_segments = lambda name, points, colours, **how: sent.update({name: (points, colours)})
    view.ground(app.server, np.array([-2.3, 0.2]), np.array([4.1, 9.7]))
    del app.server.scene.add_line_segments
    points, colours = sent["/ground"]
    assert points[..., 0].min() == -3 and points[..., 0].max() == 5 and points[..., 2].min() == 0 and points[..., 2].max() == 10
    assert (points == np.round(points)).all() and not points[..., 1].any() and np.allclose(np.ptp(points, axis=1).sum(-1), 1)
    at_edge = (points[..., 0] == -3) | (points[..., 0] == 5) | (points[..., 2] == 0) | (points[..., 2] == 10)
    assert (colours[at_edge] == 255).all() and (colours[~at_edge] < 255).all()
    assert app.server.initial_camera.position[1] > 0.5


def test_it_plays_at_the_speed_that_is_set(app):
    """Time goes on while it plays, half as fast at half speed, and frames a second are told."""
    app.speed.value = "0.5"
    app._toggle()
    time.sleep(1.2)
    app._toggle()
    at = app.time_s
    assert 0.2 < at < 1.0 and app.rate_hz > 0
    time.sleep(0.3)
    assert app.time_s == at


def test_a_frame_costs_less_than_a_thirtieth_of_a_second(app):
    """Work for one body's frame, in processor time, leaves room for more than 30 a second."""
    one = app.bodies[0]
    begin = time.thread_time()
    for row in range(45):
        one.at(row, again=True)
    assert (time.thread_time() - begin) / 45 < 1 / 60


def test_exports_are_what_the_exporter_writes(app):
    """Save gives a file of the chosen format; a BVH can be read again."""
    name, content = app.exported("person 02", "bvh")
    assert name == "person_02.bvh" and content.startswith(b"HIERARCHY") and b"Frames: 45" in content


def test_arrangements_move_the_bodies(app):
    """Overlaid, both begin at one place."""
    app.arrange("overlaid")
    firsts = [np.asarray(body.root.position) + item.motion.root_pos_m[0] for item, body in zip(app.items, app.bodies, strict=True)]
    assert np.allclose(firsts[0][[0, 2]], firsts[1][[0, 2]], atol=1e-3)


def test_the_real_command_serves_until_ctrl_c(tmp_path):
    """mrs view MOTION prints an address on stdout and ends in peace."""
    walker(np.arange(10) / 30)[0].save(tmp_path / "walk.npz")
    running = subprocess.Popen([sys.executable, "-m", "mrs.cli", "view", str(tmp_path / "walk.npz"), "--port", "8470"], cwd=ROOT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = running.stdout.readline().strip()
    assert re.fullmatch(r"http://localhost:\d+", address)
    assert urllib.request.urlopen(address, timeout=20).status == 200
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert (running.returncode, "Traceback" in err) == (0, False), err


def test_refusals(tmp_path, capsys):
    """A file that is none and one that is not there end in 3; without viser it is 4 with the command."""
    (tmp_path / "x.npz").write_bytes(b"x")
    assert here(capsys, "view", tmp_path / "x.npz").code == 3
    assert here(capsys, "view", tmp_path / "none.bvh").code == 3
    walker(np.arange(10) / 30)[0].save(tmp_path / "walk.npz")
    (tmp_path / "viser.py").write_text("raise ImportError('not here')")
    ended = real("view", tmp_path / "walk.npz", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert ended.code == 4 and "pip install 'mrs[view]'" in ended.err and ended.err.count("\n") == 1
