"""What each sample is made of and how it is trained: data in, figures out, no code that runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DataSet:
    """A data set: its folder, and the mean and standard deviation of its training pixels."""

    name: str
    title: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str


MNIST = DataSet(
    "mnist",
    "MNIST",
    (0.1307,),
    (0.3081,),
    "LeCun, Cortes and Burges, The MNIST database of handwritten digits; no licence stated.",
)
FASHION_MNIST = DataSet(
    "fashion-mnist",
    "Fashion-MNIST",
    (0.2860,),
    (0.3530,),
    "Xiao, Rasul and Vollgraf, Zalando Research, 2017; MIT licence.",
)
CIFAR10 = DataSet(
    "cifar10",
    "CIFAR-10",
    (0.4914, 0.4822, 0.4465),
    (0.2470, 0.2435, 0.2616),
    "Krizhevsky, Learning multiple layers of features from tiny images, 2009; no licence stated.",
)


@dataclass(frozen=True)
class Recipe:
    """One sample. ``cosine``: warm-up and cosine decay; ``nested``: weights under `state_dict`."""

    name: str
    file: str
    network: str
    data: DataSet
    about: str
    steps: int
    batch: int
    learning_rate: float
    optimiser: Literal["SGD", "AdamW"] = "AdamW"
    decay: float = 0.0
    cosine: bool = True
    augment: bool = False
    format: Literal["PyTorch zip", "PyTorch legacy", "safetensors"] = "PyTorch zip"
    nested: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """What a run gave; ``loss`` in nats, ``moved`` relative to the weights as drawn."""

    steps: int
    training_images: int
    test_images: int
    correct: int
    loss: float
    moved: float
    seconds: float
    threads: int
    torch_version: str
    parameters: int

    @property
    def accuracy(self) -> float:
        """Share of the test images that are given their label."""
        return self.correct / self.test_images


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="lenet5-mnist",
            file="lenet5-mnist.pt",
            network="lenet5",
            data=MNIST,
            about="The classic: two convolutions and three dense layers, well trained. The file is "
            "a bare state dict, without a word on the architecture.",
            steps=1400,
            batch=128,
            learning_rate=2e-3,
        ),
        Recipe(
            name="vgg-cifar10",
            file="vgg-cifar10.safetensors",
            network="vgg-style",
            data=CIFAR10,
            about="Six convolutions, each followed by batch normalisation, and two dense layers. "
            "The file's metadata name the architecture, the input's size and its normalisation.",
            steps=3900,
            batch=128,
            learning_rate=0.05,
            optimiser="SGD",
            decay=5e-4,
            augment=True,
            format="safetensors",
        ),
        Recipe(
            name="deep-fnn-torch-init",
            file="deep-fnn-torch-init.pt",
            network="deep-fnn-torch",
            data=MNIST,
            about="Thirty plain dense layers as `nn.Linear` draws them. The signal dies on its way "
            "up and the gradient on its way down: the network answers with the most frequent class "
            "of the training images whatever it is shown. Its lower matrices stay as they were "
            "drawn, and the upper ones move by some per cent.",
            steps=800,
            batch=256,
            learning_rate=1e-3,
            cosine=False,
            nested=True,
        ),
        Recipe(
            name="deep-fnn-he-init",
            file="deep-fnn-he-init.pt",
            network="deep-fnn-he",
            data=MNIST,
            about="The twin of `deep-fnn-torch-init`: the same thirty layers, data, seed, steps "
            "and optimiser. Only the weights are drawn otherwise (He et al., variance 2/fan_in, "
            "biases of zero), and it trains. The file is in PyTorch's format of before version "
            "1.6, though its name ends as its twin's.",
            steps=800,
            batch=256,
            learning_rate=1e-3,
            cosine=False,
            nested=True,
            format="PyTorch legacy",
        ),
        Recipe(
            name="transformer-encoder-fashion-mnist",
            file="transformer-encoder-fashion-mnist.safetensors",
            network="transformer-encoder",
            data=FASHION_MNIST,
            about="A small vision transformer: 4 x 4 patches, a class token, three encoder layers "
            "with four heads. Each attention keeps q, k and v packed in one `in_proj_weight`.",
            steps=1400,
            batch=128,
            learning_rate=1e-3,
            decay=0.05,
            format="safetensors",
        ),
    )
}
