# SPDX-License-Identifier: Apache-2.0
"""How a run averages its gradients: through DDP's float ring, or through an OptINC switch."""

import argparse
from typing import Any, Protocol

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from workloads.common.errors import UserError
from workloads.common.options import PHOTONIC_VALUES


class Averaging(Protocol):
    """What the trainer needs of it."""

    def attach(self, model: DistributedDataParallel) -> None:
        """Before the first backward pass."""

    def select(self, server: int) -> None:
        """The next backward pass is this server's."""

    def configuration(self) -> dict[str, Any]:
        """Keys of the run log's first line."""

    def reset(self) -> None:
        """Forgets everything that was seen up to now."""

    def step_record(self) -> dict[str, Any]:
        """Keys of the run log's step line, for this worker; called once a step."""

    def state_dict(self, module: nn.Module) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], module: nn.Module) -> None: ...

    def close(self) -> None: ...


class Ring:
    """DDP without a hook: Gloo's ring all-reduce of floats."""

    def __init__(self, workers: int, gradient_bytes: int) -> None:
        # Reduce-scatter and all-gather each send K-1 of K shares.
        self._bytes = 2 * (workers - 1) * gradient_bytes // workers

    def attach(self, model: DistributedDataParallel) -> None:
        pass

    def select(self, server: int) -> None:
        pass

    def configuration(self) -> dict[str, Any]:
        return {"collective": "ring", "bytes_sent_source": "formula"}

    def reset(self) -> None:
        pass

    def step_record(self) -> dict[str, Any]:
        return {"bytes_sent": self._bytes}

    def state_dict(self, module: nn.Module) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any], module: nn.Module) -> None:
        pass

    def close(self) -> None:
        pass


def _photonic(package: Any, options: argparse.Namespace) -> Any:
    """The hardware that the options name; None for other backends."""
    if options.backend != "photonic":
        return None
    values = {name: getattr(options, name) for name in PHOTONIC_VALUES.values()}
    return package.Photonic(
        device=options.device_file, values={n: v for n, v in values.items() if v is not None},
        seed=options.chip_seed, mapping=options.mapping, bias=options.bias,
        calibrate=options.calibrate, search=options.search, dummies=options.dummies)


def _package() -> Any:
    try:
        import optinc_torch
    except ImportError as error:
        raise UserError(f"optinc_torch cannot be imported ({error}); install it with: "
                        "pip install adapters/torch") from error
    return optinc_torch


class VirtualRing(Ring):
    """The float mean over virtual servers; the bytes are those of a ring of as many processes."""

    def __init__(self, servers: int, gradient_bytes: int) -> None:
        super().__init__(servers, gradient_bytes)
        package = _package()
        self._state, self._hook = package.VirtualState(None, servers), package.virtual_hook

    def attach(self, model: DistributedDataParallel) -> None:
        model.register_comm_hook(self._state, self._hook)

    def select(self, server: int) -> None:
        self._state.select(server)

    def reset(self) -> None:
        self._state.reset()


class OptINC:
    """DDP with the communication hook of optinc_torch. The constructor is collective."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._package = package = _package()
        self._design_path = str(options.design)
        self._virtual = options.virtual_servers is not None
        settings = {"bits": options.bits, "backend": options.backend,
                    "photonic": _photonic(package, options), "rounding": options.rounding,
                    "seed": options.seed, "error_feedback": options.error_feedback,
                    "measure_every": options.measure_every}
        for name in ("block_size", "alternate"):  # the package has defaults
            if getattr(options, name) is not None:
                settings[name] = getattr(options, name)
        try:
            if self._virtual:
                self._state = package.VirtualState(options.design, options.virtual_servers,
                                                   **settings)
            else:
                self._state = package.State(options.design, timeout_s=options.timeout,
                                            **settings)
        except package.Error as error:
            raise UserError(str(error)) from error

    def attach(self, model: DistributedDataParallel) -> None:
        package = self._package
        model.register_comm_hook(self._state,
                                 package.virtual_hook if self._virtual else package.hook)

    def select(self, server: int) -> None:
        if self._virtual:
            self._state.select(server)

    def configuration(self) -> dict[str, Any]:
        state, design = self._state, self._state.design
        return {"collective": "optinc",
                "bytes_sent_source": "formula" if self._virtual else "library",
                "design": self._design_path, "design_checksum": f"{design.checksum:016x}",
                "design_exact": design.exact, "ports": design.ports, "bits": design.bits,
                "block_size": state.block_size, "backend": state.backend,
                "rounding": state.rounding, "error_feedback": state.error_feedback,
                "alternate": state.alternate,
                "measure_every": state.measure_every,
                **({"photonic": state.photonic.configuration()} if state.photonic else {})}

    def reset(self) -> None:
        self._state.reset()

    def step_record(self) -> dict[str, Any]:
        statistics = self._state.take_statistics()
        record: dict[str, Any] = {
            "bytes_sent": statistics.bytes_sent,
            "seconds_quantise": statistics.seconds_quantise,
            "seconds_exchange": statistics.seconds_exchange,
            "seconds_switch": statistics.seconds_switch,
            "seconds_dequantise": statistics.seconds_dequantise,
        }
        if statistics.measured is not None:
            measured = statistics.measured
            record.update(error_max=measured.error_max, error_bound=measured.error_bound,
                          error_rms=measured.error_rms, gradient_rms=measured.gradient_rms)
        return record

    def state_dict(self, module: nn.Module) -> dict[str, Any]:
        return self._state.state_dict(module)

    def load_state_dict(self, state: dict[str, Any], module: nn.Module) -> None:
        self._state.load_state_dict(state, module)

    def close(self) -> None:
        self._state.close()


def create(options: argparse.Namespace, gradient_bytes: int) -> Averaging:
    """The averaging that --collective names. Collective."""
    if options.virtual_servers and dist.get_world_size() > 1:
        raise UserError(f"--virtual-servers {options.virtual_servers} is for one process, there "
                        f"are {dist.get_world_size()}")
    if options.collective == "optinc":
        return OptINC(options)
    if options.virtual_servers:
        return VirtualRing(options.virtual_servers, gradient_bytes)
    return Ring(dist.get_world_size(), gradient_bytes)
