"""What makes a run: frozen settings, read from TOML and from ``--set section.key=value``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from infoflow.errors import SelectionError
from infoflow.nearest import nearest


@dataclass(frozen=True)
class NetworkSettings:
    """What is trained.

    Args:
        name: A family (fnn, autoencoder, cnn, lenet5, resnet, vgg16, unet, transformer),
            ``torchvision:NAME``, ``path/file.py:factory``, or a checkpoint's path.
        arch: Of a checkpoint that is not recognised.
        options: The family's own, such as depth and width.
    """

    name: str = ""
    arch: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSettings:
    """What it is trained on, and what it is tested on.

    Args:
        name: As after ``--data``.
        split: That is trained on.
        samples: Of them, 0 for all.
        validation: ``test`` or another split; a number of the last training samples that are held
            out; ``auto``: the split ``test``, and of data without splits the last tenth.
        validation_samples: Of a split, 0 for all.
        root: Folder of the named sets.
        download: Fetch a named set.
        size: Height and width of pictures; empty for their own.
        mean: Of each channel; empty for the set's, or the checkpoint's own.
        std: Likewise.
        augment: Of ``flip`` (left and right, one in two) and ``crop=N`` (shifted by up to N
            pixels, black beyond the edge).
        workers: Processes that prepare batches.
    """

    name: str = ""
    split: str = "train"
    samples: int = 0
    validation: str | int = "auto"
    validation_samples: int = 0
    root: str = ""
    download: bool = False
    size: tuple[int, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    augment: tuple[str, ...] = ()
    workers: int = 0


@dataclass(frozen=True)
class LossSettings:
    """What is minimised.

    Args:
        task: ``classification``, ``reconstruction``, ``segmentation``, or ``auto``: as the network
            and the data say.
        reconstruction: ``mse``, or ``bce`` of pixels in 0..1.
        label_smoothing: Of classification.
        entropy: Entropy losses, such as ``conv=0.01:first``.
    """

    task: Literal["auto", "classification", "reconstruction", "segmentation"] = "auto"
    reconstruction: Literal["mse", "bce"] = "mse"
    label_smoothing: float = 0.0
    entropy: tuple[str, ...] = ()


@dataclass(frozen=True)
class OptimizerSettings:
    """How it is minimised.

    Args:
        name: Of the optimizer.
        learning_rate: Before the schedule.
        momentum: Of SGD.
        nesterov: Of SGD.
        betas: Of Adam.
        weight_decay: Of every parameter but those of the losses.
        schedule: Of the learning rate.
        warmup: Steps in which it rises from 0.
        milestones: Of ``steps``: shares of the run after which it falls by ``gamma``.
        gamma: Of ``steps``.
        clip: Norm to which gradients are cut, 0 for none.
    """

    name: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    nesterov: bool = False
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "steps"] = "constant"
    warmup: int = 0
    milestones: tuple[float, ...] = (0.5, 0.75)
    gamma: float = 0.1
    clip: float = 0.0


@dataclass(frozen=True)
class RunSettings:
    """How long, where, and what is kept.

    Args:
        epochs: Passes through the data; where ``steps`` is 0.
        steps: Steps of the optimizer; 0 for ``epochs``.
        batch_size: Samples a step, over all processes and accumulated parts together.
        accumulate: Parts of a step's samples that a process runs one after the other.
        seed: Of weights, order, augmentation and dropout.
        device: ``auto``, ``cpu``, ``cuda``.
        processes: On this machine, each with a part of every step's samples.
        precision: Of the network's run.
        compile: By torch.compile.
        threads: Of torch in each process, 0 for its own choice.
        log_every: Steps a row of metrics.csv.
        evaluate_every: Steps between tests; 0: after every epoch.
        checkpoint_every: Steps between checkpoints; 0: after every epoch.
        patience: Tests without a better result after which the run stops; 0: never.
    """

    epochs: int = 10
    steps: int = 0
    batch_size: int = 128
    accumulate: int = 1
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: int = 1
    precision: Literal["32-true", "64-true", "bf16-mixed", "16-mixed"] = "32-true"
    compile: bool = False
    threads: int = 0
    log_every: int = 10
    evaluate_every: int = 0
    checkpoint_every: int = 0
    patience: int = 0


@dataclass(frozen=True)
class Settings:
    """Everything that makes a run.

    Args:
        title: One line for people.
        source: Where the set-up was published, and what differs from there.
        network: What is trained.
        data: On what.
        loss: What is minimised.
        optimizer: How.
        run: How long, and where.
    """

    title: str = ""
    source: str = ""
    network: NetworkSettings = NetworkSettings()
    data: DataSettings = DataSettings()
    loss: LossSettings = LossSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    run: RunSettings = RunSettings()

    def __post_init__(self) -> None:
        _check(self)


def from_toml(text: str, name: str) -> Settings:
    """The settings of a recipe.

    Raises:
        SelectionError: It is no TOML, or a key or a value is wrong.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SelectionError(f"{name} is no TOML: {error}.") from error
    return from_tables(found, name)


def from_tables(tables: Mapping[str, Any], name: str) -> Settings:
    """The settings of nested tables, as ``to_tables`` gives them.

    Raises:
        SelectionError: A key is unknown, or a value is of the wrong kind.
    """
    made: Settings = _read(Settings, tables, name, "")
    return made


def to_tables(settings: Settings) -> dict[str, Any]:
    """The settings as tables of plain values, every default with them."""
    found = asdict(settings)
    network = found["network"]
    network |= {key: _plain(value) for key, value in dict(network.pop("options")).items()}
    return {key: _plain(value) for key, value in found.items()}


def changed(settings: Settings, assignments: Iterable[str]) -> Settings:
    """The settings with ``section.key=value`` for some of them.

    A key that stands in one section only need not say which. A value is TOML, or else plain text.

    Raises:
        SelectionError: A key is unknown (the nearest is named), or a value is of the wrong kind.
    """
    tables = to_tables(settings)
    for text in assignments:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise SelectionError(f"--set {text!r} is not of the form key=value.")
        section, leaf = _place(key, tables)
        target = tables[section] if section else tables
        target[leaf] = _value(value)
    return from_tables(tables, "--set")


def _place(key: str, tables: Mapping[str, Any]) -> tuple[str, str]:
    section, dot, leaf = key.rpartition(".")
    sections = [name for name, value in tables.items() if isinstance(value, dict)]
    if dot:
        if section not in sections:
            raise SelectionError(f"--set {key}: no section {section!r}; {nearest(section, sections)}.")
        if section != "network" and leaf not in tables[section]:
            raise _unknown(f"--set {key}", leaf, tables[section])
        return section, leaf
    homes = [name for name in sections if leaf in tables[name]]
    if leaf in tables and leaf not in sections:
        return "", leaf
    if len(homes) == 1:
        return homes[0], leaf
    if homes:
        names = " or ".join(f"{home}.{leaf}" for home in homes)
        raise SelectionError(f"--set {key} could be {names}: write which.")
    if leaf in _family_options(tables["network"]["name"]):
        return "network", leaf
    known = [inner for name in sections for inner in tables[name]]
    raise _unknown("--set", leaf, [*known, *_family_options(tables["network"]["name"])])


def _family_options(name: str) -> tuple[str, ...]:
    from infoflow.zoo.families import FAMILIES

    return tuple(FAMILIES[name].chosen) if name in FAMILIES else ()


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read(kind: type[Any], table: Mapping[str, Any], name: str, section: str) -> Any:
    hints = get_type_hints(kind)
    known = [one.name for one in fields(kind) if one.name != "options"]
    given: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{section}.{key}" if section else key
        if key not in known:
            if kind is NetworkSettings and not isinstance(value, dict):
                options[key] = tuple(value) if isinstance(value, list) else value
                continue
            raise _unknown(name, where, [f"{section}.{k}" if section else k for k in known])
        hint = hints[key]
        if is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise SelectionError(f"{name}: {where} is a table, [{where}], not {value!r}.")
            given[key] = _read(hint, value, name, key)  # type: ignore[arg-type]
        else:
            given[key] = _fitted(hint, value, f"{name}: {where}")
    if options:
        given["options"] = options
    return kind(**given)


def _fitted(hint: Any, value: Any, where: str) -> Any:
    """The value in the type of its setting."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in inner:
            raise SelectionError(f"{where} cannot be {value!r}; {nearest(str(value), inner)}.")
        return value
    if origin is tuple:
        parts = value if isinstance(value, list | tuple) else [value]
        return tuple(_fitted(inner[0], part, where) for part in parts)
    kinds: tuple[type, ...] = inner or (hint,)
    if isinstance(value, bool) and bool not in kinds:
        raise SelectionError(f"{where} is {_kinds(kinds)}, not {str(value).lower()}.")
    if isinstance(value, int) and float in kinds:
        return float(value)
    if not isinstance(value, kinds):
        raise SelectionError(f"{where} is {_kinds(kinds)}, not {value!r}.")
    return value


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _kinds(kinds: Iterable[type]) -> str:
    return " or ".join(_WORDS[kind] for kind in kinds)


def _unknown(name: str, key: str, known: Iterable[str]) -> SelectionError:
    return SelectionError(f"{name}: there is no setting {key!r}; {nearest(key, known)}.")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


_LEAST = {
    "run.epochs": 1, "run.batch_size": 1, "run.accumulate": 1, "run.processes": 1,
    "run.log_every": 1, "optimizer.learning_rate": 0.0, "optimizer.weight_decay": 0.0,
}  # fmt: skip


def _check(settings: Settings) -> None:
    """Refuses numbers that no run can have."""
    for section in ("data", "loss", "optimizer", "run"):
        part = getattr(settings, section)
        for one in fields(part):
            value = getattr(part, one.name)
            least = _LEAST.get(f"{section}.{one.name}", 0)
            numbers = value if isinstance(value, tuple) and one.name != "mean" else (value,)
            for number in numbers:
                if isinstance(number, bool) or not isinstance(number, int | float):
                    continue
                if not least <= number < float("inf"):
                    raise SelectionError(
                        f"{section}.{one.name} is {number}; the least that can be is {least}."
                    )
    if len(settings.optimizer.betas) != 2 or max(settings.optimizer.betas) >= 1:
        raise SelectionError("optimizer.betas are two numbers from 0 to below 1, such as 0.9, 0.999.")
    if settings.loss.label_smoothing > 1:
        raise SelectionError("loss.label_smoothing is a share, from 0 to 1.")
    if len(settings.data.size) not in (0, 2):
        raise SelectionError("data.size is a height and a width, such as [32, 32].")


def with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with other values of some dotted keys, which are known to be right."""
    tables = to_tables(settings)
    for key, value in values.items():
        section, _, leaf = key.partition(".")
        tables[section][leaf] = value
    return from_tables(tables, "the command")


def replaced(settings: Settings, **parts: Any) -> Settings:
    """The settings with other sections."""
    return replace(settings, **parts)
