"""Networks of our own: those of ``sample_models/``, and the residual networks for CIFAR.

The module imports torch at its top, so nothing on the data-free way imports it.
"""

from infoflow.zoo.cifar_resnet import CifarResNet
from infoflow.zoo.samples import (
    ZOO,
    DeepFNN,
    LeNet5,
    TransformerEncoderClassifier,
    VGGStyle,
    ZooEntry,
    deep_fnn_he,
    deep_fnn_torch,
    encoder_layer,
)

__all__ = [
    "ZOO",
    "CifarResNet",
    "DeepFNN",
    "LeNet5",
    "TransformerEncoderClassifier",
    "VGGStyle",
    "ZooEntry",
    "deep_fnn_he",
    "deep_fnn_torch",
    "encoder_layer",
]
