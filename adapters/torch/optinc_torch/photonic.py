# SPDX-License-Identifier: Apache-2.0
"""The hardware that the backend photonic runs: components, faults, calibration."""

import ctypes
import os
from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, Optional, Union

from optinc_torch import _abi
from optinc_torch._library import LogHandler, toolchain
from optinc_torch.errors import Error

MAPPINGS = ("design", "direct")
BIASES = ("optical", "electronic")
CALIBRATIONS = ("none", "local", "self")


@dataclass(frozen=True)
class Photonic:
    """A chip as docs/optics.md models it; without arguments an ideal one.

    device   device file (YAML); None: ideal components
    values   single values of the device by their names there, in place of the file's, as in
             {"phase_sigma_rad": 0.01, "splitter_sigma_rad": 0.01, "dac_bits": 8}
    seed     of the fabrication: another seed is another chip
    mapping  "design": as the design says; "direct": every layer by trees
    bias     "optical": one more mode of light; "electronic": added at the receivers
    calibrate  phases for the chip as built: "none"; "local", its errors being known; "self", found
             by measuring its outputs
    search   after that the DAC codes beside these are tried, for small circuits
    dummies  meshes with equal loss on all ways
    drift_time_s  since the phases were set
    """

    device: Optional[Union[str, os.PathLike]] = None
    values: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    mapping: str = "design"
    bias: str = "optical"
    calibrate: str = "none"
    search: bool = False
    dummies: bool = False
    drift_time_s: float = 0.0

    def options(self) -> _abi.PhotonicOptions:
        """What the library takes. LibraryError names the device file or value that is wrong."""
        if self.mapping not in MAPPINGS:
            raise ValueError(f"mapping {self.mapping!r}: design or direct was expected")
        if self.bias not in BIASES:
            raise ValueError(f"bias {self.bias!r}: optical or electronic was expected")
        if self.calibrate not in CALIBRATIONS:
            raise ValueError(f"calibrate {self.calibrate!r}: none, local or self was expected")
        if not 0 <= self.seed < 1 << 64:
            raise ValueError(f"seed {self.seed}: 0 to 2^64 - 1 was expected")
        library, handler = toolchain(), LogHandler()
        options = library.optinc_photonic_defaults()
        device = ctypes.byref(options.device)
        if self.device is not None:
            handler.check(library.optinc_device_load(os.fsencode(self.device), handler.pointer,
                                                     device), os.fspath(self.device))
        for name, value in self.values.items():
            handler.check(library.optinc_device_set(device, name.encode(), value, handler.pointer),
                          f"photonic: {name}")
        handler.check(library.optinc_device_check(device, handler.pointer), "photonic")
        options.seed, options.drift_time_s = self.seed, self.drift_time_s
        options.direct = self.mapping == "direct"
        options.bias_electronic = self.bias == "electronic"
        options.correct_errors = self.calibrate == "local"
        options.self_configure = self.calibrate == "self"
        options.search_steps, options.dummies = self.search, self.dummies
        return options

    def configuration(self) -> dict[str, Any]:
        """Everything that decides what the chip answers, JSON-ready: the file's values and not its
        path."""
        device = self.options().device
        configuration = asdict(self)
        configuration["values"] = {name: getattr(device, name) for name in _abi.DEVICE_VALUES}
        del configuration["device"]
        return configuration


def checked(backend: Optional[str], photonic: Optional[Photonic]) -> Optional[Photonic]:
    """The hardware of `backend`, or None where it has none; ideal if the user gave none."""
    if backend == "photonic":
        return photonic or Photonic()
    if photonic is not None:
        raise Error(f"photonic hardware is for backend \"photonic\", not for {backend!r}")
    return None
