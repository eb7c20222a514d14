# SPDX-License-Identifier: Apache-2.0
"""Progress on stderr: a line that rewrites itself on a terminal, a line now and then elsewhere."""

import sys
import time
from typing import Optional

_INTERVAL_TERMINAL_S = 0.2
_INTERVAL_FILE_S = 15.0


def duration_text(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Steps done of a run, the speed so far and the time that is left."""

    def __init__(self, label: str, first: int, total: int, enabled: bool) -> None:
        self._label, self._first, self._total, self._enabled = label, first, total, enabled
        self._terminal = sys.stderr.isatty()
        self._start = time.monotonic()
        self._shown = float("-inf")
        self._valid: Optional[float] = None

    def update(self, step: int, loss: float, valid_loss: Optional[float]) -> None:
        now = time.monotonic()
        self._valid = valid_loss if valid_loss is not None else self._valid
        interval = _INTERVAL_TERMINAL_S if self._terminal else _INTERVAL_FILE_S
        last = step == self._total
        if not self._enabled or (now - self._shown < interval and not last):
            return
        self._shown = now
        per_step = (now - self._start) / max(1, step - self._first)
        text = f"{self._label}: step {step}/{self._total}  loss {loss:.4f}"
        if self._valid is not None:
            text += f"  valid {self._valid:.4f}"
        text += f"  {per_step:.2f} s/step  ETA {duration_text(per_step * (self._total - step))}"
        end = "\n" if last or not self._terminal else ""
        start = "\r\033[K" if self._terminal else ""
        print(start + text, end=end, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """A line of its own."""
        if self._enabled:
            print(("\r\033[K" if self._terminal else "") + f"{self._label}: {text}",
                  file=sys.stderr, flush=True)
