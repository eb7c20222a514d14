# SPDX-License-Identifier: Apache-2.0
"""What goes wrong ends in an exception on every rank, and in time: never in a hang."""

import os
import signal

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import harness
import optinc_torch

_TIMEOUT_S = 40.0  # far above what is needed, far below the 300 s after which Gloo gives up


def _create(paths: list[str], options: list[dict]) -> str:
    """The message with which State fails on this rank."""
    rank = dist.get_rank()
    with pytest.raises(optinc_torch.Error) as caught:
        optinc_torch.State(paths[rank], **options[rank])
    return str(caught.value)


def _messages(workers, paths, options=None):
    return harness.run(workers, _create, [str(p) for p in paths], options or [{}] * workers,
                       timeout_s=_TIMEOUT_S)


def test_designs_that_differ(designs):
    """Same ports and bits, another network: only the checksums differ."""
    paths = [designs / "4x8.safetensors"] * 3 + [designs / "4x8-relu.safetensors"]
    for message in _messages(4, paths):
        assert "the ranks disagree" in message


def test_bits_that_differ(designs):
    paths = [designs / "4x8.safetensors", designs / "4x16.safetensors"]
    for message in _messages(2, paths):
        assert "the ranks disagree" in message


def test_block_sizes_that_differ(designs):
    options = [{"block_size": 256}, {"block_size": 512}]
    for message in _messages(2, [designs / "4x8.safetensors"] * 2, options):
        assert "the ranks disagree" in message


def _absent(path: str) -> str:
    """Rank 1 makes no State."""
    if dist.get_rank() == 1:
        dist.barrier()
        return ""
    with pytest.raises(optinc_torch.Error) as caught:
        optinc_torch.State(path, timeout_s=2.0)
    dist.barrier()
    return str(caught.value)


def test_a_rank_without_a_state_is_named(designs):
    first, _, last = harness.run(3, _absent, str(designs / "4x8.safetensors"),
                                 timeout_s=_TIMEOUT_S)
    for message in (first, last):
        assert "waited 2 s for rank 1, which came to no switch" in message


def test_more_workers_than_ports(designs):
    for message in _messages(3, [designs / "2x8.safetensors"] * 3):
        assert "a switch with 2 ports cannot serve 3 workers" in message


def test_bits_that_the_design_does_not_have(designs):
    for message in _messages(2, [designs / "4x8.safetensors"] * 2, [{"bits": 4}] * 2):
        assert "a design for 8 bits, not for 4" in message


def test_a_design_that_one_rank_lacks(designs, tmp_path):
    """The other rank is told as well, instead of waiting."""
    mine, other = _messages(2, [tmp_path / "none.safetensors", designs / "4x8.safetensors"])
    assert "none.safetensors" in mine
    assert "rank 0" in other and "none.safetensors" in other


def test_a_file_that_is_no_design(tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"\x10\0\0\0\0\0\0\0{\"a\": 1}        ")
    for message in _messages(2, [path, path]):
        assert "bad.safetensors" in message


def _train(path: str, break_it, options: dict) -> tuple[int, str, str]:
    """Trains until backward raises; steps done, the exception's text, and that of the next try."""
    rank = dist.get_rank()
    module = nn.Sequential(nn.Linear(20, 30), nn.Linear(30, 5))
    model = DistributedDataParallel(module)
    state = optinc_torch.State(path, **options)
    model.register_comm_hook(state, optinc_torch.hook)
    done = 0
    try:
        for done in range(100):
            if done == 3 and rank == 1:
                break_it()
            model(torch.ones(4, 20)).square().mean().backward()
    except Exception as error:  # noqa: BLE001 - the type is not ours: it went through C++
        first = str(error)
    else:
        return done, "", ""
    try:
        model(torch.ones(4, 20)).square().mean().backward()
    except Exception as error:  # noqa: BLE001
        return done, first, str(error)
    return done, first, ""


def _broken_exchange() -> None:
    def fail(*_arguments, **_options):
        raise RuntimeError("the wire was cut")
    dist.ProcessGroupGloo.send = fail


def test_an_error_of_the_worker_thread_reaches_every_training_loop(designs):
    results = harness.run(3, _train, str(designs / "4x8.safetensors"), _broken_exchange, {},
                          timeout_s=_TIMEOUT_S)
    for rank, (done, first, second) in enumerate(results):
        assert done == 3
        assert "the transport failed" in first, (rank, first)
        assert second != ""  # and it stays failed
    assert "the wire was cut" in results[1][1]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_rank_that_dies_is_an_error_of_the_others(designs):
    results = harness.run(3, _train, str(designs / "4x8.safetensors"), _die, {},
                          timeout_s=_TIMEOUT_S, may_die=(1,))
    assert results[1] is None
    for rank in (0, 2):
        done, first, _ = results[rank]
        assert done == 3 and "the transport failed" in first, first


def _stall() -> None:
    signal.pause()


def test_a_rank_that_stalls_is_an_error_after_the_time_limit(designs):
    results = harness.run(2, _train, str(designs / "4x8.safetensors"), _stall, {"timeout_s": 2.0},
                          timeout_s=_TIMEOUT_S, may_die=(1,))
    done, first, _ = results[0]
    assert done == 3 and "time limit" in first, first


def _wrong_dtype(path: str) -> str:
    model = DistributedDataParallel(nn.Linear(3, 3).double())
    model.register_comm_hook(optinc_torch.State(path), optinc_torch.hook)
    with pytest.raises(Exception) as caught:
        model(torch.ones(1, 3, dtype=torch.float64)).sum().backward()
    return str(caught.value)


def test_a_gradient_type_that_is_not_supported(designs):
    for message in harness.run(2, _wrong_dtype, str(designs / "4x8.safetensors")):
        assert "float32, bfloat16 or float16" in message and "float64 on cpu" in message


@pytest.mark.parametrize("options,message", [
    ({"seed": -1}, "seed -1: 0 to 2^64 - 1 was expected"),
    ({"seed": 1 << 64}, "seed 18446744073709551616: "),
    ({"block_size": (1 << 32) + 64}, "block_size 4294967360: 0 to 2^32 - 1 was expected"),
    ({"threads": -1}, "threads -1: "),
    ({"chunk_elements": -1}, "chunk_elements -1: "),
])
def test_numbers_that_the_library_cannot_hold_are_told_on_every_rank(designs, options, message):
    mine, other = _messages(2, [designs / "4x8.safetensors"] * 2, [options, {}])
    assert message in mine
    assert other.startswith("rank 0: ") and message in other


def _time_limit(path: str, seconds: float) -> str:
    with pytest.raises(ValueError) as caught:
        optinc_torch.State(path, timeout_s=seconds)
    return str(caught.value)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_limit_that_is_none(designs, seconds):
    message = harness.run(1, _time_limit, str(designs / "4x8.safetensors"), seconds)[0]
    assert message == f"timeout_s {seconds}: seconds above 0 were expected"
