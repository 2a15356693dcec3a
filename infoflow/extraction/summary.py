"""What is said of a matrix: its size beforehand, and what it holds once it is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from infoflow.extraction.budget import needed
from infoflow.extraction.choice import Choice
from infoflow.extraction.sides import sides
from infoflow.extraction.volumes import volume_rows
from infoflow.facts import Geometry
from infoflow.layers import Layer
from infoflow.memory import bytes_text
from infoflow.render.text import percent
from infoflow.words import shape_text, sides_text

Row = tuple[str, str]


def headline(choice: Choice, source: str) -> str:
    """The file, the layer and the matrix in one line."""
    wanted = choice.wanted
    which = f" {wanted.slice[0]},{wanted.slice[1]}" if wanted.what.startswith("C_M") else ""
    return f"{source} · {choice.layer.summary.name} · {wanted.what}{which}"


def size_rows(choice: Choice, ending: str, limit: int | None) -> list[Row]:
    """The estimate, from shapes alone: what ``--dry-run`` prints."""
    estimate = choice.estimate
    shape = sides_text(estimate.shape)
    rows = [("what", choice.form.says), ("shape", shape)]
    if estimate.nonzeros is not None and estimate.sparse_bytes is not None:
        share = _share(estimate.nonzeros, estimate.shape)
        rows += [
            ("non-zeros", f"at most {estimate.nonzeros:,} ({share})"),
            ("as sparse", bytes_text(estimate.sparse_bytes)),
        ]
    rows.append(("as dense", bytes_text(estimate.dense_bytes)))
    need = needed(choice, ending)
    may = "how much is free is not known" if limit is None else f"{bytes_text(limit)} may be used"
    fits = "" if limit is None or need <= limit else ": it does not fit"
    rows.append(("memory", f"{bytes_text(need)} to write {ending}; {may}{fits}"))
    return [*rows, *_note_rows(choice), *_geometry_rows(choice)]


def summary_rows(choice: Choice, layer: Layer, matrix: Any) -> list[Row]:
    """What the matrix is and holds, and what it does to volume where that is cheap to know."""
    shape = sides_text(matrix.shape)
    rows = [("what", choice.form.says), ("shape", f"{shape}, {matrix.dtype}")]
    if isinstance(matrix, np.ndarray):
        nonzeros, held = int(np.count_nonzero(matrix)), f"{bytes_text(matrix.nbytes)} dense"
    else:
        nonzeros = int(matrix.nnz)
        sparse = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
        held = f"{bytes_text(sparse)} sparse, {bytes_text(choice.estimate.dense_bytes)} if dense"
    rows.append(("non-zeros", f"{nonzeros:,} ({_share(nonzeros, matrix.shape)})"))
    rows.append(("bytes", held))
    if (found := sides(choice)) is not None:
        rows += [("rows", found[0].words), ("columns", found[1].words)]
    return [*rows, *_note_rows(choice), *_geometry_rows(choice), *volume_rows(choice, layer)]


def _share(count: int, shape: tuple[int, ...]) -> str:
    entries = 1
    for side in shape:
        entries *= side
    return percent(count / entries if entries else 0.0)


def _note_rows(choice: Choice) -> list[Row]:
    note = choice.layer.summary.note
    return [("note", note)] if note else []


def _geometry_rows(choice: Choice) -> list[Row]:
    geometry = choice.layer.geometry
    if geometry is None:
        return []
    rows = [("geometry", f"{_words(geometry)}: {choice.layer.summary.geometry}")]
    if choice.input_size is not None:
        rows.append(("input", f"{shape_text(choice.input_size)} positions"))
    if choice.wanted.what.startswith("C_M") and not _is_plain(geometry):
        rows.append(("note", f"{choice.wanted.what} is of stride 1, without padding or dilation"))
    return rows


def _words(geometry: Geometry) -> str:
    padding = shape_text(geometry.padding)
    if geometry.end_padding:
        padding += f" to {shape_text(geometry.end_padding)}"
    if any(geometry.padding):
        padding += f" ({geometry.padding_mode})"
    words = [
        f"stride {shape_text(geometry.stride)}",
        f"padding {padding}",
        f"dilation {shape_text(geometry.dilation)}",
        f"groups {geometry.groups}",
    ]
    if any(geometry.output_padding):
        words.append(f"output padding {shape_text(geometry.output_padding)}")
    return ", ".join(words)


def _is_plain(geometry: Geometry) -> bool:
    return (
        all(n == 1 for n in (*geometry.stride, *geometry.dilation))
        and not any((*geometry.padding, *geometry.end_padding))
        and geometry.groups == 1
    )
