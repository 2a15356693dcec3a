"""``infoflow info``: versions, devices, optional packages, and what does not fit together."""

from __future__ import annotations

import platform
import re
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Annotated

import typer

from infoflow.cli import options
from infoflow.errors import first_line

OPTIONAL = {
    "timm": ("--arch timm:NAME", "pip install 'infoflow[timm]'"),
    "onnx": ("ONNX files", "pip install 'infoflow[onnx]'"),
    "h5py": ("Keras files", "pip install 'infoflow[keras]'"),
    "ray": ("--engine ray", "pip install 'infoflow[ray]'"),
    "datasets": ("--data hf:PATH", "pip install 'infoflow[hf]'"),
    "gguf": ("quantised weights of GGUF files", "pip install 'infoflow[gguf]'"),
}
PAIR = (
    "torch and torchvision must be of one release and one build. Install both together: "
    "pip install --force-reinstall torch torchvision (for a CPU-only torch, take torchvision "
    "from the same CPU-only index). Until then everything but --arch torchvision:NAME works."
)


def info(
    json: options.Json = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
) -> None:
    """Say which versions, devices and optional packages there are, and what to mend."""
    rows: dict[str, str] = {
        "infoflow": version("infoflow"),
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
    }
    rows |= _needed()
    rows |= _torch()
    for name, (purpose, command) in OPTIONAL.items():
        rows[name] = _version(name) or f"not installed; needed for {purpose}: {command}"
    if json:
        import json as encoder

        print(encoder.dumps(rows, ensure_ascii=False, indent=2))  # noqa: T201
        return
    from rich.table import Table
    from rich.text import Text

    from infoflow.cli.console import standard_output

    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        grid.add_row(Text(name, style="bold"), Text(value))
    standard_output(no_color=no_color).print(grid)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _needed() -> dict[str, str]:
    """Versions of the packages that infoflow declares, but for the pair that ``_torch`` tells."""
    rows = {}
    for requirement in requires("infoflow") or ():
        package, _, condition = requirement.partition(";")
        name = re.split(r"[^\w.-]", package, maxsplit=1)[0]
        if "extra" in condition or name in {"torch", "torchvision"}:
            continue
        rows[name] = _version(name) or f"not installed: pip install '{package.strip()}'"
    return rows


def _torch() -> dict[str, str]:
    """Versions of torch and torchvision, devices, and what is wrong with the pair."""
    if _version("torch") is None:
        absent = "not installed; needed for --device, --arch and live modules only"
        return {"torch": f"{absent}: pip install torch torchvision"}
    try:
        torch = import_module("torch")
    except Exception as error:
        return {"torch": f"{_version('torch')}, which cannot be imported: {first_line(error)}"}
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [
            f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())
        ]
    rows = {
        "torch": torch.__version__,
        "devices": ", ".join(devices),
        "threads": str(torch.get_num_threads()),
    }
    if _version("torchvision") is None:
        return rows | {"torchvision": "not installed; needed for --arch torchvision:NAME only"}
    try:
        return rows | {"torchvision": import_module("torchvision").__version__}
    except Exception as error:
        broken = f"{_version('torchvision')} does not fit torch {torch.__version__}"
        return rows | {"torchvision": f"{broken} ({first_line(error)}). {PAIR}"}
