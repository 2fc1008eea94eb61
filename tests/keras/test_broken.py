"""Keras files that are damaged or mean harm: an error that says what and where, nothing read from elsewhere, nothing written."""
import json
import os
import pathlib
import resource
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import packages  # noqa: E402

FEWBITS = os.environ.get("FEWBITS", str(packages.ROOT / "build" / "release" / "fewbits"))
MOST_MEMORY = 1 << 30


def config(units=3):
    return {"class_name": "Sequential", "config": {"name": "model", "layers": [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "x"}},
        {"class_name": "Dense", "config": {"name": "dense", "units": units, "activation": "linear", "use_bias": True}}]}}


def save(path, kernel=None):
    """An .h5 as Keras 2 writes it; `kernel` makes the group's kernel in a way of its own."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config())
        file.attrs["keras_version"] = "2.15.0"
        group = file.create_group("model_weights/dense")
        group.attrs["weight_names"] = [b"kernel", b"bias"]
        if kernel is None:
            group["kernel"] = np.ones((4, 3), np.float32)
        else:
            kernel(group)
        group["bias"] = np.zeros(3, np.float32)
    return path


def convert(source, tmp_path):
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))  # noqa: E731
    return subprocess.run([FEWBITS, "convert", source, "-o", tmp_path / "out.tflite"], capture_output=True, text=True, preexec_fn=limit)


def refused(source, words, tmp_path):
    done = convert(source, tmp_path)
    assert done.returncode not in (0, -6, -9, -11), done
    assert source.name in done.stderr and words in done.stderr, done.stderr
    assert "memory" not in done.stderr
    assert not (tmp_path / "out.tflite").exists()


def test_a_good_file_converts(tmp_path):
    assert convert(save(tmp_path / "model.h5"), tmp_path).returncode == 0


def test_a_link_to_another_file(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["kernel"] = np.ones((4, 3), np.float32)

    def link(group):
        group["kernel"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/kernel")

    refused(save(tmp_path / "model.h5", link), "kernel", tmp_path)


def test_elements_in_another_file(tmp_path):
    (tmp_path / "raw").write_bytes(np.ones((4, 3), np.float32).tobytes())

    def outside(group):
        group.create_dataset("kernel", (4, 3), "f4", external=[(str(tmp_path / "raw"), 0, 48)])

    refused(save(tmp_path / "model.h5", outside), "another file", tmp_path)


def test_a_virtual_dataset(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["kernel"] = np.ones((4, 3), np.float32)

    def virtual(group):
        layout = h5py.VirtualLayout((4, 3), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "kernel", (4, 3))
        group.create_virtual_dataset("kernel", layout)

    refused(save(tmp_path / "model.h5", virtual), "another file", tmp_path)


@pytest.mark.parametrize("shape, chunks", [((1 << 20, 1 << 12), (1 << 10, 1 << 10)), ((1 << 30, 8), (1 << 16, 8)), ((1 << 33, 2), (1024, 2))])
def test_absurd_shapes(tmp_path, shape, chunks):
    """Chunks that were never written take no room in the file, and all that they claim in memory."""
    source = save(tmp_path / "model.h5", lambda group: group.create_dataset("kernel", shape, "f4", chunks=chunks, fillvalue=1))
    assert source.stat().st_size < 1 << 20
    refused(source, "kernel", tmp_path)


def test_shapes_that_do_not_fit(tmp_path):
    source = save(tmp_path / "model.h5", lambda group: group.create_dataset("kernel", data=np.ones((5, 3), np.float32)))
    refused(source, "dense", tmp_path)


def test_missing_weights(tmp_path):
    refused(save(tmp_path / "model.h5", lambda group: None), "kernel", tmp_path)


def archive(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_a_member_that_grows_beyond_reason(tmp_path):
    """2 GB of zeros in 2 MB."""
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps(config()))
        with file.open("model.weights.h5", "w", force_zip64=True) as member:
            for _ in range(2048):
                member.write(bytes(1 << 20))
    done = convert(path, tmp_path)
    assert done.returncode not in (0, -6, -9, -11), done
    assert "model.keras" in done.stderr


@pytest.mark.parametrize("members, words", [
    ({}, "config.json"), ({"config.json": "{"}, "configuration"), ({"config.json": "[1]"}, "configuration"),
    ({"config.json": json.dumps(config())}, "model.weights.h5"),
    ({"config.json": json.dumps(config()), "model.weights.h5": b"not HDF5"}, "HDF5"),
    ({"config.json": "[" * 100000, "model.weights.h5": b""}, "configuration"),
    ({"../config.json": json.dumps(config()), "model.weights.h5": b""}, "config.json")])
def test_archives(tmp_path, members, words):
    refused(archive(tmp_path / "model.keras", members), words, tmp_path)


def test_truncated_archives(tmp_path):
    whole = archive(tmp_path / "whole.keras", {"config.json": json.dumps(config()), "model.weights.h5": b"x" * 1000}).read_bytes()
    for size in (0, 4, len(whole) // 2, len(whole) - 1):
        source = tmp_path / "model.keras"
        source.write_bytes(whole[:size])
        refused(source, "", tmp_path)


def weights(path):
    """model.weights.h5 of config() as Keras 3 writes it."""
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.arange(12, dtype=np.float32).reshape(4, 3)
        file["layers/dense/vars/1"] = np.float32([1, 2, 3])
    return path.read_bytes()


def stored(tmp_path, name="model.keras", compression=zipfile.ZIP_STORED):
    model = config()
    for layer in model["config"]["layers"]:
        layer["module"] = "keras.layers"
    return archive(tmp_path / name, {"config.json": json.dumps(model), "model.weights.h5": weights(tmp_path / "w.h5")}, compression)


def test_stored_and_compressed_archives_are_the_same_model(tmp_path):
    made = []
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert convert(stored(tmp_path, compression=compression), tmp_path).returncode == 0
        made.append((tmp_path / "out.tflite").read_bytes())
    with zipfile.ZipFile(tmp_path / "model.keras", "a") as file:
        file.comment = b"a comment behind the directory"
    assert convert(tmp_path / "model.keras", tmp_path).returncode == 0
    made.append((tmp_path / "out.tflite").read_bytes())
    assert made[0] == made[1] == made[2]


def test_a_stored_member_with_a_wrong_checksum(tmp_path):
    path = stored(tmp_path)
    data = bytearray(path.read_bytes())
    at = data.index(np.float32([1, 2, 3]).tobytes())
    data[at] ^= 1
    path.write_bytes(data)
    refused(path, "damaged", tmp_path)


@pytest.mark.parametrize("field, size", [(42, 4), (28, 2), (24, 4), (20, 4)])
def test_a_directory_that_lies(tmp_path, field, size):
    """Offset, name length and sizes of the weights' entry point elsewhere."""
    path = stored(tmp_path)
    data = path.read_bytes()
    entry = data.rindex(b"model.weights.h5") - 46
    for value in (0, 7, len(data) - 3, 2 ** (8 * size) - 1):
        broken = bytearray(data)
        broken[entry + field : entry + field + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
        path.write_bytes(broken)
        refused(path, "", tmp_path)
