# SPDX-License-Identifier: Apache-2.0
"""ResNet50 on CIFAR-100."""
