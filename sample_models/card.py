"""The card of a sample: what it is, how it was made and what it reached."""

from __future__ import annotations

import math
import platform
import textwrap

from recipes import Recipe, Result


def optimiser_in_words(recipe: Recipe) -> str:
    """The optimiser, its settings and the course of the learning rate."""
    momentum = ", Nesterov momentum 0.9" if recipe.optimiser == "SGD" else ""
    course = (
        "a linear warm-up over the first twentieth of the steps, then a cosine down to 0"
        if recipe.cosine
        else "constant"
    )
    return (
        f"{recipe.optimiser}{momentum}, learning rate {recipe.learning_rate:g} ({course}), "
        f"weight decay {recipe.decay:g}, batches of {recipe.batch}"
    )


def card(recipe: Recipe, title: str, result: Result) -> str:
    """The card, in Markdown."""
    data = recipe.data
    share = result.accuracy
    error = math.sqrt(share * (1 - share) / result.test_images)
    epochs = result.steps * recipe.batch / result.training_images
    nested = "the weights under `state_dict`" if recipe.nested else "a bare state dict"
    augmentation = "random flips and crops with a border of 4" if recipe.augment else "none"
    steps = "" if result.steps == recipe.steps else f" --steps {result.steps}"
    return f"""# {recipe.name}

{textwrap.fill(recipe.about, 100)}

Accuracy: **{100 * share:.2f} %** on {result.test_images:,} test images of {data.title}
({result.correct:,} right; one standard error is {100 * error:.2f} points).

| | |
|---|---|
| file | `{recipe.file}`: {recipe.format}, {nested} |
| network | {title}: `infoflow.zoo.ZOO["{recipe.network}"]`, {result.parameters:,} parameters |
| data | {data.title}, {result.training_images:,} training images. {data.source} |
| input | pixels in 0..1, minus {data.mean}, over {data.std} |
| augmentation | {augmentation} |
| steps | {result.steps:,} ({epochs:.1f} epochs) |
| optimiser | {optimiser_in_words(recipe)} |
| seed | {recipe.seed} |
| loss | cross-entropy; {result.loss:.4f} nats, mean of the last 50 training steps |
| weights moved | by {100 * result.moved:.2f} % of their Frobenius norm as drawn |
| made with | torch {result.torch_version}, {result.threads} threads, {platform.machine()} CPU, \
{result.seconds:.0f} s |
| licence | Apache-2.0 (the weights) |

Made again by

    python sample_models/train.py {recipe.name} --data-root FOLDER --out NEW{steps}

On the same machine, with the same version of torch and as many threads, the weights are meant to
come out the same to the bit (README.md says what was tried); on another machine the bits differ,
and the accuracy by a little.
"""
