# SPDX-License-Identifier: Apache-2.0
"""Finds liboptinc and liboptinc_design and loads them once."""

import ctypes
import ctypes.util
import functools
import logging
import os
import sys
from pathlib import Path
from typing import Any, Iterator

from optinc_torch import _abi
from optinc_torch._version import VERSION
from optinc_torch.errors import LibraryError, LibraryNotFound

_RUNTIME, _TOOLCHAIN = "optinc", "optinc_design"
_logger = logging.getLogger("optinc")


def _candidates(name: str) -> Iterator[str]:
    """Paths of lib<name>.so to try, in order; the last is the dynamic linker's own choice."""
    file_name = f"lib{name}.so"
    package = Path(__file__).resolve().parent
    environment = os.environ.get("OPTINC_LIBRARY")
    if environment:
        # The user's word is final: no falling back to another build.
        given = Path(environment)
        yield str(given / file_name if given.is_dir() else given.with_name(file_name))
        return
    folders = [package / "lib"]
    tree = package.parents[min(2, len(package.parents) - 1)]
    if (tree / "include" / "optinc").is_dir():
        folders.append(tree / "build" / "release" / "src")  # the package lies in the source tree
    folders += [Path(sys.prefix) / "lib", Path("/usr/local/lib")]
    yield from (str(folder / file_name) for folder in folders)
    yield ctypes.util.find_library(name) or f"{file_name}.0"


def _load(name: str, functions: dict) -> ctypes.CDLL:
    tried = []
    for path in _candidates(name):
        if os.sep in path and not os.path.exists(path):
            tried.append(f"{path} (not there)")
            continue
        try:
            library = ctypes.CDLL(path)
            for function, (result, arguments) in functions.items():
                entry = getattr(library, function)
                entry.restype, entry.argtypes = result, arguments
            return library
        except (OSError, AttributeError) as error:
            tried.append(f"{path} ({error})")
    raise LibraryNotFound(
        f"lib{name}.so cannot be loaded; build it (cmake --build --preset release) or install it, "
        "or set OPTINC_LIBRARY to it or to its folder. Tried: " + "; ".join(tried))


@functools.cache
def runtime() -> ctypes.CDLL:
    """liboptinc; LibraryNotFound if there is none, or only one of another version."""
    library = _load(_RUNTIME, _abi.RUNTIME_FUNCTIONS)
    found = library.optinc_version().decode()
    # The structs of _abi are those of one version; before 1.0 a minor version may change them.
    if found.split(".")[:2] != VERSION.split(".")[:2]:
        raise LibraryNotFound(f"{library._name}: version {found}, but optinc_torch {VERSION} needs "
                              "its own")
    return library


@functools.cache
def toolchain() -> ctypes.CDLL:
    """liboptinc_design, needed to construct designs and for the backend onn."""
    runtime()
    return _load(_TOOLCHAIN, _abi.TOOLCHAIN_FUNCTIONS)


def library_version() -> str:
    """Version of the C library that is in use."""
    return runtime().optinc_version().decode()


class LogHandler:
    """A log handler for the library: passes lines on to Python's logger "optinc" and keeps the
    errors, whose texts become that of the exception. Must outlive the objects it is given to."""

    def __init__(self) -> None:
        self._errors: list[str] = []
        self._callback = _abi.LogWrite(self._write)
        self.log = _abi.Log(write=self._callback, user=None)

    def _write(self, _user: int, level: int, message: bytes) -> None:
        text = message.decode("utf-8", "replace")
        if level == _abi.LOG_ERROR:
            self._errors.append(text)
        _logger.log({_abi.LOG_WARNING: logging.WARNING}.get(level, logging.DEBUG), "%s", text)

    @property
    def pointer(self) -> Any:
        return ctypes.byref(self.log)

    def check(self, status: int, what: str) -> None:
        """LibraryError unless `status` is success."""
        errors, self._errors = self._errors, []
        if status == _abi.STATUS_OK:
            return
        text = runtime().optinc_status_text(status).decode()
        detail = "".join(f": {error}" for error in reversed(errors))  # the cause is told first
        raise LibraryError(status, _abi.STATUS_NAMES.get(status, str(status)),
                           f"{what}: {text}{detail}")
