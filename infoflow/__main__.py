"""``python -m infoflow``."""

from infoflow.cli import main

main()
