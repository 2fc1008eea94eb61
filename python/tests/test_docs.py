"""The pages' Python runs as it stands."""

import pathlib
import re

import numpy as np
import pytest

from conftest import SAVED_MODEL

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/python.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippet(number, tmp_path, monkeypatch, classifier, pictures, capsys):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("saved_model").symlink_to(SAVED_MODEL)
    pathlib.Path("model.tflite").symlink_to(classifier)
    names = {"np": np, "images": pictures[0][:8]}
    exec(compile(SNIPPETS[number], f"{PAGE.name}:{number}", "exec"), names)
    if number == 0:
        assert names["scores"].shape == (1, 172, 264)
    if number == 1:
        assert "SOFTMAX" in capsys.readouterr().out and pathlib.Path("report.html").exists() and names["worst"].error.sqnr_db > 0
    if number == 2:
        assert "SOFTMAX" in capsys.readouterr().out


def test_there_are_snippets():
    assert len(SNIPPETS) == 3
