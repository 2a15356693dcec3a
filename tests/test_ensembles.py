"""Several networks as one: laws of the entropies, the report, what is refused."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from PIL import Image  # noqa: E402
from torch import nn  # noqa: E402

from infoflow.activations.request import ActivationRequest  # noqa: E402
from infoflow.activations.together import Member, run_together  # noqa: E402
from infoflow.activations.uncertain import SHOWN, as_png  # noqa: E402
from infoflow.data import Data, of_one_input  # noqa: E402
from infoflow.ensembles import ensemble, names  # noqa: E402
from infoflow.errors import CaptureError, DataError, SelectionError  # noqa: E402
from infoflow.render.to_html import to_html  # noqa: E402
from infoflow.render.to_json import from_json, to_json  # noqa: E402
from infoflow.render.to_markdown import to_markdown  # noqa: E402

SAMPLES = 40
CLASSES = 5


class Table(nn.Module):
    """Gives each sample, which is its own number, the logits of a row of a table."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, x):
        return self.logits[x[:, 0].long()]


def numbered(logits, task="classification", targets=None):
    """Data of as many samples as a table has rows; sample i is the number i."""
    count = len(logits)
    x = torch.arange(count, dtype=torch.float32)[:, None]
    wanted = torch.arange(count) % CLASSES if targets is None else targets
    if task == "none":
        wanted = None

    def read(start, stop):
        return of_one_input(x[start:stop], None if wanted is None else wanted[start:stop])

    return Data("numbers", "Numbers.", count, None, task, "the numbers", read)


def members(*tables, data=None):
    shared = data or numbered(tables[0])
    return [Member(f"m{i}", Table(table), shared) for i, table in enumerate(tables)]


def drawn(seed, count, sharpness=3.0):
    generator = torch.Generator().manual_seed(seed)
    return [
        sharpness * torch.randn(SAMPLES, CLASSES, generator=generator, dtype=torch.float64)
        for _ in range(count)
    ]


def naive_entropy(q):
    return -sum(p * math.log(p) for p in q if p > 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.floats(0.0, 30.0), st.integers(1, 50))
def test_the_mean_is_never_surer_than_its_members_and_the_parts_add_up(
    seed, count, sharpness, size
):
    found = run_together(members(*drawn(seed, count, sharpness)), batch_size=size)
    total = found.whole.entropy
    assert bool((found.disagreement >= -1e-12).all())
    assert bool((found.disagreement <= math.log(count) + 1e-12).all())
    torch.testing.assert_close(total, found.expected + found.disagreement, rtol=0, atol=1e-12)
    own = torch.stack([member.entropy for member in found.members]).mean(dim=0)
    torch.testing.assert_close(found.expected, own, rtol=0, atol=1e-12)


def test_figures_equal_those_of_loops():
    tables = drawn(3, 3)
    found = run_together(members(*tables), batch_size=7)
    q = [table.softmax(1).tolist() for table in tables]
    for i in range(SAMPLES):
        mean = [sum(one[i][c] for one in q) / 3 for c in range(CLASSES)]
        assert found.whole.entropy[i] == pytest.approx(naive_entropy(mean), abs=1e-12)
        expected = sum(naive_entropy(one[i]) for one in q) / 3
        assert found.expected[i] == pytest.approx(expected, abs=1e-12)
        for (a, b), values in found.divergences.items():
            kl = sum(q[a][i][c] * math.log(q[a][i][c] / q[b][i][c]) for c in range(CLASSES))
            assert values[i] == pytest.approx(kl, abs=1e-12)
        # The disagreement is the members' mean divergence from the mean.
        spread = sum(p * math.log(p / m) for one in q for p, m in zip(one[i], mean, strict=True))
        assert found.disagreement[i] == pytest.approx(spread / 3, abs=1e-12)
        assert found.whole.nll[i] == pytest.approx(-math.log(mean[i % CLASSES]), abs=1e-12)
    assert set(found.divergences) == {(a, b) for a in range(3) for b in range(3) if a != b}


def test_equal_members_disagree_on_nothing_and_opposed_ones_on_all():
    table = drawn(0, 1)[0]
    same = run_together(members(table, table), batch_size=8)
    assert float(same.disagreement.abs().max()) < 1e-12
    assert float(same.divergences[0, 1].abs().max()) < 1e-12
    sure = [torch.full((SAMPLES, CLASSES), -1000.0, dtype=torch.float64) for _ in range(2)]
    sure[0][:, 0] = sure[1][:, 1] = 0.0
    opposed = run_together(members(*sure), batch_size=8)
    torch.testing.assert_close(
        opposed.disagreement, torch.full((SAMPLES,), math.log(2), dtype=torch.float64)
    )
    assert float(opposed.expected.abs().max()) == 0


@pytest.mark.parametrize("size", [1, 7, 40, 100])
def test_no_figure_depends_on_the_batch_size(size):
    tables = drawn(5, 3)
    one, other = (run_together(members(*tables), batch_size=n) for n in (13, size))
    assert torch.equal(one.whole.entropy, other.whole.entropy)
    assert torch.equal(one.disagreement, other.disagreement)


def test_samples_that_are_not_the_same_are_refused():
    tables = drawn(1, 2)
    one = numbered(tables[0])
    other = numbered(tables[0], targets=torch.zeros(SAMPLES, dtype=torch.int64))
    pair = [Member("a", Table(tables[0]), one), Member("b", Table(tables[1]), other)]
    with pytest.raises(DataError, match="not given the same samples"):
        run_together(pair, batch_size=8)
    pair[1] = Member("b", Table(tables[1]), numbered(tables[0][:20]))
    with pytest.raises(DataError, match="different numbers of samples"):
        run_together(pair, batch_size=8)


def test_networks_of_other_classes_and_of_nan_are_refused():
    tables = drawn(1, 2)
    with pytest.raises(DataError, match=r"m0 5 and m1 4"):
        run_together(members(tables[0], tables[1][:, :4]), batch_size=8)
    tables[1][30] = math.nan
    with pytest.raises(CaptureError, match="outputs of m1 are NaN"):
        run_together(members(*tables), batch_size=8)


class Seeded(nn.Module):
    """A small network on shapes."""

    def __init__(self, seed, classes=10):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.head = nn.Linear(3 * 8 * 8, classes)
        with torch.no_grad():
            self.head.weight.copy_(torch.randn(self.head.weight.shape, generator=generator) / 3)

    def forward(self, x):
        return self.head(nn.functional.adaptive_avg_pool2d(x, 8).flatten(1))


@pytest.fixture(scope="module")
def report():
    return ensemble([Seeded(0), Seeded(1), Seeded(2)], data=ActivationRequest("shapes", samples=60))


def test_the_report_adds_up_and_names_its_members(report):
    assert report.members == ("Seeded", "Seeded (2)", "Seeded (3)")
    for statistic, unit in (("value", "nats"), ("mean-bits", "bits")):
        rows = [
            report.row("", measure, statistic)
            for measure in ("predictive-entropy", "expected-entropy", "disagreement")
        ]
        assert rows[0].value == pytest.approx(rows[1].value + rows[2].value, abs=1e-12)
        assert all(row.low < row.value < row.high and row.unit == unit for row in rows)
    own = [report.row(name, "predictive-entropy").value for name in report.members]
    assert report.row("", "expected-entropy").value == pytest.approx(sum(own) / 3, abs=1e-12)
    nll = [report.row(name, "negative-log-likelihood").value for name in report.members]
    assert report.row("", "negative-log-likelihood").value <= sum(nll) / 3
    assert len(report.rows(measure="kl-divergence")) == 6
    assert {one.layer for one in report.series if one.name == "reliability"} == {
        "", *report.members
    }  # fmt: skip


def test_the_least_sure_samples_come_first_with_their_pictures(report):
    entropies = [one.entropy for one in report.samples]
    assert len(entropies) == SHOWN
    assert entropies == sorted(entropies, reverse=True)
    for one in report.samples:
        picture = Image.open(io.BytesIO(base64.b64decode(one.picture)))
        assert (picture.size, picture.mode) == ((32, 32), "RGB")
        assert 0 <= one.disagreement <= min(one.entropy, math.log(3)) + 1e-12


def test_a_picture_is_kept_as_it_is_and_a_large_one_made_smaller():
    random = np.random.default_rng(0)
    for shape in ((5, 7), (32, 32, 3)):
        pixels = random.integers(256, size=shape, dtype=np.uint8)
        np.testing.assert_array_equal(decoded(as_png(pixels)), pixels)
    tall = np.full((500, 3, 3), 9, np.uint8)
    small = decoded(as_png(tall))
    assert max(small.shape) <= 96
    assert np.unique(small).tolist() == [9]


def decoded(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))


def test_every_output_shows_it(report):
    assert from_json(to_json(report)) == report
    page, text = to_html(report), to_markdown(report)
    assert page.count("data:image/png;base64,") == SHOWN
    for words in ("total entropy", "Members and ensemble", "Seeded (3)", "most uncertain"):
        assert words in page
        assert words.replace("(3)", "(3)") in text.replace("&#40;", "(").replace("&#41;", ")")
    for words in ("Not analysed", "linear layers", "log|c₁₁|"):
        assert words not in page


def test_what_is_no_ensemble_is_refused():
    with pytest.raises(SelectionError, match="two networks or more"):
        ensemble([Seeded(0)], data="shapes")
    few = ActivationRequest("shapes", samples=10)
    with pytest.raises(DataError, match=r"different numbers of classes .*10 and .* 7"):
        ensemble([Seeded(0), Seeded(1, classes=7)], data=few)


def test_short_names_tell_sources_apart():
    assert names(["a/x.pt", "b/x.pt", "c/y.pt"]) == ["a/x.pt", "b/x.pt", "y.pt"]
    assert names(["x.pt", "runs/x.pt"]) == ["x.pt", "runs/x.pt"]
    assert names(["1/e/x.pt", "2/e/x.pt"]) == ["1/e/x.pt", "2/e/x.pt"]
    assert names(["x.pt", "x.pt"]) == ["x.pt", "x.pt (2)"]
