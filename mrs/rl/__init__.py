"""Learn a motion in simulation: the Gymnasium environment `mrs/Imitation-v0`. Importing this module registers it.

    import gymnasium, mrs.rl
    env = gymnasium.make("mrs/Imitation-v0", motion="walk.bvh", loop=True)
"""

from __future__ import annotations

ENV_ID = "mrs/Imitation-v0"


def register() -> None:
    """Tell Gymnasium of the environment, where Gymnasium is installed."""
    from mrs.physics.extra import has

    if not has("gymnasium"):
        return
    import gymnasium

    if ENV_ID not in gymnasium.registry:
        gymnasium.register(ENV_ID, entry_point="mrs.rl.env:ImitationEnv", vector_entry_point="mrs.rl.env:ImitationVectorEnv")


register()
