"""Entropy losses in Hugging Face's Trainer (extra ``transformers``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

try:
    from transformers import Trainer
except ImportError as error:  # pragma: no cover - told below
    from infoflow.errors import MissingDependencyError

    raise MissingDependencyError(
        "The trainer needs transformers: pip install 'infoflow[transformers]'."
    ) from error

from infoflow.losses.entropy_loss import EntropyLoss
from infoflow.losses.grammar import LossRequest
from infoflow.losses.optimizers import join

STATE = "entropy_loss.pt"
"""File of a checkpoint folder that holds α."""


class EntropyTrainer(Trainer):
    """A Trainer that adds entropy losses to the task loss in training, and logs each value.

    Labels and the attention mask are taken from the inputs. α are a parameter group of their own
    without weight decay, and are saved in and restored from checkpoints.

    Args:
        args: As of `transformers.Trainer`.
        entropy_losses: As for `EntropyLoss`.
        kwargs: As of `transformers.Trainer`.
    """

    def __init__(
        self, *args: Any, entropy_losses: Sequence[str | LossRequest], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        assert isinstance(self.model, nn.Module)
        self.entropy = EntropyLoss(self.model, *entropy_losses)
        self.entropy.to(self.args.device)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """The Trainer's optimizer, with α."""
        made: torch.optim.Optimizer = super().create_optimizer(*args, **kwargs)
        known = {id(p) for group in made.param_groups for p in group["params"]}
        if not known.intersection(map(id, self.entropy.parameters())):
            join(made, self.entropy.parameter_groups())
            # The Trainer clears the model's gradients, not the optimizer's.
            made.register_step_post_hook(lambda *_: self.entropy.zero_grad())
        return made

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The task loss and, in training, the entropy losses."""
        labels, mask = inputs.get("labels"), inputs.get("attention_mask")
        loss, outputs = super().compute_loss(
            model, inputs, return_outputs=True, num_items_in_batch=num_items_in_batch
        )
        if model.training and torch.is_grad_enabled():
            loss = self._total(loss, labels, mask, num_items_in_batch)
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """The Trainer's logs, with each entropy loss's last value beside the loss."""
        if "loss" in logs:
            logs = {**logs, **self.entropy.values}
        super().log(logs, *args, **kwargs)

    def _total(self, loss: Tensor, labels: Any, mask: Any, items: Any) -> Tensor:
        scaled = self.loss_is_scaled_for_ga
        if scaled is None:
            accepts = self.model_accepts_loss_kwargs and items is not None
            scaled = accepts or self.compute_loss_func is not None
        # A loss over the whole accumulated batch is added up as it is; others are divided later.
        share = 1 / self.current_gradient_accumulation_steps if scaled else 1.0
        targets = labels if isinstance(labels, Tensor) else None
        rows = mask if isinstance(mask, Tensor) and mask.ndim == 2 else None
        total: Tensor = self.entropy(loss, targets=targets, mask=rows, share=share)
        return total

    def _save(self, output_dir: str | None = None, *args: Any, **kwargs: Any) -> None:
        super()._save(output_dir, *args, **kwargs)
        folder = Path(output_dir or str(self.args.output_dir))
        torch.save(self.entropy.state_dict(), folder / STATE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, *args, **kwargs)
        path = Path(resume_from_checkpoint) / STATE
        if path.is_file():
            self.entropy.load_state_dict(torch.load(path, weights_only=True))
