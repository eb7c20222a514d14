# SPDX-License-Identifier: Apache-2.0
"""Reading with clear errors, writing so that a reader never sees half a file."""

import hashlib
import os
from pathlib import Path
from typing import Callable

from workloads.common.errors import UserError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Calls write(temporary) and renames the result over `path`. A failure leaves what was there.

    The temporary file is in the same folder and carries the process id, so ranks do not collide.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_text(path: Path) -> str:
    """The whole of a UTF-8 file; UserError if it is missing, empty or not UTF-8."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not text.strip():
        raise UserError(f"{path}: empty; text was expected")
    return text


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
