# SPDX-License-Identifier: Apache-2.0
"""K virtual servers in one process: their gradients go through the same codec and switch as those
of K processes and give the same bits, but nothing travels.

    state = optinc_torch.VirtualState(design="switch.safetensors", servers=16)
    model = DistributedDataParallel(module)          # in a group of one process
    model.register_comm_hook(state, optinc_torch.virtual_hook)
    for server in range(16):
        state.select(server)
        loss_of(server).backward()                   # the last one leaves the mean in the gradients
"""

import ctypes
import os
import time
from typing import Any, Optional, Sequence, Union

import torch
import torch.distributed as dist
from torch import nn

from optinc_torch import _abi
from optinc_torch._library import LogHandler, runtime
from optinc_torch.collective import BLOCK_SIZE_DEFAULT as COLLECTIVE_BLOCK_SIZE
from optinc_torch.collective import AllreduceReport, _address, _backend
from optinc_torch.design import Design
from optinc_torch.errors import Error
from optinc_torch.feedback import FeedbackStore
from optinc_torch.hook import _BUCKETS_MAX, BLOCK_SIZE_DEFAULT, _named
from optinc_torch.photonic import Photonic, checked
from optinc_torch.signs import negate_alternate
from optinc_torch.statistics import Recorder, Statistics

_NON_FINITE = 255
_PACKET_SIZE = 256  # what the ranks agree on first; with it the first exponents


class VirtualCollective:
    """The all-reduce of K tensors of this process through a switch: what Collective gives to K
    ranks, bit for bit. A design with the variant residual is read to its last digit."""

    def __init__(self, design: Design, servers: int, *, backend: Optional[str] = None,
                 photonic: Optional[Photonic] = None, rounding: str = "nearest", seed: int = 0,
                 block_size: int = COLLECTIVE_BLOCK_SIZE, threads: int = 1) -> None:
        if rounding not in _abi.ROUNDINGS:
            raise ValueError(f"rounding {rounding!r}: nearest or stochastic was expected")
        if not 1 <= servers <= design.ports:
            raise Error(f"{design.source}: a switch with {design.ports} ports cannot serve "
                        f"{servers} servers")
        self._design, self.servers, self._seed = design, servers, seed  # the design is borrowed
        self._spec = runtime().optinc_design_flat_spec(design.handle)
        self._codec = _abi.Codec(bits=design.bits, block_size=block_size,
                                 rounding=_abi.ROUNDINGS[rounding], kernel=0, thread_count=threads)
        self._handler = LogHandler()
        self._switch: Optional[ctypes.c_void_p] = ctypes.c_void_p()
        name = backend or ("exact" if design.exact else "table")
        hardware = checked(name, photonic)
        backend_options = None if hardware is None else hardware.options()
        options = _abi.SwitchOptions(
            thread_count=threads, kernel=0, backend_options=None if backend_options is None else
            ctypes.cast(ctypes.byref(backend_options), ctypes.c_void_p))
        self._handler.check(
            runtime().optinc_switch_create(design.handle, _backend(name), ctypes.byref(options),
                                           self._handler.pointer, ctypes.byref(self._switch)),
            "creating the switch")

    def allreduce(self, sources: Sequence[torch.Tensor], target: torch.Tensor, *,
                  error_feedback: Optional[Sequence[torch.Tensor]] = None,
                  step: int = 0) -> AllreduceReport:
        """Mean of the servers' `sources` into `target`, float32 on the CPU; target may be one of
        them. error_feedback: a tensor a server, as in Collective. The report's bytes are those that
        a server would send, its times those of one server."""
        count, block = target.numel(), self._codec.block_size
        if len(sources) != self.servers:
            raise ValueError(f"{len(sources)} sources, {self.servers} were expected")
        started = time.perf_counter()
        if error_feedback is not None:
            for carried, source in zip(error_feedback, sources):
                carried.add_(source)
        sent = sources if error_feedback is None else error_feedback
        exponents = self._agree(sent, count)
        flagged = (exponents == _NON_FINITE).nonzero().flatten().tolist()
        float_blocks = {b: torch.stack([x[b * block:(b + 1) * block] for x in sent])
                        for b in flagged}
        codes = self._quantise(sent, count, exponents, error_feedback is not None, step)
        quantised = time.perf_counter()
        result = self._reduce(codes, count, step)
        switched = time.perf_counter()
        self._dequantise(result, count, exponents, target)
        for b, values in float_blocks.items():
            target[b * block:(b + 1) * block] = self._float_mean(values)
        done = time.perf_counter()
        return AllreduceReport(
            elements=count, blocks=exponents.numel(), blocks_non_finite=len(flagged),
            bytes_sent=self._bytes_sent(count, exponents.numel()),
            error_bound_max=self._bound(exponents),
            seconds_quantise=(quantised - started) / self.servers, seconds_exchange=0.0,
            # every rank is the switch for its share of the elements
            seconds_switch=(switched - quantised) / self.servers,
            seconds_dequantise=done - switched)

    def _agree(self, sent: Sequence[torch.Tensor], count: int) -> torch.Tensor:
        """[blocks] the largest exponent byte of any server."""
        blocks = -(-count // self._codec.block_size)
        own = torch.empty(blocks, dtype=torch.uint8)
        agreed = torch.zeros(blocks, dtype=torch.uint8)
        for x in sent:
            self._handler.check(
                runtime().optinc_codec_exponents(ctypes.byref(self._codec),
                                                 _address(x, "source", count), count,
                                                 own.data_ptr()), "exponents")
            torch.maximum(agreed, own, out=agreed)
        return agreed

    def _stream(self, step: int, seed: int) -> Any:
        return ctypes.byref(_abi.Stream(seed=seed, step=step, element_first=0))

    def _quantise(self, sent: Sequence[torch.Tensor], count: int, exponents: torch.Tensor,
                  feedback: bool, step: int) -> torch.Tensor:
        """[servers, bytes] packed codes; with feedback `sent` is left with what they lost."""
        size = runtime().optinc_symbols_size(self._codec.bits, count)
        codes = torch.empty((self.servers, size), dtype=torch.uint8)
        quantise = (runtime().optinc_codec_quantise_feedback if feedback
                    else runtime().optinc_codec_quantise)
        for server, (x, row) in enumerate(zip(sent, codes)):
            stream = self._stream(step, runtime().optinc_rank_seed(self._seed, server))
            self._handler.check(
                quantise(ctypes.byref(self._codec), _address(x, "source", count), count,
                         exponents.data_ptr(), stream, row.data_ptr()), "quantising")
        return codes

    def _reduce(self, codes: torch.Tensor, count: int, step: int) -> torch.Tensor:
        result = torch.empty(runtime().optinc_symbols_size(self._spec.bits_out, count),
                             dtype=torch.uint8)
        if count == 0:
            return result
        self._handler.check(
            runtime().optinc_switch_reduce(self._switch, codes.data_ptr(), codes.stride(0),
                                           self.servers, count, self._stream(step, self._seed),
                                           result.data_ptr()), "switching")
        return result

    def _dequantise(self, result: torch.Tensor, count: int, exponents: torch.Tensor,
                    target: torch.Tensor) -> None:
        if self._spec.variant == _abi.VARIANTS["residual"]:
            self._dequantise_total(result, count, exponents, target)
            return
        scale = _abi.ResultScale(op=_abi.OPS["mean"], ports=self._design.ports,
                                 servers=self.servers)
        self._handler.check(
            runtime().optinc_codec_dequantise(ctypes.byref(self._codec), result.data_ptr(), count,
                                              exponents.data_ptr(), ctypes.byref(scale),
                                              _address(target, "target", count)), "dequantising")

    def _dequantise_total(self, result: torch.Tensor, count: int, exponents: torch.Tensor,
                          target: torch.Tensor) -> None:
        """A residual switch returns T itself: mean = (T - N zero) 2^e / K."""
        totals = torch.empty(count, dtype=torch.int64)
        self._handler.check(
            runtime().optinc_symbols_unpack(self._spec.bits_out, result.data_ptr(), count,
                                            totals.data_ptr()), "unpacking")
        lowest = runtime().optinc_exponent_min(self._codec.bits)
        steps = torch.ldexp(torch.ones(exponents.numel(), dtype=torch.float64),
                            exponents.to(torch.int32) - 1 + lowest)
        steps[exponents == 0] = 0.0
        zero = self._design.ports * (1 << (self._codec.bits - 1))
        spread = steps.repeat_interleave(self._codec.block_size)[:count]
        target.copy_((totals - zero).double() * spread / self.servers)

    def _float_mean(self, values: torch.Tensor) -> torch.Tensor:
        """IEEE float sum in the servers' order, as in a distributed run; any NaN is the one NaN."""
        total = values[0].clone()
        for row in values[1:]:
            total += row
        total /= self.servers
        return torch.where(total.isnan(), torch.tensor(float("nan")), total)

    def _bytes_sent(self, count: int, blocks: int) -> int:
        """Codes and results to the other servers, exponents by a ring."""
        others, bits = self.servers - 1, self._codec.bits + self._spec.bits_out
        return (others * count * bits // (8 * self.servers)
                + 2 * others * (_PACKET_SIZE + blocks) // self.servers)

    def _bound(self, exponents: torch.Tensor) -> float:
        finite = exponents[exponents != _NON_FINITE]
        largest = int(finite.max()) if finite.numel() else 0
        if largest == 0:
            return 0.0
        scale = _abi.ResultScale(op=_abi.OPS["mean"], ports=self._design.ports,
                                 servers=self.servers)
        return runtime().optinc_error_bound(
            ctypes.byref(self._codec), self._spec.variant == _abi.VARIANTS["stochastic"],
            ctypes.byref(scale), largest)

    def close(self) -> None:
        """Frees the switch; safe twice."""
        if self._switch is not None:
            runtime().optinc_switch_destroy(ctypes.byref(self._switch))
            self._switch = None


class VirtualState:
    """State of virtual_hook: the switch, error feedback of every server, statistics.

    The options are those of State; `design` None is the float ring: the mean in float32, in the
    servers' order. `select` says whose backward pass comes next; they take turns in rising order,
    and the last one's leaves the mean in the gradients. Gradients must be cleared in between.
    """

    def __init__(self, design: Union[None, str, os.PathLike, Design], servers: int, *,
                 bits: Optional[int] = None, error_feedback: bool = False,
                 backend: Optional[str] = None, photonic: Optional[Photonic] = None,
                 rounding: str = "nearest", seed: int = 0,
                 block_size: int = BLOCK_SIZE_DEFAULT, alternate: bool = True,
                 measure_every: int = 0, threads: int = 1) -> None:
        self.servers, self.error_feedback, self.rounding = servers, error_feedback, rounding
        self.block_size, self.alternate = block_size, alternate
        self.measure_every = measure_every
        self.design: Optional[Design] = None
        self.backend: Optional[str] = None
        self.photonic: Optional[Photonic] = None
        self._collective: Optional[VirtualCollective] = None
        if design is not None:
            self.design = design if isinstance(design, Design) else Design.load(design)
            if bits is not None and bits != self.design.bits:
                raise Error(f"{self.design.source}: a design for {self.design.bits} bits, not for "
                            f"{bits}")
            self.backend = backend or ("exact" if self.design.exact else "table")
            self.photonic = checked(self.backend, photonic)
            self._collective = VirtualCollective(
                self.design, servers, backend=self.backend, photonic=self.photonic,
                rounding=rounding, seed=seed, block_size=block_size, threads=threads)
        self._feedback = [FeedbackStore() for _ in range(servers)]
        self._recorder = Recorder()
        self.reset()

    def select(self, server: int) -> None:
        """The next backward pass is this server's."""
        if server != self._next or not 0 <= server < self.servers:
            raise Error(f"server {server} was selected, {self._next} is next")
        self._current, self._next = server, (server + 1) % self.servers

    def submit(self, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        """Keeps the bucket, or reduces it if this is the last server; what virtual_hook returns."""
        buffer, parameters = bucket.buffer(), bucket.parameters()
        if buffer.dtype != torch.float32:
            raise Error(f"gradients in float32 were expected, not {buffer.dtype}")
        values = buffer.to("cpu", copy=True)
        if self._current < self.servers - 1:
            # By parameter, as DDP lays its buckets out anew after the first backward pass.
            parts = values.split([p.numel() for p in parameters])
            self._held[self._current].update(zip(map(id, parameters), parts))
        else:
            buffer.copy_(self._reduce(bucket.index(), parameters, values))
            self._step += bucket.is_last()
        future: torch.futures.Future = torch.futures.Future()
        future.set_result(buffer)
        return future

    def _reduce(self, index: int, parameters: list[torch.Tensor],
                last: torch.Tensor) -> torch.Tensor:
        values = [torch.cat([held[id(p)] for p in parameters]) for held in self._held] + [last]
        if self._collective is None:
            total = values[0]
            for other in values[1:]:
                total += other
            return total.div_(self.servers)
        feedback = ([store.flat(parameters) for store in self._feedback]
                    if self.error_feedback else None)
        measuring = self.measure_every > 0 and self._step % self.measure_every == 0
        exact = self._exact_mean(values, feedback) if measuring else None
        target = torch.empty_like(last)
        for turned in [*values, *(feedback or [])] if self.alternate else []:
            negate_alternate(turned, self._step)
        report = self._collective.allreduce(values, target, error_feedback=feedback,
                                            step=self._step * _BUCKETS_MAX + index)
        for turned in [target, *(feedback or [])] if self.alternate else []:
            negate_alternate(turned, self._step)
        self._recorder.add(report)
        if exact is not None:
            self._recorder.measure(exact, target, report.error_bound_max)
        return target

    @staticmethod
    def _exact_mean(values: Sequence[torch.Tensor],
                    feedback: Optional[Sequence[torch.Tensor]]) -> torch.Tensor:
        """float64 mean of what is about to be quantised."""
        total = torch.zeros(values[0].numel(), dtype=torch.float64)
        for server, x in enumerate(values):
            total += (x if feedback is None else x + feedback[server]).double()
        return total / len(values)

    def take_statistics(self) -> Statistics:
        """What happened since the last call; to be called between steps."""
        return self._recorder.take()

    def reset(self) -> None:
        """Forgets feedback, step count and statistics; to be called between steps."""
        for store in self._feedback:
            store.clear()
        # of every server but the last, by the ids of parameters
        self._held: list[dict[int, torch.Tensor]] = [{} for _ in range(self.servers - 1)]
        self._current = self._next = 0
        self._step = 0
        self._recorder.take()

    def state_dict(self, module: nn.Module) -> dict[str, Any]:
        """Step count and every server's error feedback by parameter name."""
        return {"step": self._step,
                "feedback": [store.state_dict(_named(module)) for store in self._feedback]}

    def load_state_dict(self, state: dict[str, Any], module: nn.Module) -> None:
        """Continues where state_dict was taken; ValueError if it is of another model or of another
        number of servers."""
        if len(state["feedback"]) != self.servers:
            raise ValueError(f"error feedback of {len(state['feedback'])} servers, {self.servers} "
                             "were expected")
        for store, saved in zip(self._feedback, state["feedback"]):
            store.load_state_dict(saved, _named(module))
        self._step = int(state["step"])
        self._recorder.take()

    def close(self) -> None:
        """Frees the switch; safe twice."""
        if self._collective is not None:
            self._collective.close()


def virtual_hook(state: VirtualState,
                 bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """For model.register_comm_hook(state, virtual_hook) in a process group of one."""
    return state.submit(bucket)
