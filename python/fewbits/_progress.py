"""A bar for work that takes longer than a moment, in terminals and notebooks."""

from __future__ import annotations

import sys
import warnings
from types import TracebackType
from typing import Any, Callable, Union

# True, False, None (where somebody looks: a terminal or a notebook), or a function that gets (done, total), total 0 if unknown.
Progress = Union[bool, None, Callable[[int, int], Any]]

_DELAY_SECONDS = 1.0


def _somebody_looks() -> bool:
    return sys.stderr is not None and (sys.stderr.isatty() or "ipykernel" in sys.modules)


class Bar:
    """`with Bar(...) as listener:` gives what the native side calls after each sample: a function, or None."""

    def __init__(self, work: str, progress: Progress) -> None:
        self._work = work
        self._progress = progress
        self._bar: Any = None

    def __enter__(self) -> Callable[[int, int], Any] | None:
        if callable(self._progress):
            return self._progress
        if self._progress is False or (self._progress is None and not _somebody_looks()):
            return None
        return self._update

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def _update(self, done: int, total: int) -> None:
        if self._bar is None:
            with warnings.catch_warnings():  # in notebooks without ipywidgets, where its plain bar does as well
                warnings.simplefilter("ignore")
                from tqdm.auto import tqdm

            self._bar = tqdm(desc=self._work, total=total or None, unit="sample", delay=_DELAY_SECONDS, leave=False)
        self._bar.update(done - self._bar.n)
