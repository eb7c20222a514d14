# SPDX-License-Identifier: Apache-2.0
"""FeedbackStore: what a parameter is owed follows it from bucket to bucket."""

import pytest
import torch

from optinc_torch.feedback import FeedbackStore


def _parameters():
    return [torch.nn.Parameter(torch.zeros(n)) for n in (3, 5, 2)]


def test_values_follow_parameters_into_new_buckets():
    a, b, c = _parameters()
    store = FeedbackStore()
    store.flat([a, b]).copy_(torch.arange(8.0))
    store.flat([c]).copy_(torch.tensor([10.0, 11.0]))
    moved = store.flat([c, a])
    assert moved.tolist() == [10, 11, 0, 1, 2]
    assert store.flat([b]).tolist() == [3, 4, 5, 6, 7]
    moved.add_(100)
    assert store.flat([a, b, c]).tolist() == [100, 101, 102, 3, 4, 5, 6, 7, 110, 111]


def test_a_settled_bucket_is_used_in_place():
    a, b, _ = _parameters()
    store = FeedbackStore()
    assert store.flat([a, b]).data_ptr() == store.flat([a, b]).data_ptr()


def test_state_is_restored_by_name():
    a, b, c = _parameters()
    store, other = FeedbackStore(), FeedbackStore()
    store.flat([b, a]).copy_(torch.arange(8.0))
    named = [("a", a), ("b", b), ("c", c)]
    state = store.state_dict(named)
    assert {name: value.tolist() for name, value in state.items()} == {
        "a": [5, 6, 7], "b": [0, 1, 2, 3, 4]}
    store.flat([b, a]).zero_()
    assert state["a"].tolist() == [5, 6, 7]  # a copy
    other.load_state_dict(state, named)
    assert other.flat([a, b, c]).tolist() == [5, 6, 7, 0, 1, 2, 3, 4, 0, 0]


@pytest.mark.parametrize("state", [{"d": torch.zeros(3)}, {"a": torch.zeros(4)}])
def test_state_of_another_model_is_refused(state):
    a, _, _ = _parameters()
    store = FeedbackStore()
    store.flat([a]).fill_(7)
    with pytest.raises(ValueError, match="error feedback for"):
        store.load_state_dict(state, [("a", a)])
    assert store.flat([a]).tolist() == [7, 7, 7]
