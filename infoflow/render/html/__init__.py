"""The parts of the HTML report: words, colours, charts, and the views its templates fill."""
