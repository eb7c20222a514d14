# SPDX-License-Identifier: Apache-2.0
"""Error feedback that belongs to parameters, not to buckets.

DDP lays its buckets out anew after the first backward pass. What a parameter is owed must follow it
into its new bucket, so the store is keyed by parameter; a bucket's flat tensor is made when its
layout is first seen, and from then on used in place, without copies.
"""

from typing import Any, Iterable, Sequence

import torch


class FeedbackStore:
    """One float32 value an element of every parameter that was seen."""

    def __init__(self) -> None:
        self._flats: dict[tuple[int, ...], torch.Tensor] = {}  # by the ids of a bucket's parameters
        self._views: dict[int, torch.Tensor] = {}  # by the id of a parameter: its part of a flat
        self._parameters: dict[int, torch.Tensor] = {}  # keeps the ids valid

    def flat(self, parameters: Sequence[torch.Tensor]) -> torch.Tensor:
        """[total elements] of a bucket with these parameters in this order. It is the store's own
        memory: writing to it is how feedback is carried to the next step."""
        key = tuple(map(id, parameters))
        found = self._flats.get(key)
        if found is not None:
            return found
        parts = [self._views.get(id(p), torch.zeros(p.numel())) for p in parameters]
        flat = torch.cat(parts) if parts else torch.zeros(0)
        moved = set(key)
        self._flats = {old: tensor for old, tensor in self._flats.items() if not moved & set(old)}
        self._flats[key] = flat
        for parameter, view in zip(parameters, flat.split([p.numel() for p in parameters])):
            self._views[id(parameter)] = view
            self._parameters[id(parameter)] = parameter
        return flat

    def clear(self) -> None:
        self._flats.clear()
        self._views.clear()
        self._parameters.clear()

    def state_dict(self, named: Iterable[tuple[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        """Copies, by parameter name; parameters that were not seen are left out."""
        return {name: self._views[id(p)].clone() for name, p in named if id(p) in self._views}

    def load_state_dict(self, state: dict[str, Any],
                        named: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Replaces what is held. A name or size that does not fit is a ValueError, and then nothing
        was changed."""
        parameters = dict(named)
        for name, value in state.items():
            if name not in parameters:
                raise ValueError(f"error feedback for {name!r}, which the model does not have")
            if value.numel() != parameters[name].numel():
                raise ValueError(f"error feedback for {name!r}: {value.numel()} elements, "
                                 f"{parameters[name].numel()} were expected")
        self.clear()
        for name, value in state.items():
            self.flat([parameters[name]]).copy_(value)
