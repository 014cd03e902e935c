"""The backbone that a test's mmpose config asks for: maps of coloured markers (tests/marker_people.py)."""

from mmengine.model import BaseModule
from mmpose.registry import MODELS

from tests import marker_people


@MODELS.register_module(force=True)
class MarkerMaps(BaseModule):
    """Maps (N, 17, 64, 48) of how like each marker's colour the places of pictures (N, 3, 256, 192) are."""

    def forward(self, pictures):
        """Return them as the only level; the middle of cell c is at pixel 4 c, as mmpose trains them."""
        import torch

        return (torch.nn.functional.max_pool2d(marker_people.maps(pictures), 5, 4, 2),)
