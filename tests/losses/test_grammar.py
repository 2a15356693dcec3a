import pytest
from hypothesis import given
from hypothesis import strategies as st

from infoflow.errors import SelectionError
from infoflow.losses import LOSSES, LossRequest, read


def test_every_setting_is_carried():
    request = read("batch-entropy=0.2,alpha=0.7,alpha-min=0.1,convention=code-fnn:layer*,!layer4")
    assert request.strength == 0.2
    assert request.number("alpha") == 0.7
    assert request.setting("convention") == "code-fnn"
    assert request.layers == "layer*,!layer4"
    assert read("dense=-1e-3").strength == -1e-3


@given(
    st.sampled_from(sorted(LOSSES)),
    st.floats(-1e6, 1e6).map(lambda x: float(f"{x:g}")),
    st.sampled_from(["all", "first", "layer1.*", "a,!b"]),
)
def test_text_and_request_are_the_same(name, strength, layers):
    settings = {key: s.default for key, s in LOSSES[name].settings.items()}
    request = LossRequest(name, strength, settings, layers)
    assert read(str(request)) == request


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dens=1", "'dense'"),
        ("conv", "no strength"),
        ("conv=", "no number"),
        ("conv=nan", "no number"),
        ("conv=1:", "no layer after"),
        ("conv=1,from=log", "'form'"),
        ("conv=1,form=lgo", "'log'"),
        ("conv=1,form", "not of the form"),
        ("conv=1,form=log,form=log", "twice"),
        ("batch-entropy=1,alpha-min=-1", "at least 0"),
        ("dense=1,every=1.5", "whole number"),
        ("dense=1,every=0", "at least 1"),
        ("confidence-penalty=1,alpha=2", "there are none"),
    ],
)
def test_bad_words_are_one_sentence(text, words):
    with pytest.raises(SelectionError, match=words.replace(".", r"\.")) as told:
        read(text)
    assert "\n" not in str(told.value)


def test_a_sigma_is_a_rule_or_a_number():
    assert read("information-bottleneck=1,sigma=2.5").setting("sigma") == 2.5
    assert read("information-bottleneck=1,sigma=median").setting("sigma") == "median"
