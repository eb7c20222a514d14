# SPDX-License-Identifier: Apache-2.0
"""Which parameters go through the switch, by their names."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Iterable, Sequence

import torch


@dataclass(frozen=True)
class Plan:
    """A bucket's parts: (first element, count) of neighbours that go the same way."""

    switched: tuple[tuple[int, int], ...]
    excluded: tuple[tuple[int, int], ...]
    parameters: tuple[torch.Tensor, ...]  # those that are switched, in the bucket's order

    @staticmethod
    def gather(parts: Sequence[tuple[int, int]], values: torch.Tensor,
               target: torch.Tensor) -> torch.Tensor:
        """The parts of `values`, one behind the other."""
        return torch.cat([values[first:first + count] for first, count in parts], out=target)

    @staticmethod
    def scatter(parts: Sequence[tuple[int, int]], source: torch.Tensor,
                values: torch.Tensor) -> None:
        for (first, count), part in zip(parts, source.split([count for _, count in parts])):
            values[first:first + count] = part


class Selection:
    """Excludes the parameters whose names match one of the patterns (as of fnmatch)."""

    def __init__(self, patterns: Iterable[str], named: Iterable[tuple[str, torch.Tensor]]) -> None:
        """A pattern that fits no name is a ValueError: a slip would go unnoticed otherwise."""
        names = dict(named)
        self.excluded_names: list[str] = []
        for pattern in patterns:
            found = [name for name in names if fnmatchcase(name, pattern)]
            if not found:
                raise ValueError(f"exclude: {pattern!r} fits no parameter; there are "
                                 + ", ".join(list(names)[:5]) + (", ..." if len(names) > 5 else ""))
            self.excluded_names += [n for n in found if n not in self.excluded_names]
        self._excluded = {id(names[name]) for name in self.excluded_names}
        self._kept = names  # keeps the ids valid
        self._plans: dict[tuple[int, ...], Plan] = {}

    def plan(self, parameters: Sequence[torch.Tensor]) -> Plan:
        """Of a bucket that holds these parameters one behind the other."""
        key = tuple(map(id, parameters))
        if key not in self._plans:
            self._plans[key] = self._make(parameters)
        return self._plans[key]

    def _make(self, parameters: Sequence[torch.Tensor]) -> Plan:
        parts: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
        first = 0
        for parameter in parameters:
            side, count = parts[id(parameter) in self._excluded], parameter.numel()
            if side and sum(side[-1]) == first:
                side[-1] = (side[-1][0], side[-1][1] + count)
            else:
                side.append((first, count))
            first += count
        kept = tuple(p for p in parameters if id(p) not in self._excluded)
        return Plan(tuple(parts[False]), tuple(parts[True]), kept)
