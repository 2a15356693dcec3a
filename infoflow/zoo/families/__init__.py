"""Families of networks by name and options, for training; each in a file of its own.

A member is written ``infoflow:fnn(depth=30,width=1000,inputs=1x28x28,classes=10)``: with every
option, so that a file that says it can be built again.
"""

from infoflow.zoo.families.autoencoder import Autoencoder
from infoflow.zoo.families.cnn import CNN
from infoflow.zoo.families.family import Family, Option, built, member, read, spelled
from infoflow.zoo.families.fnn import FNN
from infoflow.zoo.families.lenet import LeNet
from infoflow.zoo.families.resnet import ResNet
from infoflow.zoo.families.transformer import Transformer
from infoflow.zoo.families.unet import UNet
from infoflow.zoo.families.vgg import VGG16

__all__ = [
    "CNN",
    "FAMILIES",
    "FNN",
    "VGG16",
    "Autoencoder",
    "Family",
    "LeNet",
    "Option",
    "ResNet",
    "Transformer",
    "UNet",
    "built",
    "member",
    "read",
    "spelled",
]

FAMILIES: dict[str, Family] = {
    "fnn": Family(FNN, "a plain network of equal dense layers", pictures=False),
    "autoencoder": Family(
        Autoencoder, "dense layers to a latent code and back", "reconstruction", pictures=False
    ),
    "cnn": Family(CNN, "blocks of convolution, ReLU and pooling, then two dense layers"),
    "lenet5": Family(LeNet, "LeNet-5 with ReLU and max pooling"),
    "resnet": Family(ResNet, "He et al.'s residual networks for CIFAR, of depth 6n + 2"),
    "vgg16": Family(VGG16, "VGG-16, with batch normalisation or without"),
    "unet": Family(UNet, "a U-Net: a label for each pixel", "segmentation"),
    "transformer": Family(Transformer, "a small vision transformer"),
}
"""Every family by its name."""
