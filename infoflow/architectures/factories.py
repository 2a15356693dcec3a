"""Networks that somebody named, built to be looked at: torchvision's, timm's, ours, a file's."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from infoflow.architectures import cifar_resnet
from infoflow.errors import ArchitectureError, MissingDependencyError
from infoflow.nearest import nearest
from infoflow.words import with_article

if TYPE_CHECKING:
    from torch import nn

FORMS = "torchvision:NAME, timm:NAME, infoflow:NAME or path/model.py:FACTORY"


@dataclass(frozen=True)
class Blueprint:
    """How to build a network that somebody named.

    Args:
        make: Builds it, untrained.
        input_size: Spatial size of its usual input, where there is one.
        title: For people.
        channels: Of its input, where the first convolution does not say it.
    """

    make: Callable[[], nn.Module]
    input_size: tuple[int, ...] | None = None
    title: str = ""
    channels: int | None = None


def blueprint(spec: str) -> Blueprint:
    """The blueprint that a ``--arch`` specification names.

    Raises:
        ArchitectureError: It names nothing that can be built.
        MissingDependencyError: It needs a package that is not there.
    """
    source, separator, name = spec.partition(":")
    makers = {"torchvision": torchvision_blueprint, "timm": timm_blueprint, "infoflow": ours}
    if source in makers and name:
        return makers[source](name)
    path, _, factory = spec.rpartition(":")
    if path.endswith(".py") and factory:
        return user_blueprint(Path(path), factory)
    if spec.endswith(".py"):
        raise ArchitectureError(
            f"{spec!r} does not say what to call: write {spec}:FACTORY, the function or class "
            "that returns the network"
        )
    hint = f" (did you mean torchvision:{spec}?)" if not separator and spec.isidentifier() else ""
    raise ArchitectureError(f"{spec!r} is no architecture{hint}: write {FORMS}")


def torchvision_blueprint(name: str) -> Blueprint:
    """A network of `torchvision.models`, with all its auxiliary heads."""
    models = package("torchvision.models", "torchvision", f"torchvision:{name}")
    if name not in models.list_models():
        raise ArchitectureError(
            f"torchvision has no network {name!r}; {nearest(name, models.list_models())}"
        )
    builder = models.get_model_builder(name)
    options = torchvision_options(name, builder)
    weights = getattr(models.get_model_weights(name), "DEFAULT", None)
    size = _torchvision_size(weights)
    return Blueprint(lambda: builder(**options), size, torchvision_title(models, name))


def torchvision_options(name: str, builder: Callable[..., Any]) -> dict[str, Any]:
    """No download, and every auxiliary head that published files may hold."""
    known = inspect.signature(builder).parameters
    options: dict[str, Any] = {"weights": None}
    if "weights_backbone" in known:
        options["weights_backbone"] = None
    if "aux_loss" in known:
        options["aux_loss"] = True
    if name in {"googlenet", "inception_v3"}:
        options |= {"aux_logits": True, "init_weights": True}
    return options


def torchvision_title(models: Any, name: str) -> str:
    """``ResNet-50 (torchvision)``, from the name of the network's weights."""
    title: str = models.get_model_weights(name).__name__.removesuffix("_Weights")
    for pattern, replacement in _TITLES:
        title = re.sub(pattern, replacement, title)
    return f"{title.replace('_', ' ')} (torchvision)"


_TITLES = (
    (r"(MNASNet|SqueezeNet|_X|_[XY]_)(\d)_(\d)", r"\1\2.\3"),
    (r"^(Wide_ResNet|ResNet|ResNeXt|VGG|DenseNet|SqueezeNet|SSD)(\d)", r"\1-\2"),
    (r"ViT_(\w)_(\d+)", r"ViT-\1/\2"),
    (r"(\d)X(\d)D$", r"\1x\2d"),
)


def _torchvision_size(weights: Any) -> tuple[int, ...] | None:
    """What the published weights' own transform makes of an image or a clip."""
    transform = weights.transforms() if weights is not None else None
    crop = getattr(transform, "crop_size", None)
    resize = getattr(transform, "resize_size", None)
    if crop:
        size = tuple(crop) * (2 // len(crop))
        frames = _frames(weights)
        return (frames, *size) if frames else size
    if resize and type(transform).__name__ == "SemanticSegmentation":
        # It resizes the shorter edge: the square is the smallest picture it yields.
        return tuple(resize) * (2 // len(resize))
    return None


def _frames(weights: Any) -> int | None:
    """Frames a clip, from the sentence in which torchvision says how it measured."""
    words = str(weights.meta.get("_docs", "")).partition("clip_len=")[2]
    digits = words[: len(words) - len(words.lstrip("0123456789"))]
    return int(digits) if digits else None


def timm_blueprint(name: str) -> Blueprint:
    """A network of timm."""
    timm = package("timm", "timm", f"timm:{name}")
    bare = name.partition(".")[0]
    if bare not in timm.list_models():
        raise ArchitectureError(
            f"timm has no network {name!r}; {nearest(bare, timm.list_models())}"
        )
    default = timm.get_pretrained_cfg(name) or timm.get_pretrained_cfg(bare)
    size = tuple(default.input_size[1:]) if default is not None else None
    return Blueprint(lambda: timm.create_model(name, pretrained=False), size, f"{name} (timm)")


def ours(name: str) -> Blueprint:
    """A network of `infoflow.zoo`."""
    package("torch", "torch", f"infoflow:{name}")
    home = importlib.import_module("infoflow.zoo")
    zoo, residual = home.ZOO, cifar_resnet.named(f"infoflow:{name}")
    if residual is not None:
        return Blueprint(
            lambda: home.CifarResNet(residual.depth, residual.shortcut, residual.head),
            (cifar_resnet.SIDE,) * 2,
            f"ResNet-{residual.depth} (CIFAR)",
            channels=3,
        )
    if name not in zoo and name.partition("(")[0] in families().FAMILIES:
        return _of_family(name)
    if name not in zoo:
        known = [*zoo, "cifar-resnet20", *families().FAMILIES]
        raise ArchitectureError(f"infoflow has no network {name!r}; {nearest(name, known)}")
    entry = zoo[name]
    return Blueprint(entry.factory, entry.input_size, entry.title, entry.channels)


def families() -> Any:
    """The module of our families of networks, which needs torch."""
    return importlib.import_module("infoflow.zoo.families")


def _of_family(spec: str) -> Blueprint:
    """A member of a family, such as ``fnn(depth=30,width=100)``."""
    home = families()
    try:
        name, given = home.read(spec)
        family = home.FAMILIES[name]
        options = home.member(family, name, given)
    except ValueError as error:
        raise ArchitectureError(f"infoflow:{spec}: {error}") from error

    def make() -> nn.Module:
        try:
            made: nn.Module = family.make(**options)
        except (ValueError, RuntimeError, OverflowError) as error:
            raise ArchitectureError(f"infoflow:{spec}: {_said(error)}") from error
        return made

    inputs = options["inputs"]
    size = tuple(inputs[1:]) or None
    return Blueprint(make, size, home.spelled(name, given) if given else name, channels=inputs[0])


def user_blueprint(path: Path, factory: str) -> Blueprint:
    """What the user's own file calls ``factory``; the file is run, because they named it.

    The file is loaded by its path alone. Its folder does not go on the import path, where
    its other files could stand in for installed modules, so it cannot import its neighbours.
    """
    package("torch", "torch", f"{path}:{factory}")
    if not path.is_file():
        raise ArchitectureError(f"{path}: there is no such file to build the network from")
    module = load_file(path)
    if not hasattr(module, factory):
        callables = [name for name, value in vars(module).items() if callable(value)]
        raise ArchitectureError(f"{path} has no {factory!r}; {nearest(factory, callables)}")
    found = getattr(module, factory)
    if not callable(found):
        raise ArchitectureError(
            f"{path}:{factory} is {with_article(type(found).__name__)}, not a function"
        )
    return Blueprint(lambda: _called(found, f"{path}:{factory}"), None, f"{factory} ({path.name})")


def _called(factory: Callable[[], Any], spec: str) -> nn.Module:
    from torch import nn

    try:
        with contextlib.redirect_stdout(sys.stderr):
            made = factory()
    except Exception as error:
        raise ArchitectureError(f"{spec} failed: {_said(error)}") from error
    if not isinstance(made, nn.Module):
        raise ArchitectureError(
            f"{spec} returned {with_article(type(made).__name__)}, not a torch.nn.Module"
        )
    return made


def load_file(path: Path) -> ModuleType:
    """The module that a file of the user's is, run alone: without its folder on the import path.

    Raises:
        ArchitectureError: It fails; its exception is the cause.
    """
    name = f"_infoflow_user_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ArchitectureError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Data classes look their module up by name while the file runs.
    sys.modules[name] = module
    try:
        # What the file prints must not break a report on standard output.
        with contextlib.redirect_stdout(sys.stderr), _no_bytecode():
            spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ArchitectureError(f"{path} could not be run: {_explained(error, path)}") from error
    return module


@contextlib.contextmanager
def _no_bytecode() -> Iterator[None]:
    """Leaves no ``__pycache__`` in the user's folder."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _explained(error: Exception, path: Path) -> str:
    advice = (
        "the file is loaded alone, without its folder on the import path: put the network into "
        "one file, or install the package it belongs to"
    )
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        if (path.parent / f"{top}.py").exists() or (path.parent / top).is_dir():
            return f"it imports its neighbour {top!r}, and {advice}"
    if isinstance(error, ImportError) and "relative import" in str(error):
        return f"it uses a relative import, and {advice}"
    return _said(error)


def _said(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def package(module: str, package: str, wanted: str, otherwise: str = "leave --arch out") -> Any:
    """A package that is imported only when somebody asks for what needs it.

    Raises:
        MissingDependencyError: It is not there, or does not work; ``otherwise`` ends the sentence.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        state = "is not installed" if missing else f"cannot be imported ({_said(error)})"
        raise MissingDependencyError(
            f"{wanted} needs {package}, which {state}: install it with `pip install {package}`, "
            f"or {otherwise}"
        ) from error
    except RuntimeError as error:
        # A torchvision that does not fit its torch says so in a RuntimeError.
        raise MissingDependencyError(
            f"{wanted} needs {package}, which does not work here ({_said(error)}): install "
            "versions of torch and torchvision that belong together"
        ) from error
