# SPDX-License-Identifier: Apache-2.0
"""What this package raises."""


class Error(RuntimeError):
    """Base of all errors of this package."""


class LibraryNotFound(Error):
    """liboptinc could not be found or loaded; the message says where it was looked for."""


class LibraryError(Error):
    """The library returned an error. `status` is its code (negative), `name` the code's name."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
