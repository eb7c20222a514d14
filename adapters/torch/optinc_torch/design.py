# SPDX-License-Identifier: Apache-2.0
"""A switch's design: loaded from its file, or constructed."""

import ctypes
import os
from typing import Optional, Union

from optinc_torch import _abi
from optinc_torch._library import LogHandler, runtime, toolchain

_TABLE_CASES_MAX = 1 << 28
# Beyond, the proof stage by stage has to do: a second on one core, where 32 ports took minutes.
_EXHAUSTIVE_CASES_MAX = 1 << 23


class Design:
    """Owns a design of the library. It does not change, and any number of states may share it."""

    def __init__(self, handle: ctypes.c_void_p, source: str) -> None:
        """Takes the handle. Use `load` or `construct`."""
        self._handle: Optional[ctypes.c_void_p] = handle
        self.source = source

    @classmethod
    def load(cls, path: Union[str, os.PathLike]) -> "Design":
        """Reads a design file; LibraryError names file, field and what was expected."""
        handler, handle = LogHandler(), ctypes.c_void_p()
        status = runtime().optinc_design_load(os.fsencode(path), handler.pointer,
                                              ctypes.byref(handle))
        handler.check(status, os.fspath(path))
        return cls(handle, os.fspath(path))

    @classmethod
    def construct(cls, servers: int, bits: int, *, activation: str = "saturating",
                  variant: str = "half_up", table: bool = False) -> "Design":
        """The constructed switch for `servers` ports (a power of two, 2 .. 64) and `bits` (even,
        2 .. 32), proved before it is returned. `table`: with what the ONN answers in every case,
        for the backend table. Needs liboptinc_design."""
        library, handler, handle = toolchain(), LogHandler(), ctypes.c_void_p()
        what = f"constructing a design for {servers} servers and {bits} bits"
        spec = _abi.Spec()
        handler.check(runtime().optinc_spec_single(servers, bits, _abi.VARIANTS[variant],
                                                   handler.pointer, ctypes.byref(spec)), what)
        options = _abi.ConstructOptions(activation=_abi.ACTIVATIONS[activation], gap=0.0)
        handler.check(library.optinc_construct(ctypes.byref(spec), ctypes.byref(options),
                                               handler.pointer, ctypes.byref(handle)), what)
        design = cls(handle, f"constructed {servers}x{bits}")
        result, limits = _abi.VerifyResult(), _abi.VerifyOptions(
            exhaustive_cases_max=_EXHAUSTIVE_CASES_MAX)
        handler.check(library.optinc_verify(handle, 0, ctypes.byref(limits), None, handler.pointer,
                                            ctypes.byref(result)), what)
        handler.check(runtime().optinc_design_set_proof(handle, 0, ctypes.byref(result.best)), what)
        if table:
            design._add_table(handler, what)
        return design

    def _add_table(self, handler: LogHandler, what: str) -> None:
        table, count = ctypes.c_void_p(), ctypes.c_size_t()
        handler.check(toolchain().optinc_tabulate(self.handle, 0, _TABLE_CASES_MAX, None,
                                                  handler.pointer, ctypes.byref(table),
                                                  ctypes.byref(count)), what)
        try:
            handler.check(runtime().optinc_design_set_table(self.handle, 0, table, count), what)
        finally:
            toolchain().optinc_table_free(ctypes.byref(table))

    def save(self, path: Union[str, os.PathLike]) -> None:
        """Writes the design file; a failure leaves what was there."""
        handler = LogHandler()
        handler.check(runtime().optinc_design_save(self.handle, os.fsencode(path), handler.pointer),
                      os.fspath(path))

    @property
    def handle(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise ValueError("the design is closed")
        return self._handle

    @property
    def ports(self) -> int:
        """N: the most servers that the switch serves."""
        return runtime().optinc_design_ports(self.handle)

    @property
    def bits(self) -> int:
        """B, of a gradient's code."""
        return runtime().optinc_design_bits(self.handle)

    @property
    def exact(self) -> bool:
        """Whether its proof says that it computes the reference function."""
        return runtime().optinc_design_exact(self.handle)

    @property
    def checksum(self) -> int:
        """Of all that determines results; equal designs have equal checksums."""
        return runtime().optinc_design_checksum(self.handle)

    def close(self) -> None:
        """Frees it; safe twice. Nothing may use it any more."""
        if self._handle is not None:
            runtime().optinc_design_destroy(ctypes.byref(self._handle))
            self._handle = None

    def __del__(self) -> None:
        # At interpreter exit the modules may be gone already; the process's end frees all.
        if getattr(self, "_handle", None) is not None and runtime is not None:
            self.close()
