"""What is known of one weight beyond its numbers: geometry, kind, initialisation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a convolution moves over its input.

    Args:
        stride: One number a spatial dimension.
        padding: Zeros (or what ``padding_mode`` says) at *both* ends, one number a dimension;
            ``()`` where a format pads the two ends differently, or as the input's size asks for.
        dilation: One number a spatial dimension.
        groups: Number of groups.
        transposed: Whether it is a transposed convolution (torch stores (C_in, C_out/groups, …)).
        padding_mode: ``zeros``, ``reflect``, ``replicate`` or ``circular``.
        output_padding: For transposed convolutions.
        input_size: Spatial size of its input, None where unknown.
        end_padding: Padding at the far end where it is another (``same`` with an even kernel).
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    transposed: bool = False
    padding_mode: str = "zeros"
    output_padding: tuple[int, ...] = ()
    input_size: tuple[int, ...] | None = None
    end_padding: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Initialisation:
    """How a fresh network of this architecture draws a weight.

    ``family`` is ``normal`` (``scale``: standard deviation), ``uniform`` (``scale``: half-width
    b of (−b, b)) or ``constant`` (``scale``: the value).
    """

    family: str
    scale: float


@dataclass(frozen=True, slots=True)
class ParameterFacts:
    """What one weight tensor is, in its network.

    Args:
        kind: ``dense``, ``convolution``, ``normalisation``, ``attention`` (q, k and v packed
            along the rows), ``embedding`` or ``other``.
        geometry: Of a convolution.
        normalisation: Name of the normalisation *weight* tensor whose module takes this layer's
            output directly, as its only user; ``""`` where there is none.
        epsilon: Of a normalisation.
        initialisation: How it is drawn, None where unknown.
        reason: For ``other``: what it is, in words (``class token``, ``layer scale``).
        parts: Of a dense weight that holds several linear maps one below the other, their names
            from the top: equal shares of the rows (the gates of an LSTM).
        transposed: Whether a dense weight is stored (in, out), with its parts side by side. Its
            transpose is taken before anything else.
    """

    kind: str
    geometry: Geometry | None = None
    normalisation: str = ""
    epsilon: float | None = None
    initialisation: Initialisation | None = None
    reason: str = ""
    parts: tuple[str, ...] = ()
    transposed: bool = False

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape can be that: a file may say of one what holds of another.

        >>> facts = ParameterFacts("convolution", Geometry((1, 1), (0, 0), (1, 1)))
        >>> facts.fits((8, 3, 3, 3)), facts.fits((8,))
        (True, False)
        """
        if self.geometry is not None:
            return len(shape) == 2 + len(self.geometry.stride)
        return self.kind not in ("dense", "convolution") or len(shape) >= 2
