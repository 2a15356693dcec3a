"""The order of names with numbers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.checkpoints.natural import natural


def test_numbers_are_compared_as_numbers() -> None:
    names = ["a", "a.2.b", "a.2.c", "a.10.b", "a.010.c", "b.1"]
    mixed = [names[place] for place in (3, 5, 1, 0, 4, 2)]
    assert sorted(mixed, key=natural) == names


def test_numbers_without_bound() -> None:
    """Python refuses to convert a text of more than 4,300 digits, of any alphabet."""
    for digit in "19\N{ARABIC-INDIC DIGIT THREE}":
        assert natural(f"layer.{digit * 5000}.w") < natural(f"layer.{digit * 5000}.x")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.sampled_from("01²٣a.")) | st.text()))
def test_every_text_has_its_place(names: list[str]) -> None:
    keys = sorted(map(natural, names))
    assert len(keys) == len(names)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_the_order_is_the_numbers(one: int, other: int) -> None:
    assert (natural(f"h.{one}.w") < natural(f"h.{other}.w")) == (one < other)
