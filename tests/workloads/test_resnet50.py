# SPDX-License-Identifier: Apache-2.0
"""ResNet50 on files of CIFAR-100's layout: the network, the data, its errors, ways to train."""

import os

import numpy as np
import pytest
import torch

import runs
from workloads.common import runlog
from workloads.common.errors import UserError
from workloads.resnet50 import augment, cifar
from workloads.resnet50.network import CifarResNet50

_RECORDS = 60  # that hold something; the rest of the files is a hole


def _write(path, records):
    with open(path, "wb") as file:
        file.write(records.tobytes())
    os.truncate(path, cifar.RECORDS[path.stem] * cifar.RECORD)


@pytest.fixture(scope="module")
def records():
    random = np.random.default_rng(7)
    rows = random.integers(0, 256, size=(_RECORDS, cifar.RECORD), dtype=np.uint8)
    rows[:, 0] = random.integers(0, cifar.COARSE_CLASSES, size=_RECORDS)
    rows[:, 1] = random.integers(0, cifar.CLASSES, size=_RECORDS)
    return rows


@pytest.fixture
def data(tmp_path, records):
    folder = tmp_path / "cifar"
    folder.mkdir()
    for part in ("train", "test"):
        _write(folder / f"{part}.bin", records)
    return folder


def test_records_are_read_as_they_are_laid_out(data, records):
    part = cifar.load(data / "train.bin", 50, "train")
    assert part.images.shape == (50, 3, 32, 32) and part.labels.shape == (50,)
    # byte 2 + 1024 c + 32 y + x of a record is colour c of pixel (y, x)
    assert part.images[49, 2, 31, 5] == records[49, 2 + 2048 + 31 * 32 + 5]
    assert part.labels[49] == records[49, 1]
    assert cifar.load(data / "test.bin", None, "test").labels.size == 10_000
    few = cifar.load(data / "train.bin", 50, "train", 30)
    chosen = records[:50][records[:50, 1] < 30]
    assert few.labels.tolist() == chosen[:, 1].tolist()
    assert np.array_equal(few.images.reshape(len(chosen), -1), chosen[:, 2:])


@pytest.mark.parametrize("change,expected", [
    (None, "train.bin: no such file; workloads/resnet50/download.py fetches CIFAR-100"),
    (lambda path: os.truncate(path, 1000 * cifar.RECORD + 7),
     f"train.bin: {1000 * cifar.RECORD + 7} bytes, 153700000 were expected (50000 records of "
     "3074); it breaks off in record 1001"),
    (lambda path: os.truncate(path, 153_700_001),
     "train.bin: 153700001 bytes, 153700000 were expected"),
    (lambda path: _poke(path, 3 * cifar.RECORD + 1, 100),
     "train.bin: record 4 has the fine label 100, 0 to 99 were expected"),
    (lambda path: _poke(path, 5 * cifar.RECORD, 20),
     "train.bin: record 6 has the coarse label 20, 0 to 19 were expected"),
])
def test_wrong_files_are_told(data, change, expected):
    path = data / "train.bin"
    if change is None:
        path.unlink()
    else:
        change(path)
    with pytest.raises(UserError) as error:
        cifar.load(path, 40, "train")
    assert expected in str(error.value)


def _poke(path, offset, value):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(bytes([value]))


def test_more_images_than_there_are(data):
    with pytest.raises(UserError, match="50001 images were asked for, CIFAR-100 has 50000"):
        cifar.load(data / "train.bin", 50_001, "train")


def test_augmentation_shifts_and_mirrors_and_repeats(records):
    images = records[:, 2:].reshape(-1, 3, 32, 32)
    first = augment.crop_and_flip(images, 3, range(_RECORDS))
    assert np.array_equal(first, augment.crop_and_flip(images, 3, range(_RECORDS)))
    assert not np.array_equal(first, augment.crop_and_flip(images, 4, range(_RECORDS)))
    # an image's fate does not hang on its neighbours in the batch
    assert np.array_equal(first[5:7], augment.crop_and_flip(images[5:7], 3, range(5, 7)))
    shifts, mirrored = set(), 0
    for image, made in zip(images, first):
        found = _find(image, made)
        assert found is not None
        shifts.add(found[:2])
        mirrored += found[2]
    assert len(shifts) > 30 and 15 <= mirrored <= 45


def _find(image, made):
    """(top, left, mirrored) that give `made`, looked for in all places."""
    padded = np.zeros((3, 40, 40), dtype=np.uint8)
    padded[:, 4:36, 4:36] = image
    for top in range(9):
        for left in range(9):
            crop = padded[:, top:top + 32, left:left + 32]
            if np.array_equal(crop, made):
                return top, left, 0
            if np.array_equal(crop[:, :, ::-1], made):
                return top, left, 1
    return None


def test_the_network_is_torchvisions_but_for_its_stem():
    from torchvision.models import resnet50

    ours, theirs = CifarResNet50(100), resnet50(num_classes=100)
    shapes = {name: tuple(p.shape) for name, p in theirs.named_parameters()}
    mine = {name: tuple(p.shape) for name, p in ours.named_parameters()}
    assert mine.pop("conv1.weight") == (64, 3, 3, 3)
    assert shapes.pop("conv1.weight") == (64, 3, 7, 7)
    assert mine == shapes
    assert sum(p.numel() for p in ours.parameters()) == 23_705_252
    assert ours.conv1.stride == (1, 1)
    narrow = CifarResNet50(100, 8, zero_init=True)
    assert all(block.bn3.weight.eq(0).all() for block in narrow.layer2)
    for name, p in narrow.named_parameters():
        whole = mine.get(name, (64, 3, 3, 3))
        assert [n if n in (1, 3, 100) else 8 * n for n in p.shape] == [
            n for n in whole], name
    with torch.no_grad():
        features = narrow.layer4(narrow.layer3(narrow.layer2(narrow.layer1(narrow.maxpool(
            narrow.conv1(torch.zeros(1, 3, 32, 32)))))))
    assert features.shape == (1, 256, 4, 4)  # three halvings


def _steps(out, *keys):
    return [tuple(r.get(key) for key in keys) for r in runlog.read(out / "log.jsonl")
            if r["type"] == "step"]


def test_processes_virtual_servers_and_resumed_runs_agree(data, designs, tmp_path):
    """BatchNorm included: its statistics are those of the first server, as DDP's are."""
    options = ["--steps", "4", "--collective", "optinc", "--design",
               str(designs / "2x8.safetensors"), "--error-feedback", "--nesterov", "--schedule",
               "one-cycle", "--label-smoothing", "0.1"]
    assert runs.train_resnet(tmp_path / "real", data, *options) == [("status", "0")] * 2
    virtual = [*options, "--virtual-servers", "2"]
    assert runs.train_resnet(tmp_path / "virtual", data, *virtual, workers=1) == [("status", "0")]
    assert runs.train_resnet(tmp_path / "pieces", data, *virtual, "--stop-at", "3",
                             workers=1) == [("status", "0")]
    assert runs.train_resnet(tmp_path / "pieces", data, *virtual, "--resume",
                             workers=1) == [("status", "0")]
    keys = ("step", "loss", "lr", "valid_top1", "valid_top5")
    assert _steps(tmp_path / "real", *keys) == _steps(tmp_path / "virtual", *keys)
    assert _steps(tmp_path / "pieces", *keys, "valid_loss") == _steps(
        tmp_path / "virtual", *keys, "valid_loss")
    for (mine,), (other,) in zip(_steps(tmp_path / "real", "valid_loss"),
                                 _steps(tmp_path / "virtual", "valid_loss")):
        assert (mine is None) == (other is None)
        assert mine is None or abs(mine - other) <= 1e-5 * mine


def test_bad_options(data, tmp_path):
    for more, expected in (
            (["--width", "12"], "--width 12: 1, 2, 4 or a multiple of 8"),
            (["--classes", "4"], "--classes 4: 5 to 100 were expected"),
            (["--batch", "1"], "BatchNorm needs 2 images"),
            (["--nesterov", "--momentum", "0"], "--nesterov needs --momentum"),
            (["--label-smoothing", "1"], "a number from 0 to below 1"),
            (["--data", str(tmp_path)], "train.bin: no such file")):
        (kind, message), = runs.train_resnet(tmp_path / "out", data, *more, workers=1)
        assert kind == "user error" and expected in message
