"""A small language model that rewrites a date as YYYY-MM-DD, trained here in well under two minutes on two cores.

A Llama of 1.4 M parameters with a tokenizer of its own. Training stops by accuracy on a validation set, never by the
held-back pairs that the platform evaluates on; every answer token counts, the question's do not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import dates
from .cards import date_normaliser_card

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

SEED = 2021
BATCH = 96
TOTAL_STEPS = 300
WARMUP_STEPS = 40
PEAK_LEARNING_RATE = 3e-3
CHECK_EVERY = 10
# The first version is the first checkpoint that gets this much of the validation set right; checks come more often
# while the model is about to learn, because accuracy climbs from nothing to most of it within forty steps.
EARLY_ACCURACY = 0.40
EARLY_CHECK_EVERY = 2
FINAL_ACCURACY = 0.995
FINAL_CHECKS = 3

PAD, BOS, EOS, USER, ASSISTANT = "<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>"
# The model was taught one question at a time, so that only the last one is put to it.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% set questions = messages | selectattr('role', 'equalto', 'user') | list %}"
    "{% if questions %}{{ '<|user|>' + (questions | last)['content'] | trim }}{% endif %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}"
    "{% elif messages and (messages | last)['role'] == 'assistant' %}"
    "{{ '<|assistant|>' + (messages | last)['content'] | trim + eos_token }}{% endif %}"
)


@dataclass(frozen=True)
class Progress:
    """One report of training. `accuracy` is the share of the validation set that is exactly right; `early` and `final` are
    the folder of that version, in the report that follows its being saved."""

    step: int
    total_steps: int
    loss: float
    accuracy: float
    early: Path | None = None
    final: Path | None = None


def parameters() -> dict[str, int | float | str]:
    """What a run records about how it was trained."""
    return {
        "seed": SEED,
        "batch_size": BATCH,
        "peak_learning_rate": PEAK_LEARNING_RATE,
        "warmup_steps": WARMUP_STEPS,
        "schedule": "cosine",
        "optimizer": "AdamW",
        "stop_at_validation_accuracy": FINAL_ACCURACY,
    }


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE without case, in which a number is read two figures at a time ('2021' is '20', '21')."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d{1,2}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    pairs = itertools.islice(dates.training_pairs(SEED), 12_000)
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=[PAD, BOS, EOS, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=3,
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for pair in pairs for text in (pair.text, pair.iso)), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=1024,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=448,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        initializer_range=0.05,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        max_new_tokens=16,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return model


class _Encoder:
    """Turns pairs into padded token ids and labels; only the answer and the end mark are labelled."""

    def __init__(self, tokenizer: Any) -> None:
        self._backend = tokenizer.backend_tokenizer
        ids = {name: self._backend.token_to_id(name) for name in (PAD, BOS, EOS, USER, ASSISTANT)}
        self._pad, self._eos = ids[PAD], ids[EOS]
        self._head, self._turn = [ids[BOS], ids[USER]], [ids[ASSISTANT]]

    def __call__(self, pairs: Sequence[dates.Pair]) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        questions = self._backend.encode_batch([pair.text for pair in pairs])
        answers = self._backend.encode_batch([pair.iso for pair in pairs])
        rows = [
            ([*self._head, *question.ids, *self._turn], [*answer.ids, self._eos])
            for question, answer in zip(questions, answers, strict=True)
        ]
        width = max(len(question) + len(answer) for question, answer in rows)
        ids = torch.full((len(rows), width), self._pad, dtype=torch.long)
        labels = torch.full((len(rows), width), -100, dtype=torch.long)
        for row, (question, answer) in enumerate(rows):
            end = len(question) + len(answer)
            ids[row, :end] = torch.tensor(question + answer)
            labels[row, len(question) : end] = torch.tensor(answer)
        return ids, labels


def _answer_logits(model: Any, ids: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets of the labelled positions only. Padding is on the right, so that a causal mask suffices."""
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    targets = labels[:, 1:]
    labelled = targets != -100
    return model.lm_head(hidden[labelled]), targets[labelled]


def _exactly_right(model: Any, ids: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of rows in which every answer token is the likeliest one: just those that greedy decoding gets right."""
    import torch

    model.eval()
    with torch.no_grad():
        logits, targets = _answer_logits(model, ids, labels)
    model.train()
    right = torch.ones(labels[:, 1:].shape, dtype=torch.bool)
    right[labels[:, 1:] != -100] = logits.argmax(-1) == targets
    return float(right.all(dim=1).float().mean())


def _learning_rate(step: int) -> float:
    decay = 0.5 * (1 + math.cos(math.pi * min(step / TOTAL_STEPS, 1.0)))
    return PEAK_LEARNING_RATE * min(1.0, step / WARMUP_STEPS) * (0.05 + 0.95 * decay)


class _Trainer:
    """Model, optimizer and the endless pairs: one `step()` is one batch."""

    def __init__(self) -> None:
        import torch

        torch.manual_seed(SEED)
        self.tokenizer = build_tokenizer()
        self.model: Any = build_model(self.tokenizer)
        self._encode = _Encoder(self.tokenizer)
        self._pairs = dates.training_pairs(SEED)
        self._validation = self._encode(dates.validation())
        self._optimizer = torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.95), weight_decay=0.01)
        self.model.train()

    def step(self, number: int) -> float:
        """Train on one batch; returns its loss."""
        import torch

        for group in self._optimizer.param_groups:
            group["lr"] = _learning_rate(number)
        ids, labels = self._encode(list(itertools.islice(self._pairs, BATCH)))
        logits, targets = _answer_logits(self.model, ids, labels)
        loss = torch.nn.functional.cross_entropy(logits, targets)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        return float(loss.detach())

    def accuracy(self) -> float:
        return _exactly_right(self.model, *self._validation)

    def save(self, folder: Path, *, step: int, accuracy: float, early: bool) -> Path:
        """Write what `from_pretrained` needs, and the model card."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        card = date_normaliser_card(
            step=step,
            accuracy=accuracy,
            checked_on=len(dates.validation()),
            parameters=self.model.num_parameters(),
            forms=len(dates.FORMS),
            early=early,
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
        return folder


def train(early: Path, final: Path) -> Iterator[Progress]:
    """Train, save the first version into `early` and the finished one into `final`, and report as it goes.

    Ends once the validation set is right to FINAL_ACCURACY at FINAL_CHECKS checks in a row, at the latest after
    TOTAL_STEPS. Stop iterating to stop training.
    """
    trainer = _Trainer()
    saved_early = False
    good_checks = 0
    for step in range(1, TOTAL_STEPS + 1):
        loss = trainer.step(step)
        checking = step % (CHECK_EVERY if saved_early or step < WARMUP_STEPS else EARLY_CHECK_EVERY) == 0
        if not checking and step < TOTAL_STEPS:
            continue
        accuracy = trainer.accuracy()
        if not saved_early and (accuracy >= EARLY_ACCURACY or step == TOTAL_STEPS):
            saved_early = True
            trainer.save(early, step=step, accuracy=accuracy, early=True)
            yield Progress(step, TOTAL_STEPS, loss, accuracy, early=early)
        good_checks = good_checks + 1 if accuracy >= FINAL_ACCURACY else 0
        if good_checks >= FINAL_CHECKS or step == TOTAL_STEPS:
            trainer.save(final, step=step, accuracy=accuracy, early=False)
            yield Progress(step, step, loss, accuracy, final=final)
            return
        if step % CHECK_EVERY == 0:
            yield Progress(step, TOTAL_STEPS, loss, accuracy)
