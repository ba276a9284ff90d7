"""Classifiers whose class activation map is exact, and the architectures that a recipe may name.

References
----------
* Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016 (class activation map)
* He et al., Deep Residual Learning for Image Recognition, CVPR 2016
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from inference.training.lite0 import Features, imagenet_lite0, texture_of


class Reading(NamedTuple):
    """What a network gives for films.

    Attributes
    ----------
    logits
        (films, findings).
    cams
        (films, findings, rows, columns): the mean of each is its logit.
    embedding
        (films, numbers): first the channels that the logits are linear in, then the texture.
    """

    logits: Tensor
    cams: Tensor
    embedding: Tensor


class FilmClassifier(nn.Module):
    """Features and a head that is linear and without bias after their mean, so a logit is the mean of its map.

    Parameters
    ----------
    features
        Module that gives `Features`; its `trunk` is a sequence of blocks.
    """

    def __init__(self, features: nn.Module, channels: int, findings: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        self.features = features
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels, findings, 1, bias=False)
        nn.init.zeros_(self.head.weight)
        self.frozen = 0

    def forward(self, films: Tensor) -> Reading:
        """Return logits, maps and embedding of films, (films, 1, rows, columns)."""
        features: Features = self.features(films)
        cams = self.head(self.dropout(features.maps))
        embedding = torch.cat([features.maps.mean(dim=(2, 3)), features.texture], dim=1)
        return Reading(cams.mean(dim=(2, 3)), cams, embedding)

    def freeze(self, blocks: int) -> None:
        """Let the first blocks of the trunk learn no more; edges are edges, and half of the time goes there."""
        self.frozen = blocks
        for block in self._frozen_blocks():
            block.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> FilmClassifier:
        """Switch between training and evaluation; frozen blocks keep their statistics."""
        super().train(mode)
        for block in self._frozen_blocks():
            block.eval()
        return self

    def _frozen_blocks(self) -> nn.Sequential:
        trunk = self.features.trunk
        assert isinstance(trunk, nn.Sequential)  # noqa: S101 - narrows the type
        return trunk[: self.frozen]


class Mirrored(nn.Module):
    """Features of a film as the mean over the film and its mirror image: which side is which then plays no part.

    The mean is taken before the head, which is linear: a logit is still the mean of its map, and a map stays exact.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    @property
    def trunk(self) -> nn.Sequential:
        """Blocks of the features, in order."""
        trunk = self.features.trunk
        assert isinstance(trunk, nn.Sequential)  # noqa: S101 - narrows the type
        return trunk

    def forward(self, films: Tensor) -> Features:
        """Return features on the grid of the film."""
        own: Features = self.features(films)
        mirror: Features = self.features(films.flip(3))
        return Features((own.maps + mirror.maps.flip(3)) / 2.0, (own.texture + mirror.texture) / 2.0)


class ResNet18(nn.Module):
    """Features of ResNet18 for one channel, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        layers = list(resnet18(weights=None).children())[1:-2]  # without stem, pooling and head
        self.trunk = nn.Sequential(nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False), *layers)

    def forward(self, films: Tensor) -> Features:
        """Return features of stride 32."""
        maps = self.trunk(films)
        return Features(maps, texture_of(maps))


LITE0_CHANNELS, RESNET18_CHANNELS = 512, 512
ARCHITECTURES: Mapping[str, Callable[[int], FilmClassifier]] = {
    "efficientnet-lite0": lambda findings: FilmClassifier(imagenet_lite0(LITE0_CHANNELS), LITE0_CHANNELS, findings),
    "resnet18": lambda findings: FilmClassifier(ResNet18(), RESNET18_CHANNELS, findings, dropout=0.0),
}


def new_classifier(architecture: str, findings: int, seed: int) -> FilmClassifier:
    """Return an untrained classifier; the seed decides what is random in it."""
    torch.manual_seed(seed)
    return ARCHITECTURES[architecture](findings)
