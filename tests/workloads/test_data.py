# SPDX-License-Identifier: Apache-2.0
"""Text, tokenizer, order of the samples."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from workloads.common.workload import SampleOrder
from workloads.llama import text as llama_text

_EXCERPT = Path(__file__).resolve().parents[2] / "workloads" / "data" / "wikipedia-excerpt"


def test_the_excerpt_is_what_its_readme_says():
    readme = (_EXCERPT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| (\w+\.txt) \| ([\d,]+) \|.*\| ([0-9a-f]{64}) \|", readme)
    assert [name for name, _, _ in rows] == ["train.txt", "valid.txt"]
    for name, size, checksum in rows:
        data = (_EXCERPT / name).read_bytes()
        assert len(data) == int(size.replace(",", ""))
        assert hashlib.sha256(data).hexdigest() == checksum
    assert "CC-BY-SA-3.0" in (_EXCERPT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_an_epoch_holds_every_sample_once(workers):
    """The workers of a step share its samples: the union does not depend on their number."""
    count, global_batch = 24, 8
    batch = global_batch // workers
    order = SampleOrder(count, 7, workers, batch)
    steps = [sum((order.indices(step, server) for server in range(workers)), [])
             for step in range(1, 7)]
    alone = SampleOrder(count, 7, 1, global_batch)
    assert steps == [alone.indices(step, 0) for step in range(1, 7)]
    assert sorted(sum(steps[:3], [])) == list(range(count))
    assert sorted(sum(steps[3:], [])) == list(range(count))
    assert steps[:3] != steps[3:]


def test_the_order_depends_on_the_step_alone():
    """Asked out of order, and across epochs, the samples are the same: a resumed run needs that."""
    order = SampleOrder(10, 1, 2, 3)
    forward = [order.indices(step, 1) for step in range(1, 9)]
    again = SampleOrder(10, 1, 2, 3)
    assert [again.indices(step, 1) for step in range(8, 0, -1)] == forward[::-1]
    assert SampleOrder(10, 2, 2, 3).indices(1, 1) != forward[0]


def test_tokens_give_the_text_back(text, tmp_path):
    """Byte-level BPE loses nothing; the cache is used and gives the same."""
    from tokenizers import Tokenizer

    loaded = llama_text.load(text, tmp_path, 400, 16)
    tokenizer = Tokenizer.from_file(str(next(tmp_path.glob("tokenizer-*.json"))))
    for part, ids in (("train", loaded.train), ("valid", loaded.valid)):
        original = (text / f"{part}.txt").read_text(encoding="utf-8")
        assert tokenizer.decode(ids.tolist(), skip_special_tokens=False) == original
    assert loaded.vocabulary == 400
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = llama_text.load(text, tmp_path, 400, 16)
    np.testing.assert_array_equal(again.train, loaded.train)
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_the_tokenizer_is_reproducible(text, tmp_path):
    first = llama_text.load(text, tmp_path / "a", 400, 16)
    second = llama_text.load(text, tmp_path / "b", 400, 16)
    assert first.tokenizer_sha256 == second.tokenizer_sha256
