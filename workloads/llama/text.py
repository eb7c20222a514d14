# SPDX-License-Identifier: Apache-2.0
"""Text to token windows: a BPE tokenizer trained on the training text, and its cache."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workloads.common.errors import UserError
from workloads.common.files import read_text, sha256, write_atomically

EXCERPT = Path(__file__).resolve().parents[1] / "data" / "wikipedia-excerpt"
_SPECIAL_TOKENS = ["<unk>"]  # stands in the text itself, for words that are rare


@dataclass(frozen=True)
class Text:
    """Token ids of both parts, and what they were made from."""

    train: np.ndarray  # [train_tokens] int32
    valid: np.ndarray  # [valid_tokens] int32
    vocabulary: int
    tokenizer_sha256: str
    train_sha256: str
    valid_sha256: str


def _train_tokenizer(text: str, vocabulary: int) -> str:
    """Byte-level BPE as a tokenizers JSON document. The same text gives the same tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=_SPECIAL_TOKENS,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
    return tokenizer.to_str(pretty=True)


def _encode(tokenizer_path: Path, text: str) -> np.ndarray:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    encodings = tokenizer.encode_batch(text.splitlines(keepends=True))
    return np.concatenate([np.asarray(e.ids, dtype=np.int32) for e in encodings])


def load(data_dir: Path, cache_dir: Path, vocabulary: int, sequence: int) -> Text:
    """Reads train.txt and valid.txt of data_dir. Tokenizer and tokens are made once and kept in
    cache_dir under names that hold the checksum of the text, so a change of text is noticed."""
    if not data_dir.is_dir():
        raise UserError(f"{data_dir}: no such folder; one with train.txt and valid.txt was "
                        "expected")
    parts = {name: read_text(data_dir / f"{name}.txt") for name in ("train", "valid")}
    sums = {name: sha256(text.encode("utf-8")) for name, text in parts.items()}
    tokenizer_path = cache_dir / f"tokenizer-{vocabulary}-{sums['train'][:16]}.json"
    if not tokenizer_path.exists():
        document = _train_tokenizer(parts["train"], vocabulary)
        write_atomically(tokenizer_path, lambda p: p.write_text(document, encoding="utf-8"))
    tokenizer_sum = sha256(tokenizer_path.read_bytes())
    tokens = {name: _cached_tokens(cache_dir, tokenizer_path, tokenizer_sum, text, sums[name])
              for name, text in parts.items()}
    for name, ids in tokens.items():
        if ids.size < sequence + 1:
            raise UserError(f"{data_dir / name}.txt: {ids.size} tokens, at least {sequence + 1} "
                            "were expected (one sample and its next token)")
    largest = max(int(ids.max()) for ids in tokens.values())
    return Text(train=tokens["train"], valid=tokens["valid"],
                vocabulary=max(vocabulary, largest + 1), tokenizer_sha256=tokenizer_sum,
                train_sha256=sums["train"], valid_sha256=sums["valid"])


def _cached_tokens(cache_dir: Path, tokenizer_path: Path, tokenizer_sum: str, text: str,
                   text_sum: str) -> np.ndarray:
    path = cache_dir / f"tokens-{tokenizer_sum[:16]}-{text_sum[:16]}.npy"
    if not path.exists():
        ids = _encode(tokenizer_path, text)

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as file:
                np.save(file, ids)

        write_atomically(path, write)
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: not a readable cache, remove it: {error}") from error
