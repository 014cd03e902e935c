"""Physics of a motion: a humanoid of the person's own size and mass, checks before training, retargeting.

Nothing here imports MuJoCo before a function needs it; :func:`mrs.physics.extra.mujoco` says what to install.
"""
