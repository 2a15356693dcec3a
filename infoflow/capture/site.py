"""A place in a network whose output is watched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """An output of a module or of a functional call, seen in one forward pass.

    Names are stable from pass to pass:

    - ``conv1``: what the module of that name returned; ``pool#2`` what its second call returned.
    - ``conv1.relu``: what the function ``relu`` made of the output of the layer ``conv1``.
    - ``layer1.0.softmax``: what a function made, inside the module ``layer1.0``, of something else;
      ``softmax`` alone where that module is the whole network.
    - ``lstm.0``, ``head.logits``: an element of a tuple, an entry of a dictionary.

    Args:
        name: As above.
        module_type: Class of the module, or name of the function.
        call: 1 for the first call under this name, 2 for the second.
        role: ``linear map``, ``nonlinearity``, ``pooling``, ``normalisation``, ``attention``,
            ``embedding``, ``recurrent``, ``container`` or ``other``.
    """

    name: str
    module_type: str
    call: int
    role: str
