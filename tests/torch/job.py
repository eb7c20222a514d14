# SPDX-License-Identifier: Apache-2.0
"""Started by torchrun: the backend "optinc" under a DDP model that knows nothing of it, the hook,
and FSDP2, each beside the NumPy oracle. The models have one parameter each, so that it alone is
what travels.

    torchrun --nproc-per-node K job.py PORTS
"""

import faulthandler
import sys

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

import optinc_torch.backend
import optinc_torch.fsdp
import oracle

_TIMEOUT_S = 200  # a hang is to show where
_INPUTS, _OUTPUTS = 90, 40
_DESIGN = optinc_torch.backend.Settings.read().design


def check(name: str, found: torch.Tensor, inputs: list[np.ndarray], ports: int,
          part: int = _INPUTS * _OUTPUTS) -> None:
    """`part`: elements that are reduced by themselves."""
    expected = np.concatenate([oracle.reduce_mean([x[first:first + part] for x in inputs], ports, 8)[0]
                               for first in range(0, found.numel(), part)])
    if ports % len(inputs):  # N/K is not a power of two: its rounding may differ in the last bit
        np.testing.assert_array_max_ulp(found.numpy(), expected, maxulp=1)
    else:
        np.testing.assert_array_equal(found.numpy(), expected)
    same = [None] * dist.get_world_size()
    dist.all_gather_object(same, found.numpy().tobytes())
    assert all(other == same[0] for other in same), f"{name}: the ranks' bits differ"
    assert np.abs(expected).max() > 0


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(_INPUTS, _OUTPUTS, bias=False)


def gradient(model: nn.Module, x: torch.Tensor) -> None:
    model.zero_grad()
    model(x).square().mean().backward()


def local_gradients(x: torch.Tensor) -> list[np.ndarray]:
    """Those of all ranks, before any averaging."""
    model, found = layer(), [None] * dist.get_world_size()
    gradient(model, x)
    dist.all_gather_object(found, model.weight.grad.flatten().numpy())
    return found


def plain_collectives() -> None:
    """Everything but large float sums is Gloo's."""
    rank, size = dist.get_rank(), dist.get_world_size()
    group = dist.group.WORLD
    before = group.passed_through
    count = torch.tensor([rank, 1])
    dist.all_reduce(count)
    assert count.tolist() == [size * (size - 1) // 2, size]
    small = torch.full((3,), float(rank))
    dist.all_reduce(small, op=dist.ReduceOp.MAX)
    assert small.tolist() == [size - 1.0] * 3
    assert group.passed_through == before + 2
    shares = torch.empty(2)
    dist.reduce_scatter_tensor(shares, torch.arange(2.0 * size))
    assert shares.tolist() == [2.0 * rank * size, (2.0 * rank + 1) * size]
    value = torch.full((2,), float(rank))
    dist.broadcast(value, 1)
    assert value.tolist() == [1.0, 1.0]
    dist.barrier()


def half_precision(ports: int) -> None:
    mine = torch.linspace(-1, 1, 1000).mul(dist.get_rank() + 1)
    for dtype in (torch.bfloat16, torch.float16):
        values = mine.to(dtype)
        inputs = [None] * dist.get_world_size()
        dist.all_gather_object(inputs, values.float().numpy())
        work = dist.all_reduce(values, async_op=True)
        work.wait()
        expected, _ = oracle.reduce_mean(inputs, ports, 8)
        rounded = torch.from_numpy(expected * len(inputs)).to(dtype)
        assert torch.equal(values, rounded) or ports % len(inputs)
        assert torch.allclose(values.float(), rounded.float(), rtol=2**-7)


def sharded_in_half_precision(x: torch.Tensor, inputs: list[np.ndarray], ports: int,
                              shard: int) -> None:
    """FSDP2 hands over bfloat16; sums are made of float32 and rounded once."""
    model = fully_shard(layer(), mesh=init_device_mesh("cpu", (len(inputs),)),
                        mp_policy=MixedPrecisionPolicy(reduce_dtype=torch.bfloat16))
    switch = optinc_torch.fsdp.attach(model, _DESIGN)
    gradient(model, x)
    sent = [torch.from_numpy(v).bfloat16().float().numpy() for v in inputs]
    expected = np.concatenate([oracle.reduce_mean([v[first:first + shard] for v in sent], ports, 8)[0]
                               for first in range(0, inputs[0].size, shard)])
    found = model.weight.grad.full_tensor().flatten()
    assert torch.allclose(found, torch.from_numpy(expected), rtol=2**-7, atol=0)
    assert (found == 0).tolist() == (expected == 0).tolist()
    assert 0 <= switch.take_statistics().bytes_sent - (len(inputs) - 1) * shard < 1000
    switch.close()


def main() -> None:
    faulthandler.dump_traceback_later(_TIMEOUT_S, exit=True)
    ports = int(sys.argv[1])
    torch.set_num_threads(1)
    dist.init_process_group("cpu:optinc")
    size = dist.get_world_size()
    x = torch.randn(8, _INPUTS, generator=torch.Generator().manual_seed(dist.get_rank()))
    inputs = local_gradients(x)
    plain_collectives()
    half_precision(ports)

    dist.group.WORLD.take_statistics()
    model = DistributedDataParallel(layer())
    gradient(model, x)
    sums = [value / size for value in inputs]  # without a hook, DDP divides first and then sums
    expected, _ = oracle.reduce_mean([v.astype(np.float32) for v in sums], ports, 8)
    statistics = dist.group.WORLD.take_statistics()
    assert statistics.elements == _INPUTS * _OUTPUTS
    error = np.abs(model.module.weight.grad.flatten().numpy() - np.mean(inputs, axis=0)).max()
    assert 0 < error <= statistics.error_bound_max
    np.testing.assert_allclose(model.module.weight.grad.flatten().numpy(), expected * size,
                               rtol=1e-6)

    hooked = DistributedDataParallel(layer())
    state = optinc_torch.State(_DESIGN, alternate=False, block_size=256)
    hooked.register_comm_hook(state, optinc_torch.hook)
    gradient(hooked, x)
    check("hook", hooked.module.weight.grad.flatten(), inputs, ports)
    state.close()

    sharded = fully_shard(layer(), mesh=init_device_mesh("cpu", (size,)))
    switch = optinc_torch.fsdp.attach(sharded, _DESIGN)
    gradient(sharded, x)
    assert sharded.weight.grad.to_local().numel() < _INPUTS * _OUTPUTS
    shard = -(-_OUTPUTS // size) * _INPUTS  # rows are dealt out, the last rank's share padded
    check("FSDP2", sharded.weight.grad.full_tensor().flatten(), inputs, ports, shard)
    statistics = switch.take_statistics()
    assert statistics.allreduces == 1
    # codes of one byte to every other rank, a quarter of what floats take; exponents are not a tenth
    assert 0 <= statistics.bytes_sent - (size - 1) * shard < 1000
    switch.close()
    sharded_in_half_precision(x, inputs, ports, shard)
    dist.destroy_process_group()
    print("done", flush=True)


if __name__ == "__main__":
    main()
