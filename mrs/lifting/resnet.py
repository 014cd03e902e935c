"""ResNet (He et al., CVPR 2016) in plain torch, with torchvision's names for its parameters: what HMR sees pictures with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

STAGES = ("layer1", "layer2", "layer3", "layer4")
EXPANSION = 4


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut; the second one takes the stride, as in torchvision."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        outputs = EXPANSION * width
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, inputs, H, W) to (N, 4 width, H', W')."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Pictures (N, 3, 224, 224) to codes (N, 32 width): ResNet-50 with the defaults, without its classifier."""

    def __init__(self, blocks: tuple[int, ...] = (3, 4, 6, 3), width: int = 64):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        inputs = width
        for stage, (name, count) in enumerate(zip(STAGES, blocks, strict=True)):
            wide, layers = width * 2**stage, []
            for block in range(count):
                layers.append(Bottleneck(inputs, wide, 2 if stage and not block else 1))
                inputs = EXPANSION * wide
            setattr(self, name, nn.Sequential(*layers))
        self.code_size = inputs

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the mean of the last stage over the picture."""
        x = torch.relu(self.bn1(self.conv1(pictures)))
        x = nn.functional.max_pool2d(x, 3, 2, 1)
        for name in STAGES:
            x = getattr(self, name)(x)
        return x.mean((-2, -1))


def shape_of(state: Mapping[str, torch.Tensor]) -> tuple[tuple[int, ...], int]:
    """Return blocks and width of a state with torchvision's names."""
    blocks = tuple(len({name.split(".")[1] for name in state if name.startswith(f"{stage}.")}) for stage in STAGES)
    return blocks, state["conv1.weight"].shape[0]
