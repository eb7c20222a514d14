#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches CIFAR-100's binary version from its authors and leaves DIR/train.bin and DIR/test.bin.

    python workloads/resnet50/download.py DIR [--url URL]

The images are not under this project's licence: https://www.cs.toronto.edu/~kriz/cifar.html
"""

import argparse
import hashlib
import shutil
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from typing import Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workloads.common.errors import UserError  # noqa: E402
from workloads.common.files import write_atomically  # noqa: E402
from workloads.resnet50 import cifar  # noqa: E402

URL = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
MD5 = "03b5dce01913d631647c71ecec9e9cb8"  # as published on the page


def _check_sum(path: Path, expected: str, source: str) -> None:
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != expected:
        raise UserError(f"{source}: MD5 {found}, {expected} was expected")


def extract(archive: Path, folder: Path) -> None:
    """train.bin and test.bin out of the archive, checked as a training run checks them."""
    try:
        with tarfile.open(archive) as tar:
            for part in cifar.RECORDS:
                name = f"cifar-100-binary/{part}.bin"
                try:
                    source = tar.extractfile(name)
                except KeyError:
                    source = None
                if source is None:
                    raise UserError(f"{archive}: no {name} in it")

                def copy(temporary: Path, source: object = source) -> None:
                    with open(temporary, "wb") as file:
                        shutil.copyfileobj(source, file)  # type: ignore[arg-type]

                write_atomically(folder / f"{part}.bin", copy)
                cifar.load(folder / f"{part}.bin", None, part)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UserError(f"{archive}: not a readable archive: {error}") from error


def main(arguments: Optional[Sequence[str]] = None) -> int:
    p = argparse.ArgumentParser(description="Fetches CIFAR-100's binary version (161 MB).")
    p.add_argument("folder", type=Path, metavar="DIR")
    p.add_argument("--url", default=URL, help=f"({URL})")
    p.add_argument("--md5", default=MD5, help="of the archive")
    options = p.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch) / "cifar-100-binary.tar.gz"
            print(f"fetching {options.url}", file=sys.stderr)
            try:
                with urllib.request.urlopen(options.url, timeout=60) as source, \
                        open(archive, "wb") as file:
                    shutil.copyfileobj(source, file)
            except OSError as error:
                raise UserError(f"{options.url}: {error}") from error
            _check_sum(archive, options.md5, options.url)
            extract(archive, options.folder)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.folder}: train.bin and test.bin", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
