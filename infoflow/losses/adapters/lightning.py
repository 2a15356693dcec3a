"""Entropy losses as a callback of Lightning's Trainer (extra ``lightning``)."""

from __future__ import annotations

from typing import Any

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:  # pragma: no cover - told below
    from infoflow.errors import MissingDependencyError

    raise MissingDependencyError(
        "The callback needs Lightning: pip install 'infoflow[lightning]'."
    ) from error
from torch import Tensor

from infoflow.errors import CaptureError
from infoflow.losses.entropy_loss import EntropyLoss
from infoflow.losses.grammar import LossRequest
from infoflow.losses.optimizers import join


class EntropyCallback(Callback):
    """Adds entropy losses to what ``training_step`` returns, and logs each value.

    >>> Trainer(callbacks=[EntropyCallback("batch-entropy=0.2")])  # doctest: +SKIP

    Automatic optimization, one optimizer. ``training_step`` is to call the watched network once.
    α join the optimizer as a group of their own without weight decay; callback checkpoints hold
    them.

    Args:
        requests: As for `EntropyLoss`.
        network: Name of the attribute that is the network; the whole module, whose ``forward`` is
            then to be called (``self(x)``), where empty.
    """

    def __init__(self, *requests: str | LossRequest, network: str = "") -> None:
        self.requests, self.network = requests, network
        self.entropy: EntropyLoss | None = None
        self._restored: dict[str, Any] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the losses before the optimizer is made."""
        if stage == "fit":
            self.entropy = EntropyLoss(self._watched(pl_module), *self.requests)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring α to the device and into the optimizer."""
        entropy = self._entropy()
        if self._restored is not None:
            entropy.load_state_dict(self._restored)
            self._restored = None
        entropy.to(pl_module.device)
        if len(trainer.optimizers) != 1 or not pl_module.automatic_optimization:
            raise CaptureError(
                "EntropyCallback needs automatic optimization with one optimizer; in another "
                "training step use EntropyLoss itself."
            )
        schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
        join(trainer.optimizers[0], entropy.parameter_groups(), schedulers)

    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Add the terms to the loss, in place: Lightning calls ``backward`` on this very tensor."""
        entropy = self._entropy()
        scale = self._scale(trainer)
        # What arrives is the task loss times `scale`: over the accumulated batches, and scaled up
        # under mixed precision.
        task = loss.clone() / scale
        total = entropy(task)
        loss.add_((total - task) * scale)
        for name, value in entropy.values.items():
            pl_module.log(name, value)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the hooks off."""
        if self.entropy is not None:
            self.entropy.close()

    def state_dict(self) -> dict[str, Any]:
        """α, for Lightning's checkpoints."""
        return {} if self.entropy is None else {"entropy": self.entropy.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """α from a checkpoint; put to use when fitting starts."""
        self._restored = state_dict.get("entropy")

    def _watched(self, module: LightningModule) -> Any:
        return getattr(module, self.network) if self.network else module

    def _entropy(self) -> EntropyLoss:
        assert self.entropy is not None
        return self.entropy

    @staticmethod
    def _scale(trainer: Trainer) -> float:
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        grown = 1.0 if scaler is None else float(scaler.get_scale())
        return grown / trainer.accumulate_grad_batches
