"""How a model is quantized, as a value: to keep beside the model, to use again, to change a little."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Optional, Union

from .errors import InvalidArgumentError

Mode = Literal["weights", "float16", "int8", "int8-only", "int16x8"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The options of quantize() but for the data.

    recipe = fewbits.Recipe("int8", exclude=["SOFTMAX"])
    small = fewbits.quantize(model, recipe, data)      # as quantize(model, "int8", data, exclude=["SOFTMAX"])
    small.recipe.save("recipe.json")                   # {"mode": "int8", "exclude": ["SOFTMAX"]}
    other = dataclasses.replace(small.recipe, mode="int16x8")
    """

    mode: Mode
    input_type: Optional[str] = None
    output_type: Optional[str] = None
    per_channel: bool = True
    min_elements: int = 1024
    range: Literal["minmax", "average"] = "minmax"
    rounding: Literal["mean", "nearest"] = "mean"
    bias_correction: bool = True
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    weight_type: Literal["int8", "int4"] = "int8"
    block_size: int = 64
    cut_ranges: bool = True

    def __post_init__(self) -> None:
        for name in ("include", "exclude"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise InvalidArgumentError(f"{name} is a list of patterns, and '{value}' is one: write [{value!r}]")
            object.__setattr__(self, name, tuple(value))

    @staticmethod
    def of(value: RecipeLike) -> Recipe:
        """A Recipe of a mode's name, of a dict, or of a Recipe."""
        if isinstance(value, Recipe):
            return value
        if isinstance(value, Mapping):
            import difflib

            names = [field.name for field in dataclasses.fields(Recipe)]
            for name in value:
                if name not in names:
                    close = difflib.get_close_matches(str(name), names, 1)
                    hint = f"; did you mean '{close[0]}'?" if close else f": it has {', '.join(names)}"
                    raise InvalidArgumentError(f"a recipe has no '{name}'{hint}")
            if "mode" not in value:
                raise InvalidArgumentError("a recipe needs a 'mode': weights, float16, int8, int8-only or int16x8")
            return Recipe(**value)
        return Recipe(value)

    def to_dict(self) -> dict[str, Any]:
        """The mode, and what differs from the defaults."""
        out: dict[str, Any] = {"mode": self.mode}
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            if value != field.default:
                out[field.name] = list(value) if isinstance(value, tuple) else value
        return out

    def save(self, path: str | os.PathLike[str]) -> None:
        """As JSON."""
        with open(path, "w") as file:
            json.dump(self.to_dict(), file, indent=1)
            file.write("\n")

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Recipe:
        try:
            with open(path) as file:
                return Recipe.of(json.load(file))
        except json.JSONDecodeError as error:
            raise InvalidArgumentError(f"{os.fspath(path)} is no recipe, which is JSON: {error}") from error


RecipeLike = Union[Mode, Recipe, Mapping[str, Any]]
