"""``hf:PATH``: a data set that Hugging Face's ``datasets`` saved here; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from infoflow.architectures.factories import package
from infoflow.data.arrays import PICTURES, enough, of_all
from infoflow.data.batch import Batch, of_one_input
from infoflow.data.collating import TARGETS, as_batch, together
from infoflow.data.data import Data, chosen, fewer
from infoflow.data.folder import SPLITS
from infoflow.data.labels import Array, as_targets, one_class, task_of
from infoflow.data.preprocessing import Preprocessing
from infoflow.data.user_function import data_of
from infoflow.errors import DataError, first_line
from infoflow.nearest import nearest
from infoflow.words import cut

TOKENS, MASK = "input_ids", "attention_mask"


def open_hugging_face(
    name: str,
    path: Path,
    *,
    split: str = "test",
    samples: int | None = None,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Data:
    """A folder that ``save_to_disk`` wrote: pictures with labels, token ids, or numbers.

    Raises:
        DataError: There is no such data set, or it has no column that a network takes.
        MissingDependencyError: ``datasets`` is not there (``pip install 'infoflow[hf]'``).
    """
    library = package("datasets", "datasets", name, "give the data in another form")
    found = _loaded(library, path, split)
    enough(name, len(found) if samples is None else min(samples, len(found)))
    order = chosen(len(found), samples, seed)
    rows = found.select(order.tolist())
    description = f"{path.name}: {of_all(len(order), len(found), seed)}"
    label = _label_column(library, found.features)
    names = getattr(found.features.get(label), "names", None)
    image = next((n for n, f in found.features.items() if isinstance(f, library.Image)), None)
    if image is None:
        data = data_of(name, _numbers(name, rows, label), description)
        data = replace(data, classes=tuple(names) if names else data.classes)
    else:
        data = _pictures(name, rows, image, label, names, preprocessing or Preprocessing())
        data = replace(data, description=f"{description}.")
    return replace(data, notes=(*data.notes, *fewer(len(found), samples)))


def _loaded(library: Any, path: Path, split: str) -> Any:
    if not path.is_dir():
        raise DataError(f"{path}: there is no such folder with a data set.")
    try:
        found = library.load_from_disk(str(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no data set that save_to_disk wrote: {first_line(error)}"
        ) from error
    if not isinstance(found, library.DatasetDict):
        return found
    known = next((one for one in SPLITS.get(split, (split,)) if one in found), None)
    if known is None:
        raise DataError(f"{path} has no split {split!r}; {nearest(split, list(found))}.")
    return found[known]


def _label_column(library: Any, features: Any) -> str | None:
    of_classes = (n for n, f in features.items() if isinstance(f, library.ClassLabel))
    return next(of_classes, next((name for name in TARGETS if name in features), None))


def _pictures(
    name: str,
    rows: Any,
    image: str,
    label: str | None,
    names: Sequence[str] | None,
    preprocessing: Preprocessing,
) -> Data:
    mode = "L" if preprocessing.channels == 1 else "RGB"
    targets = None if label is None else as_targets(np.asarray(rows[label]))
    task, classes = task_of(name, targets, names)

    def pictures(which: Sequence[int]) -> list[Array]:
        return [np.asarray(one.convert(mode)) for one in rows[list(which)][image]]

    def read(start: int, stop: int) -> Batch:
        prepared = [preprocessing.prepared(one[None]) for one in pictures(range(start, stop))]
        if len({one.shape for one in prepared}) > 1:
            raise DataError(
                f"{name}: its pictures have different sizes, and the network's is not known: say "
                "it with --input-size."
            )
        labels = None if targets is None else torch.from_numpy(targets[start:stop])
        return of_one_input(torch.cat(prepared), labels)

    return Data(
        name=name,
        description="",
        samples=len(rows),
        classes=classes,
        task=task,
        x_name=PICTURES,
        read=read,
        preprocessing=preprocessing.sentence(None, 1 if mode == "L" else 3),
        pictures=pictures,
        notes=one_class(targets, task, classes),
    )


def _numbers(name: str, rows: Any, label: str | None) -> Batch:
    """Columns of numbers as one batch; tokens get a mask where their lengths differ."""
    columns = [n for n in rows.features if n != label and _is_number(rows[0][n])]
    if not columns:
        raise DataError(
            f"{name} has no pictures and no numbers ({cut(list(rows.features), 5)}): text has to "
            "be made into input_ids first."
        )
    kept = [*columns, *([label] if label else [])]
    batches = []
    for i, row in enumerate(rows):
        sample = {column: np.asarray(row[column])[None] for column in kept}
        if TOKENS in sample and MASK not in sample:
            sample[MASK] = np.ones_like(sample[TOKENS])
        batches.append(as_batch(sample, f"{name}, sample {i}"))
    return together(batches, name)


def _is_number(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "iufb"
