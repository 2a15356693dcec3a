"""Small networks, odd ones on purpose, and batches for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from infoflow.capture.batches import Batch, Inputs

CLASSES = 3


class FunctionalResNet(nn.Module):
    """A CIFAR ResNet in small: functional ReLU, additions in place, a shortcut of option A."""

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.stride = outputs // inputs
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=self.stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)

        def forward(self, x: Tensor) -> Tensor:
            out = functional.relu(self.bn1(self.conv1(x)))
            out = self.bn2(self.conv2(out))
            shortcut = x[:, :, :: self.stride, :: self.stride]
            more = out.shape[1] - x.shape[1]
            out += functional.pad(shortcut, (0, 0, 0, 0, more // 2, more // 2))
            return functional.relu(out)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(self.Block(4, 4), self.Block(4, 4))
        self.layer2 = nn.Sequential(self.Block(4, 8))
        self.linear = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(x)))))
        out = functional.avg_pool2d(out, out.shape[-1])
        return self.linear(out.view(out.size(0), -1))


class UNet(nn.Module):
    """Two levels, joined by concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ELU(inplace=True))
        self.pool = nn.MaxPool2d(2)
        self.bottom = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.last = nn.Conv2d(6, 4, 3, padding=1)
        self.head = nn.Conv2d(4, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down(x)
        coarse = self.up(self.bottom(self.pool(fine)))
        return self.head(self.last(torch.cat([fine, coarse], 1)).relu_())


class Reused(nn.Module):
    """One layer three times, and an addition around the middle one."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)
        self.act = nn.Tanh()
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        first = self.act(self.layer(x))
        second = first + self.act(self.layer(first))
        return self.head(self.act(self.layer(second)))


class InPlace(nn.Module):
    """Everything that can be changed in place is, also through views."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.act = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(2)
        self.flat = nn.Flatten()
        self.hidden = nn.Linear(32, 8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x -= 0.5
        out = self.conv(x)
        out += 0.1
        out = self.act(out)
        out = self.norm(out)
        functional.elu(out.view(-1), inplace=True)
        out = self.hidden(self.flat(out))
        out[:, :4].mul_(2.0)
        return self.head(torch.relu_(out))


class Dense(nn.Module):
    """Concatenations as in DenseNet; its own weights used through functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 4)
        self.weight = nn.Parameter(torch.randn(5, 10))
        self.head = nn.Linear(15, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        one = torch.cat([x, self.first(x).sigmoid()], 1)
        two = torch.cat([one, torch.relu(one @ self.weight.T)], 1)
        return self.head(two)


class Slices(nn.Module):
    """A buffer put together from parts, of which one is then taken."""

    class Half(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :4]

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 4), nn.Linear(6, 4)
        self.mix = nn.Linear(8, 8)
        self.part = self.Half()
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.zeros(len(x), 8, dtype=x.dtype)
        both[:, :4] = self.left(x)
        both[:, 4:] = self.right(x)
        return self.head(self.part(self.mix(both)))


class Outputs(nn.Module):
    """A dictionary of tuples comes out; one entry is of another branch."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 5, batch_first=True)
        self.head = nn.Linear(5, CLASSES)
        self.other = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> dict[str, object]:
        states, (last, _) = self.lstm(x)
        return {"extra": (self.other(last[0]), 7), "logits": self.head(states[:, -1])}


class TwoInputs(nn.Module):
    """A condition goes around the first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 5)
        self.second = nn.Linear(9, 5)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        hidden = torch.relu(self.first(image))
        return self.head(torch.relu(self.second(torch.cat([hidden, condition], 1))))


class Tokens(nn.Module):
    """Token ids and a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        padding = None if mask is None else ~mask
        tokens = self.encoder(self.embedding(ids), src_key_padding_mask=padding)
        return self.head(tokens.mean(1))


class Mapped(nn.Module):
    """A function mapped over samples."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(6, 6), nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.vmap(torch.tanh)(self.first(x)))


class Recurrent(nn.Module):
    """A cell that runs over the columns of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(2, 4), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 4)
        for column in range(0, 6, 2):
            state = self.cell(x[:, column : column + 2], state)
        return self.head(state)


class Checkpointed(nn.Module):
    """A segment that is computed again in the backward pass."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.first = nn.Linear(6, 6)
        self.segment = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        hidden = checkpoint(self.segment, self.first(x), use_reentrant=self.reentrant)
        return self.head(hidden)


class Cube(torch.autograd.Function):
    """x³ with a gradient of its own."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * gradient


class OwnFunction(nn.Module):
    """A function of its own, a parametrised weight, a norm over normal attention-free tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.first = parametrizations.weight_norm(nn.Linear(6, 6))
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(Cube.apply(self.first(x)))


class Escapes(nn.Module):
    """A number leaves torch and comes back."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.first = nn.Linear(6, 6)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scale = x.abs().mean().item() if self.how == "item" else float(x.numpy().mean())
        return self.head(torch.relu(self.first(x))) * scale


class Unwatched(nn.Module):
    """Refuses to run while its operations or functions are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        if torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack():
            raise TypeError("a mode is on")
        return self.head(self.act(self.first(x)))


def images(*shape: int, seed: int = 0) -> Inputs:
    """One input of normal numbers."""
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(seed)),)


def token_ids(seed: int = 0) -> Inputs:
    """Ids and a mask, by name."""
    ids = torch.randint(0, 11, (4, 5), generator=torch.Generator().manual_seed(seed))
    return {"ids": ids, "mask": torch.ones(4, 5, dtype=torch.bool)}


@dataclass(frozen=True)
class Case:
    """A network and its inputs, by seed."""

    name: str
    make: Callable[[], nn.Module]
    inputs: Callable[[int], Inputs]

    def module(self) -> nn.Module:
        """The network, always with the same weights, in training mode."""
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return self.make()

    def batch(self, seed: int = 0) -> Batch:
        """Four samples with labels."""
        return Batch(self.inputs(seed), torch.tensor([0, 1, 2, 1]))


def vectors(seed: int) -> Inputs:
    return images(4, 6, seed=seed)


def small_images(seed: int) -> Inputs:
    return images(4, 1, 8, 8, seed=seed)


CASES = (
    Case("functional resnet", FunctionalResNet, small_images),
    Case("u-net", UNet, small_images),
    Case("reused module", Reused, vectors),
    Case("in place", InPlace, lambda seed: images(4, 1, 6, 6, seed=seed)),
    Case("dense", Dense, vectors),
    Case("slices", Slices, vectors),
    Case("outputs", Outputs, lambda seed: images(4, 5, 4, seed=seed)),
    Case("two inputs", TwoInputs, lambda seed: vectors(seed) + images(4, 4, seed=seed + 1)),
    Case("tokens", Tokens, lambda seed: {"ids": token_ids(seed)["ids"]}),
    Case("reentrant checkpoint", lambda: Checkpointed(reentrant=True), vectors),
    Case("checkpoint", lambda: Checkpointed(reentrant=False), vectors),
    Case("own function", OwnFunction, vectors),
    Case("mapped over samples", Mapped, vectors),
    Case("recurrent cell", Recurrent, vectors),
)
"""Networks whose output is differentiable and of CLASSES columns."""
