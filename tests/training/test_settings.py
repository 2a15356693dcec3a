"""Settings are read strictly, and every recipe is complete."""

from __future__ import annotations

import pytest

from infoflow.errors import SelectionError
from infoflow.training.reading import changed, from_tables, from_toml, to_tables
from infoflow.training.recipes import names, recipe
from infoflow.training.settings import Settings
from infoflow.zoo.families import FAMILIES


def test_settings_survive_tables():
    made = changed(
        Settings(),
        ["network.name=fnn", "depth=4", "data.size=[8, 9]", "validation=7", "entropy=['conv=1']"],
    )
    assert made.network.options == {"depth": 4}
    assert made.data.size == (8, 9)
    assert made.data.validation == 7
    assert made.loss.entropy == ("conv=1",)
    assert from_tables(to_tables(made), "again") == made


def test_values_are_toml_or_else_text():
    made = changed(
        Settings(),
        ["title=a line = two", "learning_rate=1", "nesterov=true", "entropy=conv=0.1,form=inverse"],
    )
    assert made.title == "a line = two"
    assert made.optimizer.learning_rate == 1.0
    assert made.optimizer.nesterov is True
    assert made.loss.entropy == ("conv=0.1,form=inverse",)


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("learning_rat=1", "'learning_rate'"),
        ("optimizer.momentun=1", "'momentum'"),
        ("optimiser.momentum=1", "no section 'optimiser'; nearest: 'optimizer'"),
        ("name=adam", "could be network.name or data.name or optimizer.name"),
        ("steps", "not of the form key=value"),
        ("run.steps=many", "run.steps is a whole number, not 'many'"),
        ("run.steps=true", "run.steps is a whole number, not true"),
        ("run.steps=-1", "run.steps is -1"),
        ("run.epochs=0", "run.epochs is 0; the least that can be is 1"),
        ("learning_rate=inf", "learning_rate is inf"),
        ("optimizer.name=adamm", "cannot be 'adamm'; nearest: 'ada"),
        ("precision=32", "run.precision cannot be 32"),
        ("betas=[0.9]", "two numbers"),
        ("size=[3]", "a height and a width"),
        ("label_smoothing=2", "a share"),
    ],
)
def test_mistakes_are_told(assignment, said):
    with pytest.raises(SelectionError) as caught:
        changed(Settings(), [assignment])
    assert said in str(caught.value)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\nstepss = 3", "recipe: there is no setting 'run.stepss'; nearest: 'run.steps'"),
        ("[rum]\nsteps = 3", "no setting 'rum'; nearest: 'run'"),
        ("run = 3", "run is a table"),
        ("[run", "is no TOML"),
        ("[data]\naugment = 3", "data.augment is text, not 3"),
    ],
)
def test_mistakes_in_recipes_are_told(text, said):
    with pytest.raises(SelectionError, match=r".") as caught:
        from_toml(text, "recipe")
    assert said in str(caught.value)


@pytest.mark.parametrize("name", names())
def test_recipes_are_read_and_say_where_they_are_from(name):
    made = recipe(name)
    assert made.title
    assert made.source
    assert made.network.name in {*FAMILIES, ""}
    assert made.loss.entropy or name == "fine-tune"


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(SelectionError, match="nearest: 'cnn-cifar10'"):
        recipe("cnn-cifar100")
