# SPDX-License-Identifier: Apache-2.0
"""OptINC for PyTorch: gradients of DistributedDataParallel averaged through an emulated switch.

    state = optinc_torch.State(design="switch.safetensors", error_feedback=True)
    model.register_comm_hook(state, optinc_torch.hook)

The work is done by the C library liboptinc; this package binds it and brings torch.distributed to
it as its transport.
"""

from optinc_torch._library import library_version
from optinc_torch._version import VERSION
from optinc_torch.collective import AllreduceReport, Collective
from optinc_torch.design import Design
from optinc_torch.errors import Error, LibraryError, LibraryNotFound
from optinc_torch.hook import State, hook
from optinc_torch.photonic import Photonic
from optinc_torch.statistics import Measured, Statistics
from optinc_torch.virtual import VirtualCollective, VirtualState, virtual_hook

__all__ = ["AllreduceReport", "Collective", "Design", "Error", "LibraryError", "LibraryNotFound",
           "Measured", "Photonic", "State", "Statistics", "VirtualCollective", "VirtualState",
           "hook", "library_version", "virtual_hook"]
__version__ = VERSION
