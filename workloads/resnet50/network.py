# SPDX-License-Identifier: Apache-2.0
"""torchvision's ResNet50 for images of 32 x 32: a first layer of 3 x 3 with stride 1, no max-pool.

He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, arXiv 1512.03385.
"""

from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

WIDTH = 64  # ResNet50's
_BLOCKS = [3, 4, 6, 3]


class CifarResNet50(ResNet):
    """[batch, 3, 32, 32] to [batch, classes]. `width` other than 64 divides or multiplies every
    layer's channels: 50 layers still, but not ResNet50. `zero_init`: every residual branch starts
    as zero (Goyal et al., arXiv 1706.02677); narrow networks hardly begin to learn without."""

    def __init__(self, classes: int, width: int = WIDTH, zero_init: bool = False) -> None:
        self._width = width
        super().__init__(Bottleneck, _BLOCKS, num_classes=classes, zero_init_residual=zero_init)
        self.conv1 = nn.Conv2d(3, width, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity()
        self.fc = nn.Linear(8 * width * Bottleneck.expansion, classes)

    def _make_layer(self, block: type, planes: int, blocks: int, stride: int = 1,
                    dilate: bool = False) -> nn.Sequential:
        """torchvision fixes the planes of the four stages to 64, 128, 256 and 512."""
        if planes == WIDTH:
            self.inplanes = self._width
        return super()._make_layer(block, planes * self._width // WIDTH, blocks, stride, dilate)
