"""Write an index page over the reports of a folder, so that one artifact is browsable."""

import html
import pathlib
import sys

root = pathlib.Path(sys.argv[1])
links = "".join(
    f'<li><a href="{html.escape(str(page.relative_to(root)))}">'
    f"{html.escape(page.parent.name)}</a></li>"
    for page in sorted(root.glob("*/report.html"))
)
(root / "index.html").write_text(
    f"<!doctype html><html lang=en><meta charset=utf-8><title>infoflow reports</title>"
    f"<h1>Reports of the sample models</h1><ul>{links}</ul>",
    encoding="utf-8",
)
