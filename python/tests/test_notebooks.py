"""The notebooks of examples/ run from their first cell to their last, and hold what they printed when they were stored."""

import json
import os

import nbclient
import nbformat
import pytest

from conftest import ROOT

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
MOST_SECONDS = 120  # a cell; they take a few each
MOST_BYTES = 400_000  # of a notebook with its outputs, which stay in the history


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path):
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=MOST_SECONDS, resources={"metadata": {"path": str(path.parent)}}).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_with_its_outputs(path):
    """As CONTRIBUTING.md has it: run in order, without a machine's own paths."""
    text = path.read_text()
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert any(cell["outputs"] for cell in code) and "Warning" not in text
    assert len(text) < MOST_BYTES and os.fspath(ROOT) not in text and "/site-packages/" not in text
