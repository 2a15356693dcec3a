"""Settings: every key, and one sentence with file and entry for what is wrong."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infoflow.checking.files import find_settings, read_settings
from infoflow.checking.settings import Settings, Suppression, Threshold, settings_from
from infoflow.errors import CheckError
from tests.checking.making import KNOWN

WHOLE = """
checkpoints = ["models/*.pt"]
measures = "paper, log-volume"
layers = ["features.*"]
arch = "torchvision:resnet18"
input-size = 224
weights = "ema"
fast = true
seed = 7
fail-on = "warning"
baseline = "b.json"
[[threshold]]
measure = "entropy-change.c11"
statistic = "mean"
layers = ["features.*, !features.0", "type:dense"]
min = -3
max-decrease-percent = 2.5
[[suppress]]
rule = "dead-filters"
layers = "features.0"
reason = "ticket 123"
until = 2027-01-01
"""


def read(text):
    return settings_from(tomllib.loads(text), "infoflow.toml", "", KNOWN)


def test_every_key_arrives():
    assert read(WHOLE) == Settings(
        checkpoints=("models/*.pt",),
        measures=("paper", "log-volume"),
        layers=("features.*",),
        arch="torchvision:resnet18",
        input_size=(224, 224),
        weights="ema",
        fast=True,
        seed=7,
        fail_on="warning",
        baseline="b.json",
        thresholds=(
            Threshold(
                "entropy-change.c11",
                {"min": -3.0, "max-decrease-percent": 2.5},
                "mean",
                ("features.*", "!features.0", "type:dense"),
            ),
        ),
        suppressions=(
            Suppression("dead-filters", "ticket 123", ("features.0",), date(2027, 1, 1)),
        ),
    )


def test_nothing_said_is_the_default():
    assert read("") == Settings()


THRESHOLD = '[[threshold]]\nmeasure = "stable-rank"\n'
SUPPRESS = '[[suppress]]\nrule = "dead-filters"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("threshhold = 1", ["'threshhold'", "nearest: 'threshold'"]),
        ("fail-on = 'serios'", ["'serios'", "nearest: 'serious'"]),
        ("fail-on = 1", ["fail-on = 1 is not a text"]),
        ("measures = 'papper'", ["'papper'", "nearest: 'paper'"]),
        ("measures = []", ["measures = [] names nothing"]),
        ("layers = []", ["layers = [] names nothing", "leave layers out"]),
        ("measures = [1]", ["measures holds 1"]),
        ("layers = ['!']", ["'!'", "no pattern"]),
        ("layers = ['!!a']", ["'!!a'"]),
        ("layers = ['type:']", ["no pattern"]),
        ("layers = ','", ["names no layers"]),
        ("layers = ''", ["text with something"]),
        ("arch = '  '", ["arch"]),
        ('baseline = "a\\u0000b"', ["baseline"]),
        ('checkpoints = ["a\\u0000/*"]', ["checkpoints"]),
        ("input-size = 0", ["input-size = 0"]),
        ("input-size = true", ["input-size = true"]),
        ("input-size = [1, 2, 3, 4]", ["such as 224"]),
        ("weights = 'emma'", ["nearest: 'ema'"]),
        ("fast = 1", ["neither true nor false"]),
        ("seed = -1", ["whole number from 0 on"]),
        ("seed = true", ["seed = true"]),
        ("checkpoints = {}", ["checkpoints"]),
        ("baseline = ['a']", ["baseline"]),
        ("[threshold]\nmin = 1", ["not an array of tables", "[[threshold]]"]),
        ("threshold = [1]", ["[[threshold]] number 1", "not a table"]),
        ("[[threshold]]\nmin = 1", ["names no measure"]),
        ("[[threshold]]\nmeasure = 'stable-rnk'\nmin = 1", ["'stable-rnk'", "'stable-rank'"]),
        (THRESHOLD, ["(stable-rank)", "nothing is limited"]),
        (THRESHOLD + "mim = 1", ["'mim'", "'min'"]),
        (THRESHOLD + "min = nan", ["min = nan", "not a finite number"]),
        (THRESHOLD + "max = inf", ["max = inf"]),
        (THRESHOLD + "max = -inf", ["max = -inf"]),
        (THRESHOLD + "min = true", ["min = true is not a number"]),
        (THRESHOLD + "min = '1'", ["min = '1' is not a number"]),
        (THRESHOLD + "min = 1" + "0" * 400, ["not a finite number"]),
        (THRESHOLD + "min = 2\nmax = 1", ["min = 2 is above max = 1"]),
        (THRESHOLD + "max-change = -1", ["negative"]),
        (THRESHOLD + "max-change-percent = nan", ["not a finite number"]),
        (THRESHOLD + "min = 1\nstatistic = 3", ["statistic = 3"]),
        (THRESHOLD + "min = 1\nlayers = [1]", ["layers holds 1"]),
        (THRESHOLD + "min = 1\n" + THRESHOLD, ["number 2"]),
        (SUPPRESS, ["needs a reason"]),
        (SUPPRESS + "reason = ' '", ["reason"]),
        (SUPPRESS + "reason = 'x'\nuntil = '2027-01-01'", ["until", "unquoted"]),
        (SUPPRESS + "reason = 'x'\nuntil = 2027-01-01T00:00:00", ["until"]),
        (SUPPRESS + "reason = 'x'\nmeasure = 'y'", ["'measure'"]),
        ("[[suppress]]\nrule = 'dead-filter'\nreason = 'x'", ["nearest: 'dead-filters'"]),
        ("[[suppress]]\nreason = 'x'", ["names no rule", "dead-filters"]),
    ],
)
def test_what_is_wrong_is_one_sentence_with_file_and_entry(text, words):
    with pytest.raises(CheckError) as caught:
        read(text)
    sentence = str(caught.value)
    assert sentence.startswith("infoflow.toml")
    assert sentence.endswith(".")
    for word in words:
        assert word in sentence


JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*"ab", "measure", "rule", "min"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["checkpoints", "measures", "layers", "input-size", "seed", "fail-on",
                        "threshold", "suppress", "fast", "other"])  # fmt: skip


@given(st.dictionaries(KEYS, JUNK, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_table_is_settings_or_one_sentence(table):
    sentence = "x.toml"
    try:
        settings_from(table, "x.toml", "", KNOWN)
    except CheckError as error:
        sentence = str(error)
    assert sentence.startswith("x.toml")


def test_the_nearest_file_up_to_the_repository(tmp_path):
    (tmp_path / "infoflow.toml").write_text("")
    inner = tmp_path / "repo" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    assert find_settings(inner) is None  # beyond the repository
    (tmp_path / "repo" / "pyproject.toml").write_text("[tool.infoflow]\nseed = 3")
    assert find_settings(inner) == tmp_path / "repo" / "pyproject.toml"
    (tmp_path / "repo" / "a" / "pyproject.toml").write_text("[tool.other]")
    assert find_settings(inner) == tmp_path / "repo" / "pyproject.toml"
    (inner / "infoflow.toml").write_text("")
    assert find_settings(inner) == inner / "infoflow.toml"
    assert find_settings(tmp_path / "repo") == tmp_path / "repo" / "pyproject.toml"


def test_outside_of_a_repository_the_folder_alone_is_looked_at(tmp_path):
    (tmp_path / "infoflow.toml").write_text("")
    (tmp_path / "inner").mkdir()
    assert find_settings(tmp_path / "inner") is None
    assert find_settings(tmp_path) == tmp_path / "infoflow.toml"


def test_both_in_one_folder_are_refused(tmp_path):
    (tmp_path / "infoflow.toml").write_text("")
    (tmp_path / "pyproject.toml").write_text("[tool.infoflow]")
    with pytest.raises(CheckError, match="keep one"):
        find_settings(tmp_path)


def test_pyproject_names_its_tables_in_sentences(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text("[[tool.infoflow.threshold]]\nmin = 1")
    with pytest.raises(CheckError, match=r"\[\[tool.infoflow.threshold\]\] number 1"):
        read_settings(path, KNOWN)
    path.write_text("[project]")
    with pytest.raises(CheckError, match=r"no table \[tool.infoflow\]"):
        read_settings(path, KNOWN)
    path.write_text("tool = 3")
    with pytest.raises(CheckError, match=r"no table \[tool.infoflow\]"):
        read_settings(path, KNOWN)
    path.write_text("[tool]\ninfoflow = 3")
    with pytest.raises(CheckError, match="not a table"):
        read_settings(path, KNOWN)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = ", "not TOML"),
        (b"a = '\xff'", "not UTF-8"),
        (b"a = " + b"[" * 100_000, "not TOML"),
        (b"a = 1\na = 2", "not TOML"),
    ],
)
def test_files_that_are_no_toml(tmp_path, content, words):
    path = tmp_path / "infoflow.toml"
    path.write_bytes(content)
    with pytest.raises(CheckError, match=words):
        read_settings(path, KNOWN)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(CheckError, match="no such file"):
        read_settings(tmp_path / "missing.toml", KNOWN)
    with pytest.raises(CheckError, match="cannot be read"):
        read_settings(tmp_path, KNOWN)
