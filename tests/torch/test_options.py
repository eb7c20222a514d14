# SPDX-License-Identifier: Apache-2.0
"""The hook's options: warm-up, exclusion by name, lanes; loss scaling; another device's way."""

import gc
import os
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import harness
import optinc_torch
import oracle
from optinc_torch import staging
from optinc_torch.hook import new_groups
from optinc_torch.lanes import Lanes, SwitchOptions

_WORKERS, _WARM_UP = 2, 2


def _module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(60, 50), nn.LayerNorm(50), nn.Linear(50, 30))


def _local_gradients(module: nn.Module, x: torch.Tensor) -> dict:
    """This rank's own, without any exchange."""
    module.zero_grad()
    module(x).square().mean().backward()
    found = {name: p.grad.flatten().numpy().copy() for name, p in module.named_parameters()}
    module.zero_grad()
    return found


def _warm_up_and_exclude(path: str) -> list:
    """(order of the bucket's parameters, own gradients, mean, statistics) of each step."""
    module = _module()
    model = DistributedDataParallel(module)
    state = optinc_torch.State(path, module=model, exclude=["*.bias", "1.*"], error_feedback=True,
                               warm_up_steps=_WARM_UP, alternate=False, block_size=256)
    assert state.excluded == ["0.bias", "1.bias", "2.bias", "1.weight"]
    names, order = {id(p): name for name, p in module.named_parameters()}, []

    def hook(state, bucket):
        order.append([names[id(p)] for p in bucket.parameters()])
        return optinc_torch.hook(state, bucket)

    model.register_comm_hook(state, hook)
    random, found = torch.Generator().manual_seed(dist.get_rank()), []
    for _ in range(_WARM_UP + 2):
        x = torch.randn(8, 60, generator=random)
        own = _local_gradients(_module(), x)
        model.zero_grad()
        model(x).square().mean().backward()
        mean = {name: p.grad.flatten().numpy().copy() for name, p in module.named_parameters()}
        assert len(order) == 1
        found.append((order.pop(), own, mean, state.take_statistics()))
    saved = state.state_dict(model)
    assert saved["step"] == _WARM_UP + 2
    assert sorted(saved["feedback"]) == ["0.weight", "2.weight"]
    state.close()
    return found


def test_warm_up_and_exclusion(designs):
    """Warm-up steps and excluded parameters are float means; the others, one behind the other, are
    the oracle's, with error feedback that begins after the warm-up."""
    results = harness.run(_WORKERS, _warm_up_and_exclude, str(designs / "4x8.safetensors"))
    switched, owed = ("0.weight", "2.weight"), {}
    for step, (order, _, mean, statistics) in enumerate(results[0]):
        own = [r[step][1] for r in results]
        count = sum(x.size for x in mean.values())
        for name in order:
            if step < _WARM_UP or name not in switched:
                np.testing.assert_allclose(mean[name], (own[0][name] + own[1][name]) / 2, rtol=1e-6,
                                           atol=1e-9)
        if step < _WARM_UP:
            assert (statistics.elements, statistics.elements_full_precision) == (0, count)
            continue
        through = [name for name in order if name in switched]
        inputs = [np.concatenate([o[name] for name in through]) for o in own]
        sizes = np.cumsum([mean[name].size for name in through])[:-1]
        feedback = [np.concatenate([owed.get((rank, name), np.zeros_like(mean[name]))
                                    for name in through]) for rank in range(_WORKERS)]
        expected, left = oracle.reduce_mean(inputs, 4, 8, feedback=feedback)
        np.testing.assert_array_equal(np.concatenate([mean[name] for name in through]), expected)
        assert statistics.elements == expected.size
        assert statistics.elements_full_precision == count - expected.size
        for rank in range(_WORKERS):
            owed.update({(rank, name): part
                         for name, part in zip(through, np.split(left[rank], sizes))})
    for result in results:
        for name, value in result[-1][2].items():
            assert value.tobytes() == results[0][-1][2][name].tobytes()


def _bad_options(path: str) -> None:
    with pytest.raises(ValueError, match="exclude needs module"):
        optinc_torch.State(path, exclude=["*.bias"])
    with pytest.raises(ValueError, match=r"'\*.offset' fits no parameter; there are 0.weight"):
        optinc_torch.State(path, exclude=["*.offset"], module=_module())
    with pytest.raises(ValueError, match="lanes of at least 1"):
        optinc_torch.State(path, lanes=0)


def test_bad_options_are_told(designs):
    harness.run(1, _bad_options, str(designs / "4x8.safetensors"))


def _lanes(path: str, lanes: int) -> list:
    """Gradients of a few steps in many buckets."""
    torch.manual_seed(0)
    module = nn.Sequential(*[nn.Linear(40, 40) for _ in range(6)])
    model = DistributedDataParallel(module, bucket_cap_mb=0.01)
    state = optinc_torch.State(path, lanes=lanes, error_feedback=True, rounding="stochastic")
    model.register_comm_hook(state, optinc_torch.hook)
    random, found = torch.Generator().manual_seed(dist.get_rank()), []
    for _ in range(4):
        model.zero_grad()
        model(torch.randn(4, 40, generator=random)).square().mean().backward()
        found.append(torch.cat([p.grad.flatten() for p in module.parameters()]).numpy().copy())
    assert state.take_statistics().allreduces >= 8  # more buckets than steps
    state.close()
    return found


def test_the_number_of_lanes_does_not_show(designs):
    path = str(designs / "4x8.safetensors")
    one, three = (harness.run(3, _lanes, path, lanes) for lanes in (1, 3))
    for result in one + three:
        for mine, first in zip(result, one[0]):
            assert mine.tobytes() == first.tobytes()


def _overlapping(path: str) -> list:
    """The first bucket is under way until the second has been; neither holds up the caller."""
    lanes = Lanes(SwitchOptions(path), new_groups(2, None, 60.0))
    second_began, order = threading.Event(), []

    def first(_lane, future):
        order.append("first begins")
        assert second_began.wait(30), "the second bucket waited for the first"
        order.append("first ends")
        future.set_result(None)

    def second(_lane, future):
        second_began.set()
        future.set_result(None)

    waiting = lanes.submit(first)
    order.append("submitted" if not waiting.done() else "blocked")
    lanes.submit(second).wait()
    waiting.wait()
    lanes.close()
    return order


def test_buckets_overlap(designs):
    order = harness.run(1, _overlapping, str(designs / "4x8.safetensors"))[0]
    assert sorted(order) == ["first begins", "first ends", "submitted"] and order[-1] == "first ends"


def _descriptors(path: str) -> list:
    """Open ones after each of some states, of the default group and of another in turn."""
    halves, open_ones = [dist.new_group([0, 1]), dist.new_group([2, 3])], []
    for process_group in [None, halves[dist.get_rank() // 2]] * 3:
        model = DistributedDataParallel(nn.Linear(40, 40), process_group=process_group)
        state = optinc_torch.State(path, process_group=process_group)
        model.register_comm_hook(state, optinc_torch.hook)
        model(torch.ones(2, 40)).sum().backward()
        state.close()
        del model, state
        gc.collect()
        open_ones.append(len(os.listdir("/proc/self/fd")))
    return open_ones


def test_states_that_are_closed_and_dropped_leave_no_connections(designs):
    for found in harness.run(4, _descriptors, str(designs / "4x8.safetensors")):
        assert max(found[2:]) <= max(found[:2]), found


def _scaled(path: str) -> list:
    """(scale, weights) after each step; the gradients of step 1 overflow on rank 1 alone."""
    module = _module()
    model = DistributedDataParallel(module)
    state = optinc_torch.State(path, error_feedback=True)
    model.register_comm_hook(state, optinc_torch.hook)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1000)
    random, found = torch.Generator().manual_seed(dist.get_rank()), []
    for step in range(3):
        loss = model(torch.randn(8, 60, generator=random)).square().mean()
        if step == 1 and dist.get_rank() == 1:
            loss = loss * 1e38
        optimiser.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        found.append((scaler.get_scale(),
                      torch.cat([p.detach().flatten() for p in module.parameters()]).numpy()))
    state.close()
    return found


def test_a_loss_scaler_sees_one_ranks_overflow_on_every_rank(designs):
    results = harness.run(_WORKERS, _scaled, str(designs / "4x8.safetensors"))
    for result in results:
        scales, weights = zip(*result)
        assert scales == (1024.0, 512.0, 512.0)
        np.testing.assert_array_equal(weights[1], weights[0])  # the step was skipped
        assert np.isfinite(weights[2]).all() and np.any(weights[2] != weights[1])
        np.testing.assert_array_equal(weights[2], results[0][2][1])


class _Runtime:
    """Stands in for torch.cuda; notes what it is asked. It cannot show that CUDA runs copies in
    order, only that the order is asked for."""

    def __init__(self) -> None:
        self.log: list[str] = []
        runtime = self

        class Stream:
            def wait_stream(self, other):
                runtime.log.append("wait for the computing stream")

        class Event:
            def record(self, stream):
                runtime.log.append("record")

            def synchronize(self):
                runtime.log.append("synchronize")

        self.Stream, self.Event = Stream, Event

    def current_stream(self):
        return None

    @contextmanager
    def stream(self, _stream):
        self.log.append("stream")
        yield
        self.log.append("end")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_way_through_host_memory(dtype):
    runtime = _Runtime()
    stage = staging.PinnedStaging(runtime, pin=False)
    for step in range(2):
        buffer = torch.arange(10).to(dtype) + step
        runtime.log.clear()
        stage.begin(buffer)
        assert runtime.log == ["wait for the computing stream", "stream", "record", "end"]
        values = stage.values(buffer)
        assert runtime.log[-1] == "synchronize"
        assert values.dtype == torch.float32
        assert values.tolist() == [i + step for i in range(10)]
        values += 0.5
        with stage.finish(values, buffer):
            assert runtime.log[-3:] == ["stream", "end", "stream"]  # the future, on the same stream
        assert buffer.dtype == dtype and buffer.tolist() == [i + step + 0.5 for i in range(10)]


def test_another_device_type_can_be_made_known():
    made = []
    meta = torch.empty(3, device="meta")
    assert not staging.supported(meta)
    staging.register("meta", lambda device: made.append(device))
    assert staging.supported(meta)
    staging.create(meta.device)
    assert made == [torch.device("meta")]
