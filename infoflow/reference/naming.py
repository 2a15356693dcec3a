"""What to call a network of somebody's own: its file's name, with folders where that is taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path


def names(paths: Mapping[str, Path], taken: Collection[str]) -> dict[str, str]:
    """A name of its own for each network: the shortest end of its path that no other has.

    Args:
        paths: Of the networks' files, by the digests that tell networks apart.
        taken: Names of other networks.

    Returns:
        Names by digest. Where a whole path is taken (its file held another network once), the
        first digits of the digest follow it.

    >>> names({"1": Path("/ra/a.pt"), "2": Path("/rb/a.pt"), "3": Path("/rb/x.pt")}, {"x.pt"})
    {'1': 'ra/a.pt', '2': 'rb/a.pt', '3': 'rb/x.pt'}
    """
    whole = {digest: path.absolute() for digest, path in paths.items()}
    found = {}
    for digest, path in whole.items():
        others = [other for one, other in whole.items() if one != digest]
        for length in range(1, len(path.parts) + 1):
            name = _end(path, length)
            if name not in taken and all(name != _end(other, length) for other in others):
                break
        else:
            name = f"{path} {digest[:12]}"
        found[digest] = name
    return found


def _end(path: Path, length: int) -> str:
    return Path(*path.parts[-length:]).as_posix()
