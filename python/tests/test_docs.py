"""The pages' Python and commands run as they stand.

A page is run from its top to its end in one folder: later blocks use what earlier ones wrote. Of its fenced blocks,

    python    run, in one namespace a page
    sh        run the lines that begin with `fewbits`, which must succeed; the others build and install, and are not run
    console   `$ fewbits ...` with what it prints, most often an error: each line that follows must be in the output, in this
              order; a command without such lines must succeed
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess

import numpy as np
import pytest

import fewbits
from conftest import KERAS_FILE, PHOTOS, PITCH_ONNX, ROOT, SAVED_MODEL
from packages import fetch

CLI = os.environ.get("FEWBITS_CLI", str(ROOT / "build/release/fewbits"))
PAGES = ["python", "getting-started", "choosing-a-mode", "calibration", "report", "migrating", "deploying", "format", "README"]
BLOCK = re.compile(r"^```(python|sh|console)\n(.*?)^```", re.S | re.M)


def path_of(page):
    return ROOT / ("README.md" if page == "README" else f"docs/{page}.md")


def blocks(page):
    text = path_of(page).read_text()
    for match in BLOCK.finditer(text):
        line = text.count(chr(10), 0, match.start()) + 2
        yield f"{path_of(page).relative_to(ROOT)}:{line}", match[1], match[2]


def run_command(line, where):
    words = shlex.split(line, comments=True)
    assert words[0] == "fewbits", f"{where}: {line}"
    done = subprocess.run([CLI, *words[1:]], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def run_commands(text, where):
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("fewbits "):
            code, output = run_command(line, where)
            assert code == 0, f"{where}: {line}\n{output}"


def run_console(text, where):
    for command, *expected in (part.splitlines() for part in text.replace("\\\n", " ").split("$ ")[1:]):
        code, output = run_command(command, where)
        assert expected or code == 0, f"{where}: {command}\n{output}"
        at = 0
        for line in filter(None, map(str.strip, expected)):
            found = output.find(line, at)
            assert found >= 0, f"{where}: {command}\nprints\n{output}\nand not\n{line}"
            at = found + len(line)


@pytest.fixture
def folder(tmp_path, monkeypatch, classifier, pictures):
    """The models and the data that the pages name."""
    monkeypatch.chdir(tmp_path)
    models = {"model.tflite": classifier, "model.h5": KERAS_FILE, "saved_model": SAVED_MODEL, "model.onnx": PITCH_ONNX}
    for name, target in models.items():
        pathlib.Path(name).symlink_to(target)
    for name in ("pictures", "more", "mixed", "labelled/0", "labelled/1"):
        pathlib.Path(name).mkdir(parents=True)
    photos = sorted(PHOTOS.glob("cifar10_*"))[:20]
    for number, photo in enumerate(photos):
        shutil.copy(photo, "pictures" if number < 12 else "more")
        if number < 6:
            shutil.copy(photo, f"labelled/{number % 2}")
    shutil.copy(photos[0], "mixed")
    samples = pictures[0][:16]
    np.savez("mixed/sample.npz", input_1=samples[0])
    np.savez("test.npz", input_1=samples, labels=pictures[1][:16])
    np.save("samples.npy", samples)
    np.save("wrong.npy", np.zeros([4, 32, 32, 3], np.float32))
    samples = samples.copy()
    samples[3, 0, 0, 0] = np.nan
    np.save("broken.npy", samples)
    np.save("sounds.npy", np.random.default_rng(0).uniform(-1, 1, [2, 43844, 1]).astype(np.float32))
    return tmp_path


def imagenet_like():
    """What the README speaks of: a classifier of 224 x 224 pictures in colour, and pictures for it."""
    member = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"  # a MobileNetV3, of two classes
    source = fetch("rapidocr-onnxruntime==1.4.4", [member]) / member
    pathlib.Path("model.tflite").unlink()
    fewbits.convert(source, shapes={"x": [1, 3, 224, 224]}).save("model.tflite")
    for name in ("pictures", "labelled/0", "labelled/1"):
        shutil.rmtree(name)
        pathlib.Path(name).mkdir()
    for number, photo in enumerate(sorted(PHOTOS.glob("imagenet_*"))[:8]):
        shutil.copy(photo, "pictures")
        shutil.copy(photo, f"labelled/{number % 2}")


@pytest.mark.parametrize("page", PAGES)
def test_page(page, folder, pictures, capsys):
    if page == "README":
        imagenet_like()
    names = {"np": np, "images": pictures[0][:8]}
    shapes = []  # of what the blocks call scores
    for where, kind, text in blocks(page):
        if kind == "python":
            exec(compile("\n" * (int(where.split(":")[1]) - 1) + text, where, "exec"), names)
            shapes.append(np.shape(names.get("scores")))
        else:
            (run_commands if kind == "sh" else run_console)(text, where)
    if page == "python":
        assert shapes[0] == (1, 172, 264) and names["worst"].error.sqnr_db > 0
        assert capsys.readouterr().out.count("SOFTMAX") >= 2 and pathlib.Path("report.html").exists()


def test_every_page_is_in_the_list():
    """A page with blocks that run is run, and commands stand in blocks, not in indented lines."""
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "examples/README.md"]
    assert {path.stem for path in pages if BLOCK.search(path.read_text())} == set(PAGES)
    for path in pages:
        assert not re.search(r"^    (\$ )?fewbits [a-z]", path.read_text(), re.M), path


# ---- the snippets in C++ and C, which tests/consumer compiles ----


def test_the_consumer_finds_the_snippets():
    """tests/consumer/snippets.py takes the block in C++ of the README, and those in C of docs/deploying.md."""
    assert len(re.findall(r"^```cpp$", (ROOT / "README.md").read_text(), re.M)) == 1
    assert len(re.findall(r"^```c$", (ROOT / "docs/deploying.md").read_text(), re.M)) == 2
    others = [path.name for path in (ROOT / "docs").rglob("*.md") if re.search(r"^```(c|cpp|cc)$", path.read_text(), re.M)]
    assert others == ["deploying.md"]
