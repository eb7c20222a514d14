# SPDX-License-Identifier: Apache-2.0
"""The DDP hook beside the NumPy oracle. Every bucket's gradients before and after are recorded, so
the oracle needs to know nothing of DDP."""

import inspect

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import harness
import optinc_torch
import oracle
from optinc_torch.hook import BLOCK_SIZE_DEFAULT

_LAYERS = (40, 300, 170, 7)


def _model(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    parts = []
    for inputs, outputs in zip(_LAYERS, _LAYERS[1:]):
        parts += [nn.Linear(inputs, outputs), nn.Tanh()]
    return nn.Sequential(*parts).to(dtype)


class Recorder:
    """Wraps the hook: keeps names of parameters, gradients before, mean after, of each bucket."""

    def __init__(self, model: nn.Module) -> None:
        self._names = {id(p): name for name, p in model.named_parameters()}
        self._found: dict = {}

    def take(self) -> list:
        """Of a step, in the buckets' order: lanes may finish them in another."""
        taken, self._found = self._found, {}
        return [taken[index] for index in sorted(taken)]

    def hook(self, state, bucket):
        names = [self._names[id(p)] for p in bucket.parameters()]
        before, index = bucket.buffer().float().numpy().copy(), bucket.index()

        def record(done):
            self._found[index] = (names, before, done.value().float().numpy().copy())
            return done.value()

        return optinc_torch.hook(state, bucket).then(record)


def _train(path: str, steps: int, dtype: torch.dtype, poison: object, options: dict) -> dict:
    """Some steps on random data of this rank; a recorded list of buckets a step. poison(step, rank)
    is a value for one gradient element, or None."""
    rank = dist.get_rank()
    module = _model(dtype)
    model = DistributedDataParallel(module, bucket_cap_mb=0.1)
    state = optinc_torch.State(path, **{"alternate": False, "block_size": 256, **options})
    recorder = Recorder(module)
    model.register_comm_hook(state, recorder.hook)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.05)
    random = torch.Generator().manual_seed(100 + rank)
    steps_buckets, statistics, equal = [], [], []
    for step in range(steps):
        x = torch.randn(16, _LAYERS[0], generator=random).to(dtype)
        target = torch.randn(16, _LAYERS[-1], generator=random).to(dtype)
        value = poison and poison.get((step, rank))
        handle = None
        if value is not None:
            def replace(gradient, value=value):
                gradient = gradient.clone()
                gradient[3, 5] = value
                return gradient
            handle = module[2].weight.register_hook(replace)
        optimiser.zero_grad()
        nn.functional.mse_loss(model(x), target).backward()
        if handle is not None:
            handle.remove()
        # what DDP put into the gradients is what the hook gave back
        gradients = {n: p.grad.float().flatten().numpy().copy()
                     for n, p in module.named_parameters()}
        buckets = recorder.take()
        for names, _, after in buckets:
            flat = np.concatenate([gradients[name] for name in names])
            equal.append(np.array_equal(flat, after, equal_nan=True))
        if all(np.isfinite(g).all() for g in gradients.values()):  # as a loss scaler does
            optimiser.step()
        steps_buckets.append(buckets)
        statistics.append(state.take_statistics())
    weights = torch.cat([p.detach().float().flatten() for p in module.parameters()]).numpy()
    sizes = {name: p.numel() for name, p in module.named_parameters()}
    state.close()
    return {"steps": steps_buckets, "weights": weights, "statistics": statistics, "equal": equal,
            "sizes": sizes}


def _run(designs, workers, steps=3, dtype=torch.float32, poison=None, design="4x8", **options):
    path = str(designs / f"{design}.safetensors")
    results = harness.run(workers, _train, path, steps, dtype, poison, options)
    for result in results:
        assert all(result["equal"])
        np.testing.assert_array_equal(result["weights"], results[0]["weights"])  # the same bits
    return results


def _buckets(results, step):
    """(names, inputs of all ranks, result) of each bucket of a step."""
    for i, (names, _, after) in enumerate(results[0]["steps"][step]):
        assert all(r["steps"][step][i][0] == names for r in results)
        for r in results:
            assert r["steps"][step][i][2].tobytes() == after.tobytes(), "the ranks' bits differ"
        yield names, [r["steps"][step][i][1] for r in results], after


def _compare(actual, expected, workers):
    if workers == 3:  # N/K = 4/3: its rounding may differ in the last bit
        np.testing.assert_array_max_ulp(actual, expected, maxulp=1)
    else:
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_gradients_are_the_oracles(designs, workers):
    results = _run(designs, workers)
    for step in range(3):
        found = list(_buckets(results, step))
        assert step == 0 or len(found) > 1  # several buckets, or the queue is not tested
        for _, inputs, after in found:
            expected, _ = oracle.reduce_mean(inputs, 4, 8)
            _compare(after, expected, workers)
            assert np.abs(after).max() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gradients(designs, dtype):
    """Reduced in float32 and rounded once, to nearest."""
    results = _run(designs, 4, steps=2, dtype=dtype)
    for step in range(2):
        for _, inputs, after in _buckets(results, step):
            expected, _ = oracle.reduce_mean(inputs, 4, 8)
            rounded = torch.from_numpy(expected).to(dtype).float().numpy()
            np.testing.assert_array_equal(after, rounded)


def test_error_feedback_survives_the_rebuilding_of_buckets(designs):
    """What a parameter is owed is kept by name here and by parameter there; DDP moves parameters to
    other buckets after the first step."""
    workers, steps = 4, 5
    results = _run(designs, workers, steps=steps, error_feedback=True)
    sizes = results[0]["sizes"]
    owed = [{name: np.zeros(size, np.float32) for name, size in sizes.items()}
            for _ in range(workers)]
    layouts = []
    for step in range(steps):
        layouts.append([names for names, _, _ in _buckets(results, step)])
        for names, inputs, after in _buckets(results, step):
            feedback = [np.concatenate([owed[rank][name] for name in names])
                        for rank in range(workers)]
            expected, left = oracle.reduce_mean(inputs, 4, 8, feedback=feedback)
            np.testing.assert_array_equal(after, expected)
            ends = np.cumsum([sizes[name] for name in names])[:-1]
            for rank in range(workers):
                owed[rank].update(zip(names, np.split(left[rank], ends)))
    assert layouts[0] != layouts[1], "the buckets were not rebuilt; the test shows nothing"
    assert any(np.abs(x).max() > 0 for x in owed[0].values())


def test_by_default_signs_alternate_and_blocks_are_small(designs):
    """The oracle's mean of inputs that are turned by hand: odd elements in steps 0, 2, even ones in
    steps 1, 3."""
    results = _run(designs, 4, steps=3, alternate=True, block_size=BLOCK_SIZE_DEFAULT)
    for step in range(3):
        for _, inputs, after in _buckets(results, step):
            signs = np.where(np.arange(after.size) % 2 == (step + 1) % 2, -1, 1).astype(np.float32)
            expected, _ = oracle.reduce_mean([x * signs for x in inputs], 4, 8, 64)
            np.testing.assert_array_equal(after, expected * signs)
    parameters = inspect.signature(optinc_torch.State).parameters
    assert parameters["alternate"].default is True
    assert parameters["block_size"].default == BLOCK_SIZE_DEFAULT == 64


def test_nan_and_infinity_propagate_as_in_a_float_sum(designs):
    """Inf on one rank gives Inf, Inf and -Inf give NaN, NaN gives NaN; nothing else is touched."""
    inf, nan = float("inf"), float("nan")
    poison = {(0, 1): inf, (1, 0): inf, (1, 2): -inf, (2, 3): nan}
    results = _run(designs, 4, poison=poison)
    for step, value in enumerate((inf, nan, nan)):
        flagged = 0
        for _, inputs, after in _buckets(results, step):
            expected, _ = oracle.reduce_mean(inputs, 4, 8)
            bad = ~np.isfinite(np.stack(inputs)).all(axis=0)
            flagged += bad.sum()
            np.testing.assert_array_equal(after[bad], np.full(bad.sum(), value, np.float32))
            assert np.isfinite(after[~bad]).all()
            block = np.arange(bad.size) // 256
            in_flagged = np.isin(block, block[bad])
            np.testing.assert_array_equal(after[~in_flagged], expected[~in_flagged])
            # the flagged block's other elements are float means; the order of the sum is free
            rest = in_flagged & ~bad
            scale = np.abs(np.stack(inputs)[:, rest]).sum(axis=0)
            assert np.all(np.abs(after[rest] - expected[rest]) <= 1e-6 * scale)
        assert flagged == 1
        assert results[0]["statistics"][step].blocks_non_finite == 1


def test_statistics_and_measured_error(designs):
    """Bytes and elements add up; the measured error obeys the bound and is not zero."""
    workers = 4
    results = _run(designs, workers, steps=4, measure_every=2, error_feedback=True, bits=8)
    elements = sum(results[0]["sizes"].values())
    for result in results:
        for step, statistics in enumerate(result["statistics"]):
            assert statistics.elements == elements
            assert statistics.allreduces == len(result["steps"][step])
            assert 1.5 * elements <= statistics.bytes_sent <= 1.55 * elements + 4096
            assert (statistics.measured is not None) == (step % 2 == 0)
            if statistics.measured is not None:
                measured = statistics.measured
                assert 0 < measured.error_rms <= measured.error_max <= measured.error_bound
                assert measured.error_rms < 0.05 * measured.gradient_rms
                assert measured.error_bound == statistics.error_bound_max


def _resume(path: str, directory: str) -> tuple:
    """Four steps at once, and two steps, a saved state, two steps."""

    def build():
        module = _model(torch.float32)
        model = DistributedDataParallel(module)
        state = optinc_torch.State(path, error_feedback=True, rounding="stochastic", seed=3)
        model.register_comm_hook(state, optinc_torch.hook)
        return module, model, state

    def step(model, module, number):
        random = torch.Generator().manual_seed(1000 * number + dist.get_rank())
        module.zero_grad()
        model(torch.randn(8, _LAYERS[0], generator=random)).square().mean().backward()
        with torch.no_grad():
            for p in module.parameters():
                p -= 0.05 * p.grad

    def weights(module):
        return torch.cat([p.detach().flatten() for p in module.parameters()]).numpy()

    module, model, state = build()
    settle(model, module, state, step)
    for number in range(4):
        step(model, module, number)
        if number == 1:
            saved = state.state_dict(model)
            torch.save(saved, f"{directory}/{dist.get_rank()}.pt")
            middle = {name: p.clone() for name, p in module.state_dict().items()}
    whole = weights(module)

    module, model, state = build()
    settle(model, module, state, step)
    module.load_state_dict(middle)
    state.load_state_dict(torch.load(f"{directory}/{dist.get_rank()}.pt", weights_only=True), model)
    for number in range(2, 4):
        step(model, module, number)
    return whole, weights(module)


def settle(model, module, state, step):
    """A step that is undone: afterwards the buckets have their final layout."""
    before = {name: p.clone() for name, p in module.state_dict().items()}
    step(model, module, 99)
    module.load_state_dict(before)
    state.reset()


def test_a_restored_state_goes_on_with_the_same_bits(designs, tmp_path):
    results = harness.run(2, _resume, str(designs / "4x8.safetensors"), str(tmp_path))
    for whole, resumed in results:
        np.testing.assert_array_equal(whole, resumed)


def _shared(path: str) -> list:
    """Gradients of two models whose buckets, of one index, are under way at once."""
    state, models = optinc_torch.State(path), []
    for _ in range(2):
        models.append(DistributedDataParallel(nn.Linear(64, 64, bias=False).bfloat16()))
        models[-1].register_comm_hook(state, optinc_torch.hook)
    x, found = torch.ones(1, 64, dtype=torch.bfloat16), []
    for _ in range(10):
        for model in models:
            model.zero_grad()
        (models[0](x).sum() + 4 * models[1](x).sum()).backward()
        found += [model.module.weight.grad.unique().tolist() for model in models]
    return found


def test_models_that_share_a_state_keep_their_gradients_apart(designs):
    for found in harness.run(2, _shared, str(designs / "4x8.safetensors")):
        assert found == [[1.0], [4.0]] * 10  # powers of two are codes


def _in_turn(path: str, count: int) -> list:
    """A model's gradients over some steps; count models share its state and step in turn with it."""
    state, models = optinc_torch.State(path), []
    for _ in range(count):
        models.append(DistributedDataParallel(_model(torch.float32)))
        models[-1].register_comm_hook(state, optinc_torch.hook)
    found = []
    for step in range(4):
        x = torch.randn(8, _LAYERS[0], generator=torch.Generator().manual_seed(step))
        for model in models:
            model.zero_grad()
            model(x).square().mean().backward()
        found.append(torch.cat([p.grad.flatten() for p in models[0].parameters()]).numpy())
    return found


def test_signs_alternate_for_every_model_that_shares_a_state(designs):
    path = str(designs / "4x8.safetensors")
    alone, shared = (harness.run(2, _in_turn, path, count)[0] for count in (1, 2))
    np.testing.assert_array_equal(alone, shared)


def _compiled(path: str) -> tuple:
    """A state that was saved of a compiled model, for one that is not."""
    module = nn.Linear(20, 5)
    model = DistributedDataParallel(module)
    state = optinc_torch.State(path, error_feedback=True)
    model.register_comm_hook(state, optinc_torch.hook)
    compiled = torch.compile(model, backend="eager")
    compiled(torch.rand(3, 20)).square().mean().backward()
    saved = state.state_dict(compiled)
    state.load_state_dict(saved, module)
    return sorted(saved["feedback"]), sorted(state.state_dict(torch.compile(module))["feedback"])


def test_names_are_those_of_the_module_whether_compiled_or_not(designs):
    for saved, again in harness.run(2, _compiled, str(designs / "4x8.safetensors")):
        assert saved == again == ["bias", "weight"]
