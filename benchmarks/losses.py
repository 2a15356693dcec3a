"""What an entropy loss adds to a training step, in CPU time on one thread.

Run: python benchmarks/losses.py [fnn | resnet | vgg16 ...]
Needs infoflow and torchvision; fnn six minutes, resnet ten, vgg16 ten. Each row is a median of
ratios of steps made in turn in this process: the step with the loss over the same step without.
Beside ours runs the form of the published code, ``torch.std`` over the batch of activations that
the network hands out. Goals: batch-entropy on 30 × 1000, batch 512: at most 1.025; on a CIFAR
ResNet-26, batch 128: at most 1.06 on block outputs and 1.10 on all ReLUs; monitoring alone at most
1.02; dense and conv losses on VGG16: at most 1.05, amortised.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parent))
from harness import header

from infoflow.losses import EntropyLoss

Step = Callable[[], object]


def published(activations: Sequence[Tensor], alpha: Tensor, task: Tensor, beta: float) -> Tensor:
    """The published code's loss, as it stands in peerdavid/layerwise-batch-entropy."""
    losses = []
    for index, x in enumerate(activations):
        std = torch.std(torch.flatten(x, start_dim=1), dim=0)
        entropy = torch.mean(0.5 * torch.log(math.pi * math.e * std**2 + 1))
        target = torch.maximum(torch.full_like(alpha[index], 0.2), alpha[index].abs())
        losses.append((entropy - target) ** 2 * beta)
    return task + task * torch.mean(torch.stack(losses))


class Side:
    """A network of its own, its optimizer, and how its loss is made."""

    def __init__(
        self,
        model: nn.Module,
        x: Tensor,
        y: Tensor,
        kind: str,
        request: str,
        places: Sequence[nn.Module],
        adam: bool,
    ) -> None:
        self.model, self.x, self.y, self.kind = model, x, y, kind
        self.seen: list[Tensor] = []
        self.alpha = nn.Parameter(torch.full((max(len(places), 1),), 0.5))
        groups = [{"params": list(model.parameters())}]
        self.entropy: EntropyLoss | None = None
        if kind == "monitoring":
            request = request.replace("batch-entropy=0.2", "batch-entropy=0")
        if kind in {"ours", "monitoring"}:
            self.entropy = EntropyLoss(model, request)
            groups += self.entropy.parameter_groups()
        elif kind == "published":
            for place in places:
                place.register_forward_hook(lambda m, i, o: self.seen.append(o))
            groups.append({"params": [self.alpha]})
        make = torch.optim.Adam if adam else torch.optim.SGD
        self.optimizer = make(groups, lr=1e-5)

    def step(self) -> None:
        """One training step."""
        self.seen.clear()
        self.optimizer.zero_grad()
        loss = functional.cross_entropy(self.model(self.x), self.y)
        if self.entropy is not None:
            loss = self.entropy(loss)
        elif self.kind == "published":
            loss = published(self.seen, self.alpha, loss, 0.2)
        loss.backward()
        self.optimizer.step()


def ratios(sides: dict[str, Side], rounds: int) -> dict[str, tuple[float, float]]:
    """By side: median seconds of CPU, and the median of ratios to ``plain`` in the same round."""
    for side in sides.values():
        side.step()
        side.step()
    times: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for index in range(rounds):
        # Another one begins each round: what follows what is the same for all.
        for name in order[index % len(order) :] + order[: index % len(order)]:
            start = time.process_time()
            sides[name].step()
            times[name].append(time.process_time() - start)
    plain = times["plain"]
    return {
        name: (
            statistics.median(found),
            statistics.median(a / b for a, b in zip(found, plain, strict=True)),
        )
        for name, found in times.items()
    }


def show(title: str, found: dict[str, tuple[float, float]], goal: str) -> None:
    """Rows of a Markdown table."""
    for name, (seconds, ratio) in found.items():
        print(f"| {title} | {name} | {seconds:.3f} s | {ratio:.3f} | {goal} |", flush=True)


def fnn(rounds: int) -> None:
    """30 dense layers of 1000 units, batch 512, Adam."""

    def make(kind: str) -> Side:
        torch.manual_seed(0)
        layers: list[nn.Module] = [nn.Linear(784, 1000), nn.ReLU()]
        for _ in range(29):
            linear = nn.Linear(1000, 1000)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            layers += [linear, nn.ReLU()]
        model = nn.Sequential(*layers, nn.Linear(1000, 10))
        relus = [layer for layer in model if isinstance(layer, nn.ReLU)]
        x, y = torch.randn(512, 784), torch.randint(0, 10, (512,))
        return Side(model, x, y, kind, "batch-entropy=0.2", relus, adam=True)

    kinds = ("plain", "ours", "published", "monitoring")
    show("30 × 1000, batch 512", ratios({k: make(k) for k in kinds}, rounds), "1.025")


def resnet(rounds: int) -> None:
    """A CIFAR ResNet-26, batch 128, SGD: outputs of blocks, then all ReLUs."""
    for title, where, goal in (("blocks", "code-resnet", "1.06"), ("ReLUs", "relu", "1.10")):

        def make(kind: str, where: str = where) -> Side:
            torch.manual_seed(0)
            model = resnet26()
            blocks = [m for m in model.modules() if type(m).__name__ == "BasicBlock"]
            relus = [m for m in model.modules() if isinstance(m, nn.ReLU)]
            request = "batch-entropy=0.2,convention=code-resnet"
            if where == "relu":
                names = [n for n, m in model.named_modules() if isinstance(m, nn.ReLU)]
                request = f"batch-entropy=0.2:{','.join(names)}"
            x, y = torch.randn(128, 3, 32, 32), torch.randint(0, 10, (128,))
            return Side(model, x, y, kind, request, relus if where == "relu" else blocks, False)

        kinds = ("plain", "ours", "published", "monitoring")
        show(f"ResNet-26, {title}", ratios({k: make(k) for k in kinds}, rounds), goal)


class BasicBlock(nn.Module):
    """Two convolutions with batch normalisation, a shortcut, and ReLUs that are modules."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1, self.relu1 = nn.BatchNorm2d(outputs), nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2, self.relu2 = nn.BatchNorm2d(outputs), nn.ReLU()
        same = inputs == outputs
        self.around = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h/stride, w/stride)."""
        hidden = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(hidden + self.around(x))


def resnet26() -> nn.Module:
    """6·4 + 2 layers for CIFAR: stages of 16, 32 and 64 channels, four blocks each."""
    first = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
    layers: list[nn.Module] = [first, nn.BatchNorm2d(16), nn.ReLU()]
    inputs = 16
    for outputs in (16, 32, 64):
        for block in range(4):
            layers.append(BasicBlock(inputs, outputs, 2 if block == 0 and outputs > 16 else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def vgg16(rounds: int) -> None:
    """VGG16 at 224 × 224: the dense and conv losses by their own cost, over a step of batch 32."""
    import torchvision

    model = torchvision.models.vgg16()
    x, y = torch.randn(32, 3, 224, 224), torch.randint(0, 1000, (32,))
    side = Side(model, x, y, "plain", "", [], adam=False)
    every = 10
    entropy = EntropyLoss(model, "dense=1e-4", "conv=1e-4")

    def losses() -> None:
        sum(term.of_weights() for term in entropy.terms).backward()  # type: ignore[union-attr]

    plain, added = (
        statistics.median(cpu(step) for _ in range(rounds)) for step in (side.step, losses)
    )
    for name, ratio in (
        ("every step", 1 + added / plain),
        (f"every={every}", 1 + added / plain / every),
    ):
        print(f"| VGG16, batch 32, dense + conv | {name} | {added:.3f} s | {ratio:.3f} | 1.05 |")


def cpu(step: Step) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    step()
    return time.process_time() - start


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or ["fnn", "resnet", "vgg16"]
    print(header("step | side | CPU a step | ratio | goal"))
    for name in wanted:
        {"fnn": lambda: fnn(15), "resnet": lambda: resnet(9), "vgg16": lambda: vgg16(2)}[name]()
