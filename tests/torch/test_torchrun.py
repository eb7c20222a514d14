# SPDX-License-Identifier: Apache-2.0
"""Whole jobs under torchrun on 2 to 5 processes (job.py); what the backend says when it fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import harness
import optinc_torch

_JOB = Path(__file__).with_name("job.py")
_TIMEOUT_S = 40.0


@pytest.mark.parametrize("workers,ports", [(2, 4), (3, 4), (4, 4), (5, 8)])
def test_jobs(designs, workers, ports):
    environment = {**os.environ, "OPTINC_DESIGN": str(designs / f"{ports}x8.safetensors"),
                   "OPTINC_MIN_BYTES": "1000", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone",
                           "--nproc-per-node", str(workers), str(_JOB), str(ports)],
                          env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("done") == workers


def _start(path: str) -> None:
    import optinc_torch.backend  # noqa: F401 - registers it

    os.environ |= {"OPTINC_DESIGN": path, "OPTINC_MIN_BYTES": "1000"}
    dist.init_process_group("cpu:optinc")


def _wrong_count(path: str) -> str:
    _start(path)
    with pytest.raises(Exception) as caught:
        dist.all_reduce(torch.ones(1000 + dist.get_rank()))
    return str(caught.value)


def test_counts_that_differ_are_told_on_every_rank(designs):
    for message in harness.run(3, _wrong_count, str(designs / "4x8.safetensors"),
                               initialise=False, timeout_s=_TIMEOUT_S):
        assert "the ranks disagree on the element count" in message


def _expanded(path: str) -> list:
    """The refusal, and what the group does after it."""
    _start(path)
    with pytest.raises(optinc_torch.Error) as caught:
        dist.all_reduce(torch.ones(1).expand(5000))
    after = torch.full((50, 100), float(dist.get_rank())).T
    dist.all_reduce(after)
    return [str(caught.value), after.unique().tolist()]


def test_an_expanded_tensor_is_refused_and_nothing_else_fails(designs):
    """A transposed one is no such thing."""
    for message, after in harness.run(2, _expanded, str(designs / "4x8.safetensors"),
                                      initialise=False, timeout_s=_TIMEOUT_S):
        assert "elements share memory" in message
        assert len(after) == 1 and abs(after[0] - 1) <= 2 / 127


def _die(path: str) -> str:
    _start(path)
    model = DistributedDataParallel(nn.Linear(40, 40))
    try:
        for step in range(10):
            if step == 2 and dist.get_rank() == 1:
                os._exit(1)
            model(torch.ones(2, 40)).square().mean().backward()
    except Exception as error:  # noqa: BLE001 - the type is not ours: it went through C++
        return str(error)
    return "nothing was raised"


def test_a_rank_that_dies_is_an_error_of_the_others(designs):
    results = harness.run(3, _die, str(designs / "4x8.safetensors"), initialise=False,
                          may_die=(1,), timeout_s=_TIMEOUT_S)
    assert results[1] is None
    for rank in (0, 2):
        assert "the transport failed" in results[rank], results[rank]


def _refused(environment: dict) -> str:
    import optinc_torch.backend  # noqa: F401 - registers it

    os.environ.pop("OPTINC_DESIGN", None)
    os.environ |= environment
    with pytest.raises(optinc_torch.Error) as caught:
        dist.init_process_group("cpu:optinc")
    return str(caught.value)


@pytest.mark.parametrize("environment,message", [
    ({}, "needs OPTINC_DESIGN"),
    ({"OPTINC_DESIGN": "none.safetensors"}, "none.safetensors"),
    ({"OPTINC_DESIGN": "x", "OPTINC_MIN_BYTES": "-1"}, "OPTINC_MIN_BYTES=-1: a whole number"),
])
def test_bad_settings_are_told(environment, message):
    assert message in harness.run(1, _refused, environment, initialise=False)[0]


_FORGETFUL = """
import atexit, sys, threading
def lanes():
    return sum(thread.name == "optinc" for thread in threading.enumerate())
atexit.register(lambda: print("at the end", lanes()))  # the first to be registered is the last to run
import torch.distributed as dist, optinc_torch
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=0, world_size=1)
state = optinc_torch.State(sys.argv[1], lanes=3)
print("at work", lanes())
"""


def test_lanes_end_before_the_interpreter_of_a_program_that_forgets_them(designs, tmp_path):
    done = subprocess.run([sys.executable, "-c", _FORGETFUL, designs / "4x8.safetensors",
                           tmp_path / "store"], capture_output=True, text=True, timeout=100,
                          check=False)
    assert (done.returncode, done.stdout) == (0, "at work 3\nat the end 0\n"), done.stderr
