"""What tests of several plugins share."""

import pytest


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Return a function that makes the checkpoint of a keypoint set's model, once a session."""
    from tests.mmpose_models import CONFIGS, write_checkpoint

    folder, made = tmp_path_factory.mktemp("mmpose"), {}

    def of(name: str):
        if name not in made:
            made[name] = write_checkpoint(CONFIGS[name], folder / f"{name}.pth")
        return made[name]

    return of
