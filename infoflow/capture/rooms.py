"""Where gathered values are kept: in memory, or in files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from infoflow.capture.batches import Batch
from infoflow.capture.site import Site
from infoflow.capture.survey import SiteSize


@dataclass
class Gathered:
    """All samples of some sites, on the CPU, in float32 (float64 where computed so).

    Args:
        activations: (n, …) for each site.
        errors: (n, …) for each site that the loss depends on.
        non_finite: For each site with a NaN or an infinity, the first row that has one.
    """

    activations: dict[Site, Tensor] = field(default_factory=dict)
    errors: dict[Site, Tensor] = field(default_factory=dict)
    non_finite: dict[Site, int] = field(default_factory=dict)


class Room:
    """Keeps everything in memory.

    Args:
        samples: How many rows there will be.
        sizes: The sites.
    """

    def __init__(self, samples: int, sizes: Mapping[Site, SiteSize]) -> None:
        self.samples, self.sizes = samples, sizes
        self.gathered = Gathered()
        self.reached: dict[tuple[int, Site], int] = {}

    def activation(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Keep the rows."""
        self._keep(self.gathered.activations, site, values, rows)
        note_non_finite(self.gathered.non_finite, site, values, rows)

    def error(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Keep the rows."""
        self._keep(self.gathered.errors, site, values, rows)

    def taken(self) -> Iterator[Gathered]:
        """What was kept, all at once; it is let go of when the next is asked for."""
        for kept in (self.gathered.activations, self.gathered.errors):
            for site, values in kept.items():
                values[self.reached.pop((id(kept), site)) :] = torch.nan
        yield self.gathered
        # A loop over this still holds the object, and the next pass needs the memory.
        self.gathered.activations.clear()
        self.gathered.errors.clear()

    def _keep(self, kept: dict[Site, Tensor], site: Site, values: Tensor, rows: slice) -> None:
        if site not in kept:
            size = self.sizes[site]
            kept[site] = torch.empty((self.samples, *size.shape), dtype=kept_as(size))
        # Rows of batches that do not reach the site must not pass for numbers.
        kept[site][self.reached.get((id(kept), site), 0) : rows.start] = torch.nan
        kept[site][rows] = values.to(kept[site].dtype).cpu()
        self.reached[id(kept), site] = rows.stop


class Spool:
    """Writes everything to files, two a site at most, and gives back one site after the other.

    Args:
        samples: How many rows there will be.
        sizes: The sites.
        folder: For the files; whoever made it removes it.
    """

    def __init__(self, samples: int, sizes: Mapping[Site, SiteSize], folder: Path) -> None:
        self.samples, self.sizes, self.folder = samples, sizes, folder
        self.activations: dict[Site, Path] = {}
        self.errors: dict[Site, Path] = {}
        self.non_finite: dict[Site, int] = {}
        self.reached: dict[Path, int] = {}

    def activation(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Write the rows."""
        path = self.activations.setdefault(site, self.folder / f"{len(self.activations)}.values")
        self._write(path, site, values, rows)
        note_non_finite(self.non_finite, site, values, rows)

    def error(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Write the rows."""
        path = self.errors.setdefault(site, self.folder / f"{len(self.errors)}.errors")
        self._write(path, site, values, rows)

    def taken(self) -> Iterator[Gathered]:
        """One site after the other, read from its file as far as it is looked at."""
        for site in self.activations:
            yield Gathered(
                {site: self._read(self.activations[site], site)},
                {site: self._read(self.errors[site], site)} if site in self.errors else {},
                {site: self.non_finite[site]} if site in self.non_finite else {},
            )

    def _write(self, path: Path, site: Site, values: Tensor, rows: slice) -> None:
        size = self.sizes[site]
        self._fill(path, size, rows.start)
        with path.open("ab") as file:
            file.write(values.to(kept_as(size)).cpu().numpy().tobytes())
        self.reached[path] = rows.stop

    def _fill(self, path: Path, size: SiteSize, until: int) -> None:
        """Rows of batches that did not reach the site, as NaN: they must not pass for numbers."""
        absent = torch.full((math.prod(size.shape),), torch.nan, dtype=kept_as(size))
        with path.open("ab") as file:
            for _ in range(self.reached.get(path, 0), until):
                file.write(absent.numpy().tobytes())
        self.reached[path] = max(until, self.reached.get(path, 0))

    def _read(self, path: Path, site: Site) -> Tensor:
        size = self.sizes[site]
        self._fill(path, size, self.samples)
        shape = (self.samples, *size.shape)
        mapped = torch.from_file(str(path), False, math.prod(shape), dtype=kept_as(size))
        return mapped.reshape(shape)


def kept_as(size: SiteSize) -> torch.dtype:
    """The type in which a site's values are kept."""
    return torch.float64 if size.element == 8 else torch.float32


def note_non_finite(found: dict[Site, int], site: Site, values: Tensor, rows: slice) -> None:
    """Note the first row that holds a NaN or an infinity, where none was seen before."""
    if site in found or bool(values.sum().isfinite()):
        return
    finite = values.reshape(len(values), -1).isfinite().all(1)
    if not bool(finite.all()):  # else the sum alone was too large
        found[site] = rows.start + int((~finite).nonzero()[0])
