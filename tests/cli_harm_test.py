"""What goes wrong around the command line leaves the user's files as they were: full disks, kills, closed folders, absurd models and data."""

import os
import pathlib
import resource
import signal
import struct
import subprocess
import time

import numpy as np
import pytest

from cli_support import ADDER, CLASSIFIER, FEWBITS, PICTURES, run, run_json


def few_file_bytes(limit):
    """Makes every write past `limit` bytes of a file fail, as a full disk does (EFBIG in place of ENOSPC)."""
    def apply():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return apply


def commands_that_write(folder):
    """(arguments, output) of every command that leaves a file."""
    model, ranges, arrays = folder / "small.tflite", folder / "ranges.json", folder / "out.npz"
    return [
        (["quantize", CLASSIFIER, "-o", model, "--mode", "weights"], model),
        (["quantize", CLASSIFIER, "-o", model, "--mode", "int8", "--calibrate", PICTURES], model),
        (["calibrate", CLASSIFIER, "--data", PICTURES, "-o", ranges], ranges),
        (["run", ADDER, "-o", arrays], arrays),
    ]


def test_a_broken_model_leaves_no_output(tmp_path):
    model = tmp_path / "broken.tflite"
    model.write_bytes(pathlib.Path(CLASSIFIER).read_bytes()[:1000])
    run("quantize", model, "-o", tmp_path / "out.tflite", "--mode", "weights", code=1)
    assert list(tmp_path.iterdir()) == [model]


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("before", [None, b"what the user had"])
def test_full_disk(tmp_path, which, before):
    arguments, output = commands_that_write(tmp_path)[which]
    if before:
        output.write_bytes(before)
    # Room for less than any of the four files.
    done = subprocess.run([FEWBITS, *map(str, arguments)], capture_output=True, text=True, timeout=60, preexec_fn=few_file_bytes(64))
    assert done.returncode == 1
    assert str(output) in done.stderr and "File too large" in done.stderr
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == ({output.name: before} if before else {})


@pytest.mark.parametrize("which", range(4))
def test_folder_that_is_not_there(tmp_path, which):
    arguments, output = commands_that_write(tmp_path / "no")[which]
    done = run(*arguments, code=1)
    assert str(output) in done.stderr and "No such file or directory" in done.stderr
    assert list(tmp_path.iterdir()) == []


def as_nobody():
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


@pytest.mark.parametrize("which", range(4))
def test_folder_that_is_not_writable(tmp_path, which):
    """Root may write everywhere: there the command runs as nobody, on copies that nobody can reach."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "closed"
    folder.mkdir()
    arguments, output = commands_that_write(folder)[which]
    output.write_bytes(b"what the user had")
    output.chmod(0o444)
    folder.chmod(0o555)
    copies = {name: tmp_path / pathlib.Path(name).name for name in (FEWBITS, ADDER, CLASSIFIER, PICTURES)}
    for name, copy in copies.items():
        copy.write_bytes(pathlib.Path(name).read_bytes())
        copy.chmod(0o755)
    for parent in tmp_path.parents:  # pytest closes its own folders to others
        if parent.owner() == tmp_path.owner() and "pytest" in parent.name:
            parent.chmod(0o755)
    try:
        done = subprocess.run([str(copies[FEWBITS]), *(str(copies.get(a, a)) for a in arguments)], capture_output=True, text=True,
                              timeout=60, preexec_fn=as_nobody)
        assert done.returncode == 1, done.stderr
        assert str(output) in done.stderr and "Permission denied" in done.stderr
        assert [(p.name, p.read_bytes()) for p in folder.iterdir()] == [(output.name, b"what the user had")]
    finally:
        folder.chmod(0o755)


def test_killed_half_way(tmp_path):
    """Whenever SIGKILL comes, the output is the old file or the whole new one."""
    whole = tmp_path / "whole.tflite"
    arguments = ["quantize", CLASSIFIER, "--mode", "int8", "--calibrate", PICTURES, "-o"]
    started = time.monotonic()
    run(*arguments, whole)
    seconds = time.monotonic() - started
    output = tmp_path / "out" / "model.tflite"
    output.parent.mkdir()
    seen = set()
    for moment in np.linspace(0, 1.2 * seconds, 40):
        output.write_bytes(b"old")
        process = subprocess.Popen([FEWBITS, *arguments, str(output)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(moment)
        process.kill()
        process.wait()
        seen.add(output.read_bytes())
    assert seen <= {b"old", whole.read_bytes()}
    assert b"old" in seen


def test_interrupt_leaves_nothing(tmp_path):
    data = tmp_path / "many.npz"
    np.savez(data, image=np.zeros((20000, 8, 8, 3), np.float32))
    out = tmp_path / "out"
    out.mkdir()
    process = subprocess.Popen([FEWBITS, "calibrate", CLASSIFIER, "--data", data, "-o", out / "ranges.json", "--threads", "1"],
                               stderr=subprocess.PIPE)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=30)
    assert code == 130 or (code == 0 and (out / "ranges.json").exists())
    if code == 130:
        assert list(out.iterdir()) == []


# ---- data that no model can be calibrated on ----


def picture(value=None):
    image = np.linspace(-1, 1, 4 * 192, dtype=np.float32).reshape(4, 8, 8, 3)
    if value is not None:
        image[2, 1, 0, 2] = value
    return image


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"image": picture(np.nan)}, "[2]: input 'x': element 26 ([1, 0, 2]) is nan"),
        ({"image": picture(np.inf)}, "[2]: input 'x': element 26 ([1, 0, 2]) is inf"),
        ({"image": picture(-np.inf)}, "[2]: input 'x': element 26 ([1, 0, 2]) is -inf"),
        ({"image": picture()[:0]}, "no sample"),
        ({"image": picture()[:, :7]}, "has shape [1, 8, 8, 3], but the sample has [7, 8, 3]"),
        ({"image": picture().astype(np.complex64)}, "complex64"),
        ({"photo": picture(), "depth": picture()}, "has no array for input 'x' ('image'); it holds photo, depth"),
    ],
)
@pytest.mark.parametrize("command", ["calibrate", "quantize"])
def test_odd_calibration_data(tmp_path, command, arrays, message):
    data, output = tmp_path / "data.npz", tmp_path / "out"
    np.savez(data, **arrays)
    options = ["--data", data] if command == "calibrate" else ["--mode", "int8", "--calibrate", data]
    error = run_json(command, CLASSIFIER, *options, "-o", output, code=1)["error"]["message"]
    assert str(data) in error and message in error
    assert not output.exists()


def test_empty_folder_is_no_data(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    error = run_json("calibrate", CLASSIFIER, "--data", folder, "-o", tmp_path / "out", code=1)["error"]["message"]
    assert str(folder) in error
    assert not (tmp_path / "out").exists()


# ---- models from elsewhere ----


def patched(tmp_path, old, new):
    """The classifier with the only occurrence of a run of int32 (little-endian) replaced."""
    data = pathlib.Path(CLASSIFIER).read_bytes()
    old, new = (struct.pack(f"<{len(v)}i", *v) for v in (old, new))
    assert data.count(old) >= 1
    path = tmp_path / "patched.tflite"
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize("shape", [(4, 1, 2**31 - 1, 2**31 - 1, 3), (4, 1, 8, 8, -5), (4, 2**16, 2**16, 2**16, 2**16), (4, 1, 46341, 46341, 3)])
@pytest.mark.parametrize("command", ["run", "bench", "quantize"])
def test_absurd_input_shapes(tmp_path, shape, command):
    """2^31 elements and more, products past 2^63 and negative sizes: an error that says so, in bounded memory."""
    model = patched(tmp_path, (4, 1, 8, 8, 3), shape)
    extra = ["-o", tmp_path / "out.tflite", "--mode", "int8", "--calibrate", PICTURES] if command == "quantize" else []
    done = subprocess.run([FEWBITS, command, str(model), *map(str, extra)], capture_output=True, text=True, timeout=60,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)))
    assert done.returncode == 1, done.stderr
    assert "patched.tflite" in done.stderr or "input 'x' has shape" in done.stderr
    assert not (tmp_path / "out.tflite").exists()
