"""The digest of a checkpoint of several files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def digest_of(digests: Iterable[str]) -> str:
    """SHA-256 of the sorted hexadecimal SHA-256 of all files, each followed by a line feed."""
    joined = "".join(f"{digest}\n" for digest in sorted(digests))
    return hashlib.sha256(joined.encode()).hexdigest()
