"""Make a table of healthy networks from lists: ``python -m infoflow.build_reference LIST…``.

    pip download --no-deps -d wheels attacut==1.0.6 …
    python -m infoflow.build_reference infoflow/reference/healthy.toml \
        --root wheels --root sample_models --root ../shared/data/weights \
        --out infoflow/reference/healthy.json

Every file's SHA-256 is verified; one that is missing or another one ends it, with nothing written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from infoflow.analysis import analyze
from infoflow.errors import InfoflowError
from infoflow.reference.gathering import network_of
from infoflow.reference.sources import ListedNetwork, found, read_list
from infoflow.reference.storing import to_json
from infoflow.reference.table import Network, Table
from infoflow.words import counted


def built(sources: Iterable[ListedNetwork], roots: Sequence[Path]) -> Iterator[Network]:
    """Each listed network, analysed with the default measures.

    Raises:
        InfoflowError: A file is missing, is another one, or cannot be analysed.
    """
    for source in sources:
        with found(source, roots) as path:
            report = analyze(path, layers=source.layers, complete=False, reference="none")
        yield network_of(report, source.name, source.sha256, source.about)


def main() -> None:
    """Read the command line and write the table."""
    from infoflow.render.files import write_text

    parser = argparse.ArgumentParser(prog="infoflow.build_reference", description=__doc__)
    parser.add_argument("lists", nargs="+", type=Path, metavar="LIST")
    parser.add_argument("--root", action="append", type=Path, default=[])
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    try:
        sources = [source for path in chosen.lists for source in read_list(path)]
        table = Table(tuple(built(sources, chosen.root or [Path()])))
        write_text(chosen.out, to_json(table))
    except InfoflowError as error:
        sys.stderr.write(f"infoflow.build_reference: {error}\n")
        sys.exit(2)
    sys.stderr.write(f"wrote {chosen.out}: {counted(len(table.networks), 'network')}\n")


if __name__ == "__main__":
    main()
