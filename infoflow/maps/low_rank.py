"""LoRA and its kin: the update B·A of a layer that is stored elsewhere (Hu et al. 2021).

The product is never formed whole. With B = Q·R (Q orthonormal columns), B·A = Q·(R·A): the map
R·A of r rows has the product's singular values, rank and Frobenius norm, and for an update of a
convolution, whose A is a convolution and whose B mixes its r channels, its symbol does at
every frequency. It is what a layer of this kind holds as its weight; the whole product is
computed where somebody wants the matrix itself.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.faults import ReadError, listed, quoted
from infoflow.checkpoints.json_objects import parse_json
from infoflow.maps.weight import Role, Tensors, Weight, refused

if TYPE_CHECKING:
    import numpy as np

_DOWN = (
    (
        re.compile(r"^(?P<stem>.+)\.lora_A(?P<adapter>(\.[^.]+)?)\.weight$"),
        "{stem}.lora_B{adapter}.weight",
    ),
    (
        re.compile(r"^(?P<stem>.+)\.lora_embedding_A(?P<adapter>(\.[^.]+)?)$"),
        "{stem}.lora_embedding_B{adapter}",
    ),
    (re.compile(r"^(?P<stem>.+)\.lora_A(?P<adapter>)$"), "{stem}.lora_B"),
    (re.compile(r"^(?P<stem>.+)\.lora_down(?P<adapter>)\.weight$"), "{stem}.lora_up.weight"),
    (
        re.compile(r"^(?P<stem>.+)[._]lora\.down(?P<adapter>)\.weight$"),
        "{stem}{joint}lora.up.weight",
    ),
)
"""Names of the first factor (PEFT, its embeddings, loralib, kohya, older diffusers), and
the second's."""
_WRAPPERS = ("base_model.model.", "lora_unet_", "lora_te1_", "lora_te2_", "lora_te_")
_ANY = re.compile(r"(^|[._])(lora|hada|lokr|oft)_")
_LONGEST_NUMBER = 400
_PLAIN = re.compile(r"\^?(?:[\w|-]|\\?\.)+")
"""Names of layers with nothing in them of a regular expression but ``.``, ``|`` and ``^``."""


@dataclass(frozen=True)
class _Names:
    """The two factors' names, and the layer that they change."""

    down: str
    up: str
    stem: str
    adapter: str


def low_rank(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """The product of two factors times its scale, named by the layer that it changes.

    The scale is ``alpha``/r: of the ``.alpha`` beside the factors, or of an adapter_config.json in
    the same folder (there also α/√r); else 1, and the note says so.
    """
    names = _names(tensor.name, tensors)
    if names is None:
        return None
    up = tensors.get(names.up)
    if up is None or tensor.unread:
        return refused(tensor, (Role(tensor.name),), f"a low-rank factor without {names.up}")
    base = _base(names, tensors)
    roles = [
        Role(names.down, f"factor of the update of {base}"),
        Role(names.up, f"factor of the update of {base}"),
    ]
    alpha = tensors.get(f"{names.stem}.alpha")
    if alpha is not None:
        roles.append(Role(alpha.name, f"alpha of the update of {base}: scales it", state=True))
        if alpha.size != 1 or "complex" in alpha.dtype:
            return refused(tensor, tuple(roles), "a low-rank factor whose alpha is no number")
    rank, *taps = tensor.shape[:1] + tensor.shape[2:]
    if reason := _misfit(tensor, up, names, tensors):
        return refused(tensor, tuple(roles), reason)
    scale, told = _scale(base, rank, alpha, tensors)
    shape = (up.shape[0], tensor.shape[1], *taps)
    where = "" if _is_present(names, tensors) else ", which is not in this file"
    note = f"LoRA update of width {rank} to this layer{where}; {told}"
    magnitude = f"{names.stem}.lora_magnitude_vector"
    if any(f"{magnitude}{end}" in tensors for end in ("", ".weight", f"{names.adapter}.weight")):
        note += "; DoRA's magnitudes need the base's weight and are not applied"

    def outer() -> np.ndarray[Any, Any]:
        return up.load().astype("float64").reshape(up.shape[0], rank)

    def times_inner(left: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        inner = tensor.load().astype(np.float64).reshape(rank, -1)
        factor = 1.0 if scale is None else scale
        if alpha is not None:
            factor = float(np.asarray(alpha.load(), np.float64).ravel()[0]) / rank
        with np.errstate(invalid="ignore", over="ignore"):
            product: np.ndarray[Any, Any] = factor * (left @ inner)
        return product.reshape(len(product), *shape[1:])

    def load() -> np.ndarray[Any, Any]:
        import numpy as np

        left = outer()
        # LAPACK would spread one NaN over everything, or fail.
        if not np.isfinite(left).all():
            return times_inner(left[: min(left.shape)])
        triangle: np.ndarray[Any, Any] = np.linalg.qr(left, mode="r")  # type: ignore[assignment]
        return times_inner(triangle)

    made = StoredTensor(f"{base}.weight", shape, tensor.dtype, load)
    return Weight(
        made,
        tuple(roles),
        note,
        product=lambda: times_inner(outer()),
        parameters=tensor.size + up.size,
    )


def unmatched(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """A tensor of an adapter of another kind, or one that ``low_rank`` left over."""
    if not _ANY.search(tensor.name):
        return None
    if "lora_magnitude_vector" in tensor.name:
        return None
    what = "a factor of an adapter of a kind that is not computed (LoHa, LoKr, OFT, lora_mid)"
    if re.search(r"lora_(embedding_)?[AB]|lora_(down|up)", tensor.name):
        what = "a low-rank factor without its counterpart"
    return refused(tensor, (Role(tensor.name),), what)


def _names(name: str, tensors: Tensors) -> _Names | None:
    for pattern, second in _DOWN:
        if found := pattern.match(name):
            stem, adapter = found["stem"], found["adapter"]
            joint = name[len(stem)]
            up = second.format(stem=stem, adapter=adapter, joint=joint)
            return _Names(name, up, stem, adapter)
    return None


def _base(names: _Names, tensors: Tensors) -> str:
    """The layer that is changed; with a suffix where the file holds it, or several updates."""
    base = names.stem
    adapter = "" if names.adapter == ".default" else names.adapter
    if _is_present(names, tensors):
        return f"{base}.lora{adapter}"
    for wrapper in _WRAPPERS:
        base = base.removeprefix(wrapper)
    return f"{base}.lora{adapter}" if adapter else base


def _is_present(names: _Names, tensors: Tensors) -> bool:
    """Whether the file holds the layer itself."""
    leaves = ("weight", "base_layer.weight", "base_layer.qweight")
    return any(f"{names.stem}.{leaf}" in tensors for leaf in leaves)


def _misfit(down: StoredTensor, up: StoredTensor, names: _Names, tensors: Tensors) -> str:
    rank = down.shape[0] if down.shape else 0
    if f"{names.stem}.lora_mid.weight" in tensors:
        return "a LoRA update of three factors (lora_mid), which is not computed"
    if not all("float" in factor.dtype for factor in (down, up)):
        return f"low-rank factors of the types {down.dtype} and {up.dtype}"
    if len(down.shape) < 2 or len(up.shape) < 2 or 0 in (*down.shape, *up.shape):
        return "low-rank factors without two dimensions"
    if up.shape[1] != rank or math.prod(up.shape[2:]) != 1:
        shapes = " and ".join("×".join(map(str, tensor.shape)) for tensor in (down, up))
        return f"low-rank factors of shapes that do not fit ({shapes})"
    return ""


def _scale(
    base: str, rank: int, alpha: StoredTensor | None, tensors: Tensors
) -> tuple[float | None, str]:
    """The factor (None where it is in a tensor), and what is said of it."""
    if alpha is not None:
        return None, "scaled by its alpha/r"
    said = tensors.metadata.get("adapter.lora_alpha", "")
    value, more = _patterned(base, tensors)
    if value is None:
        value = _number(said)
    if value is None:
        why = f"cannot be read ({quoted(said, 20)})" if said else "is not in the file"
        return 1.0, f"its alpha {why}, and its scale alpha/r was taken as 1{more}"
    root = tensors.metadata.get("adapter.use_rslora") == "True"
    return value / (math.sqrt(rank) if root else rank), (
        f"scaled by alpha/{'√r' if root else 'r'} = {value:g}/{'√' if root else ''}{rank}{more}"
    )


def _patterned(base: str, tensors: Tensors) -> tuple[float | None, str]:
    """What the first pattern of the configuration that fits gives this layer, and what to say.

    PEFT's patterns are regular expressions, of which one in a file may take for ever. Names, and
    several with ``|`` between, are what is written there; others are not applied, and told.
    """
    said = tensors.metadata.get("adapter.alpha_pattern", "{}")
    try:
        patterns = parse_json(said.encode("utf-8", "surrogatepass"), "alpha_pattern")
    except ReadError:
        return None, "; alpha_pattern cannot be read and was not applied"
    others = []
    for pattern, value in patterns.items():
        if not _PLAIN.fullmatch(pattern):
            others.append(pattern)
        elif any(_ends(base, name) for name in pattern.replace("\\.", ".").split("|")):
            number = _number(str(value)) if type(value) in (int, float) else None
            if number is None:
                return None, f"; alpha_pattern {quoted(pattern, 40)} gives no number"
            return number, _not_applied(others)
    return None, _not_applied(others)


def _ends(base: str, name: str) -> bool:
    """Whether a layer has that name, or lies somewhere under it."""
    return bool(name) and f".{base}".endswith(f".{name.removeprefix('^')}")


def _not_applied(patterns: list[str]) -> str:
    return f"; alpha_pattern {listed(patterns, 2)} was not applied" if patterns else ""


def _number(text: str) -> float | None:
    """A finite number, None for any other text."""
    try:
        number = float(text) if len(text) < _LONGEST_NUMBER else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
