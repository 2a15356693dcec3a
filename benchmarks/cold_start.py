"""Cold starts: `--help`, and `analyze` of small files against a bare `import torch`.

Run: python benchmarks/cold_start.py FILE…
Goals: --help under 0.3 s; analyze of a LeNet-5 or ResNet-20 file at most 0.6 times `import torch`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from harness import INFOFLOW, compare, header

IMPORT_TORCH = [sys.executable, "-c", "import torch"]


def verify(path: str) -> None:
    """The figures are right before they are timed: c₁₁'s mean of each layer against numpy."""
    import numpy as np
    import torch

    command = [INFOFLOW, "analyze", path, "--measures", "paper", "--json", "-"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    raw = torch.load(path, map_location="cpu", weights_only=True)
    state = {k.removeprefix("module."): v for k, v in raw.get("state_dict", raw).items()}
    for row in report["measurements"]:
        if (row["measure"], row["statistic"]) == ("entropy-change.c11", "mean") and row["value"]:
            corner = state[row["layer"] + ".weight"][:, :, 0, 0].double().numpy()
            expected = np.log(np.abs(corner[corner != 0])).mean()
            assert abs(row["value"] - expected) < 1e-9, row


def main() -> None:
    print(header("command | infoflow | import torch | ratio"))
    print(compare("infoflow --help", [INFOFLOW, "--help"], IMPORT_TORCH).row())
    for path in sys.argv[1:]:
        verify(path)
        name = f"infoflow analyze {Path(path).name}"
        print(compare(name, [INFOFLOW, "analyze", path], IMPORT_TORCH, 7).row())


if __name__ == "__main__":
    main()
