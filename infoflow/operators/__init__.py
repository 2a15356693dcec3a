"""The linear maps of a network: the papers' matrices, whole layers' operators, symbols.

>>> import numpy as np
>>> from infoflow.facts import Geometry
>>> from infoflow.operators import completed, doubly_block_toeplitz, layer_operator
>>> W = np.array([[5.0, 4, 5, 3, 2], [3, 3, 1, 4, 6], [0, 0, 6, 2, 6]])
>>> completed(W).shape                                  # W′, Theorem 3
(5, 5)
>>> filter = np.array([[2.0, -1], [3, 4], [-2, 1]])
>>> doubly_block_toeplitz(filter, (4, 4)).shape         # C_M, eqs. 5–8
(6, 16)
>>> conv = Geometry(stride=(2, 2), padding=(1, 1), dilation=(1, 1))
>>> A = layer_operator(np.ones((8, 3, 3, 3)), conv, input_size=(32, 32))
>>> A.shape, A.size.nonzeros, A.to_sparse().nnz
((2048, 3072), 53016, 53016)

Matrices are float64. Rows and columns run over (channel, position), row-major, as
``tensor.ravel()`` orders them. Each name is imported on its first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infoflow.operators.dense import completed as completed
    from infoflow.operators.dense import square_part as square_part
    from infoflow.operators.layer import LayerOperator as LayerOperator
    from infoflow.operators.layer import circular_operator as circular_operator
    from infoflow.operators.layer import layer_operator as layer_operator
    from infoflow.operators.polyphase import PolyphaseKernel as PolyphaseKernel
    from infoflow.operators.polyphase import convolution_kernel as convolution_kernel
    from infoflow.operators.polyphase import dense_kernel as dense_kernel
    from infoflow.operators.size import MatrixSize as MatrixSize
    from infoflow.operators.symbol import frequency_symbol as frequency_symbol
    from infoflow.operators.toeplitz import completed_toeplitz as completed_toeplitz
    from infoflow.operators.toeplitz import doubly_block_toeplitz as doubly_block_toeplitz

_PUBLIC = {
    "LayerOperator": "layer",
    "MatrixSize": "size",
    "PolyphaseKernel": "polyphase",
    "circular_operator": "layer",
    "completed": "dense",
    "completed_toeplitz": "toeplitz",
    "convolution_kernel": "polyphase",
    "dense_kernel": "polyphase",
    "doubly_block_toeplitz": "toeplitz",
    "frequency_symbol": "symbol",
    "layer_operator": "layer",
    "square_part": "dense",
}

__all__ = [
    "LayerOperator",
    "MatrixSize",
    "PolyphaseKernel",
    "circular_operator",
    "completed",
    "completed_toeplitz",
    "convolution_kernel",
    "dense_kernel",
    "doubly_block_toeplitz",
    "frequency_symbol",
    "layer_operator",
    "square_part",
]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
