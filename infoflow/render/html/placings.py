"""The chart of a layer's places among healthy trained layers: a strip for each figure."""

from __future__ import annotations

from markupsafe import Markup

from infoflow.render.healthy import Placed, percentile_text, placings
from infoflow.render.html.charts import WIDTH, Chart
from infoflow.render.html.svg import Scale, join, tag, tooltip
from infoflow.render.view import Facts
from infoflow.report import Measurement

_ROW, _TOP, _BOTTOM = 17, 6, 34
_X = Scale(0.0, 100.0, 104.0, WIDTH - 14.0)


def placing_chart(facts: Facts) -> Chart | None:
    """A strip from 0 to 100 % for each figure that is placed, None where none is."""
    found = placings(facts)
    if not found:
        return None
    floor = _TOP + _ROW * len(found)
    marks = (25, 50, 75)
    parts = [tag("line", class_="grid", x1=_X(x), x2=_X(x), y1=_TOP, y2=floor) for x in marks]
    for place, (one, row, value) in enumerate(found):
        parts += _strip(one, row, value, _TOP + _ROW * (place + 0.5))
    parts += [
        tag("text", f"{x}", class_="axis", x=_X(x), y=floor + 14) for x in (0, 25, 50, 75, 100)
    ]
    words = "% of healthy trained layers below"
    parts.append(tag("text", words, class_="axis", x=_X(50), y=floor + 29))
    caption = "Among healthy trained layers: no verdict on quality; ring: beyond all of them"
    height = floor + _BOTTOM
    drawing = tag(
        "svg", join(parts), viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=caption
    )
    table = tuple((one.words(row), percentile_text(value)) for one, row, value in found)
    return Chart(caption, drawing, ("figure", "percentile"), table, _among(found))


def _strip(one: Placed, row: Measurement, value: float, middle: float) -> list[Markup]:
    compared = next((c for c in row.method.split("; ") if c.startswith("compared")), "")
    hint = tooltip(
        filter(None, [f"{one.words(row)}: {percentile_text(value)} %", row.note or compared])
    )
    return [
        tag("text", one.words(row), class_="tick", x=_X.start - 10, y=middle + 4),
        tag("line", class_="zero", x1=_X.start, x2=_X.stop, y1=middle, y2=middle),
        tag("circle", hint, class_="ring beyond" if value in {0.0, 100.0} else "pt",
            cx=_X(value), cy=middle, r=4.4),
    ]  # fmt: skip


def _among(found: list[tuple[Placed, Measurement, float]]) -> str:
    """Among how many layers of how many networks, where all figures say the same."""
    said = {c for _, row, _ in found for c in row.method.split("; ") if c.startswith("among")}
    return said.pop() if len(said) == 1 else ""
