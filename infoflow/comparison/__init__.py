"""What changed between checkpoints of one architecture.

``comparison`` holds the plain data, which renderers read; ``weight_change`` and ``subspaces`` are
the mathematics of two weights. `infoflow.comparing` is where reading, measuring and comparing meet.
"""
