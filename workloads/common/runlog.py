# SPDX-License-Identifier: Apache-2.0
"""The run log (docs/run-log.md): one JSON object a line."""

import json
from pathlib import Path
from typing import Any, TextIO

from workloads.common.errors import UserError
from workloads.common.files import write_text_atomically

FORMAT = "optinc-run-log"
FORMAT_VERSION = 1


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False, ensure_ascii=False) + "\n"


def read(path: Path) -> list[dict[str, Any]]:
    """All records. A last line that was cut short by a kill is left out."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    records = []
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last newline is a stump
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}: line {number} is not JSON: {error}") from error
        if not isinstance(record, dict) or "type" not in record:
            raise UserError(f"{path}: line {number}: an object with the key \"type\" was expected")
        records.append(record)
    if not records or records[0].get("format") != FORMAT:
        raise UserError(f"{path}: not a run log (no \"format\": \"{FORMAT}\" in its first line)")
    return records


class RunLog:
    """Appends records to a log file; every record is flushed when `write` returns."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self.path = path
        self._file = file

    @classmethod
    def start(cls, path: Path, configuration: dict[str, Any]) -> "RunLog":
        """A new log, in place of what was there."""
        first = {"type": "run", "format": FORMAT, "format_version": FORMAT_VERSION}
        write_text_atomically(path, _line({**first, **configuration}))
        return cls(path, open(path, "a", encoding="utf-8"))

    @classmethod
    def resume(cls, path: Path, step: int) -> "RunLog":
        """Continues after `step`: drops what came after it, so that no step stands twice."""
        kept = [record for record in read(path)
                if record["type"] != "end" and record.get("step", 0) <= step]
        steps = [record["step"] for record in kept if record["type"] == "step"]
        if steps != list(range(1, step + 1)):
            raise UserError(f"{path}: steps 1 to {step} were expected before the checkpoint")
        kept.append({"type": "resume", "step": step})
        write_text_atomically(path, "".join(map(_line, kept)))
        return cls(path, open(path, "a", encoding="utf-8"))

    def write(self, record: dict[str, Any]) -> None:
        try:
            self._file.write(_line(record))
            self._file.flush()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def close(self) -> None:
        self._file.close()
