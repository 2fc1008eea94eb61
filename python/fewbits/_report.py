"""What quantization did to a model, as a page to look at."""

from __future__ import annotations

import json
import os
from html import escape
from typing import Any

from . import _native
from ._api import ModelLike, dataset_for, default_threads, load
from ._data import Data
from ._native import Preprocess
from ._progress import Bar, Progress


class Report:
    """Two models side by side on data, or one by itself. Shows itself in notebooks; save() writes one file for any browser.

    Report("model.tflite", small, "pictures/").save("report.html")
    """

    def __init__(
        self,
        reference: ModelLike,
        other: ModelLike | None = None,
        data: Data | None = None,
        *,
        samples: int = 0,
        seed: int | None = None,
        others: bool = False,
        runs: int = 20,
        worst: int = 8,
        signature: str = "",
        preprocess: Preprocess | None = None,
        sample_rate: int = 0,
        ignore_nonfinite: bool = False,
        threads: int | None = None,
        progress: Progress = None,
    ) -> None:
        """runs: of each model, to time it; worst: how many of the worst samples to show. The rest is as in compare()."""
        first = load(reference)
        threads = threads or default_threads()
        if other is None:
            self._native = _native.report_of_one(first, signature, threads, runs)
            return
        if data is None:
            raise TypeError("a report of two models needs data= to run them on")
        source = dataset_for(data, first, signature, preprocess, sample_rate, ignore_nonfinite)
        path = os.fspath(data) if isinstance(data, (str, os.PathLike)) else ""
        with Bar("comparing", progress) as listener:
            self._native = _native.report_of_two(
                first, load(other), source, signature, samples, seed, others, threads, runs, worst, path, listener
            )

    @property
    def verdict(self) -> str:
        """Size, time, agreement and what stayed in float, in a sentence or two."""
        return self._native.verdict

    def html(self) -> str:
        return self._native.html()

    def to_dict(self) -> dict[str, Any]:
        """All of it as data; docs/report.schema.json describes it."""
        document: dict[str, Any] = json.loads(self._native.json())
        return document

    def save(self, path: str | os.PathLike[str]) -> None:
        """The page, and its data beside it as .json; a path that ends in .json gets the data alone."""
        self._native.save(os.fspath(path))

    def __repr__(self) -> str:
        return f"<fewbits.Report: {self.verdict}>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html())}" style="width:100%;height:800px;border:0" sandbox="allow-scripts"></iframe>'
        )
