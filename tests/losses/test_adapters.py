"""The adapters with the real packages."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from infoflow.losses import EntropyLoss
from tests.losses.networks import batch, mlp

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*num_workers.*"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*"),
]
SPECS = ("batch-entropy=0.5", "dense=0.01", "confidence-penalty=0.1")


def by_hand(steps, size, accumulate=1):
    """The plain loop that both adapters must equal: SGD, weights and α after it."""
    x, y = batch(24)
    model = mlp()
    entropy = EntropyLoss(model, *SPECS)
    optimizer = torch.optim.SGD(
        [{"params": model.parameters(), "weight_decay": 0.01}, *entropy.parameter_groups()], 0.05
    )
    for step in range(steps):
        optimizer.zero_grad()
        for part in range(accumulate):
            start = (step * accumulate + part) * size % 24
            rows = slice(start, start + size)
            loss = entropy(functional.cross_entropy(model(x[rows]), y[rows]))
            (loss / accumulate).backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()], entropy.terms[0].alpha.detach()


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("network", ["", "net"])
def test_lightning(tmp_path, accumulate, network):
    pl = pytest.importorskip("lightning.pytorch")
    from infoflow.losses.adapters.lightning import EntropyCallback

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = mlp()

        def forward(self, x):
            return self.net(x)

        def training_step(self, rows, _):
            x, y = rows
            return functional.cross_entropy(self(x) if not network else self.net(x), y)

        def validation_step(self, rows, _):
            self.log("seen", functional.cross_entropy(self(rows[0]), rows[1]))

        def configure_optimizers(self):
            sgd = torch.optim.SGD(self.parameters(), 0.05, weight_decay=0.01)
            return [sgd], [torch.optim.lr_scheduler.LambdaLR(sgd, lambda epoch: 1.0)]

    module, callback = Module(), EntropyCallback(*SPECS, network=network)
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[callback],
        accumulate_grad_batches=accumulate,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    loader = DataLoader(TensorDataset(*batch(24)), batch_size=8)
    if accumulate == 2:
        loader = DataLoader(TensorDataset(*batch(24)), batch_size=6)
    trainer.fit(module, loader, loader)
    steps, size = (6, 8) if accumulate == 1 else (4, 6)
    weights, alpha = by_hand(steps, size, accumulate)
    for ours, theirs in zip(module.net.parameters(), weights, strict=True):
        torch.testing.assert_close(ours.detach(), theirs, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(callback.entropy.terms[0].alpha.detach(), alpha)
    assert trainer.optimizers[0].param_groups[1]["weight_decay"] == 0
    assert trainer.logged_metrics["batch-entropy=0.5"] > 0
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    saved = torch.load(tmp_path / "last.ckpt", weights_only=False)["callbacks"]
    assert torch.equal(next(iter(saved.values()))["entropy"]["terms.0.alpha"], alpha)
    assert not any(m._forward_hooks for m in module.modules())


class Classifier(nn.Module):
    """A network as Hugging Face's Trainer wants one."""

    def __init__(self):
        super().__init__()
        self.net = mlp()

    def forward(self, input_values, labels=None):
        logits = self.net(input_values)
        found = {"logits": logits}
        if labels is not None:
            found = {"loss": functional.cross_entropy(logits, labels), **found}
        return found


class Rows(torch.utils.data.Dataset):
    def __init__(self):
        self.x, self.y = batch(24)

    def __len__(self):
        return 24

    def __getitem__(self, index):
        return {"input_values": self.x[index], "labels": self.y[index]}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_transformers(tmp_path, accumulate):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from infoflow.losses.adapters.transformers import EntropyTrainer

    class InOrder(EntropyTrainer):
        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(self.train_dataset)

    steps, size = (6, 8) if accumulate == 1 else (4, 6)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=size,
        gradient_accumulation_steps=accumulate,
        max_steps=steps,
        learning_rate=0.05,
        weight_decay=0.01,
        max_grad_norm=0,
        lr_scheduler_type="constant",
        optim="sgd",
        logging_steps=1,
        save_steps=steps,
        eval_strategy="steps",
        eval_steps=2,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = InOrder(
        model=Classifier(),
        args=arguments,
        train_dataset=Rows(),
        eval_dataset=Rows(),
        entropy_losses=SPECS,
    )
    trainer.train()
    weights, alpha = by_hand_without_bias_decay(steps, size, accumulate)
    for ours, theirs in zip(trainer.model.net.parameters(), weights, strict=True):
        torch.testing.assert_close(ours.detach(), theirs, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(trainer.entropy.terms[0].alpha.detach(), alpha)
    logged = [row for row in trainer.state.log_history if "batch-entropy=0.5" in row]
    assert len(logged) == steps
    restored = InOrder(
        model=Classifier(),
        args=arguments,
        train_dataset=Rows(),
        eval_dataset=Rows(),
        entropy_losses=SPECS,
    )
    restored._load_from_checkpoint(str(tmp_path / f"checkpoint-{steps}"))
    assert torch.equal(restored.entropy.terms[0].alpha, trainer.entropy.terms[0].alpha)


def by_hand_without_bias_decay(steps, size, accumulate):
    """As `by_hand`: the Trainer decays no bias."""
    x, y = batch(24)
    model = mlp()
    entropy = EntropyLoss(model, *SPECS)
    decayed = [p for name, p in model.named_parameters() if "bias" not in name]
    others = [p for name, p in model.named_parameters() if "bias" in name]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others}]
    optimizer = torch.optim.SGD([*groups, *entropy.parameter_groups()], 0.05)
    for step in range(steps):
        optimizer.zero_grad()
        for part in range(accumulate):
            start = (step * accumulate + part) * size % 24
            rows = slice(start, start + size)
            loss = entropy(functional.cross_entropy(model(x[rows]), y[rows]))
            (loss / accumulate).backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()], entropy.terms[0].alpha.detach()
