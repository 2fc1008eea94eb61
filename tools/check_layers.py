#!/usr/bin/env python3
"""Checks that every #include goes down the layers of docs/architecture.md, and that files keep to their size."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A folder may include only folders with a smaller number, and itself.
LAYERS = {"base": 0, "schema": 1, "ir": 2, "kernels": 2, "ops": 3, "formats": 4, "passes": 4, "quantize": 5, "runtime": 5,
          "calibrate": 6, "evaluate": 6, "report": 7, "api": 8}
# The public headers that hold the library's own vocabulary may be included from anywhere.
VOCABULARY = {"fewbits/status.h", "fewbits/types.h", "fewbits/version.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
MOST_LINES, MOST_COLUMNS = 800, 130
SOURCES = (".cc", ".h", ".c", ".py", ".inc", ".js", ".css", ".html")


def problems_of(path):
    folder = path.relative_to(ROOT / "src").parts[0]
    is_test = path.name == "test.cc" or path.name.endswith(("_test.cc", "_bench.cc")) or path.name.startswith("test_")
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        first = target.split("/")[0]
        where = f"{path.relative_to(ROOT)}:{number}: "
        if first == "fewbits":
            if target not in VOCABULARY and LAYERS[folder] < LAYERS["quantize"]:
                yield where + f"{folder} includes the public header {target}"
        elif first in LAYERS and first != folder and LAYERS[first] >= LAYERS[folder] and not is_test:
            yield where + f"{folder} (layer {LAYERS[folder]}) includes {target} (layer {LAYERS[first]})"
        elif folder == "ops" and first == "ops" and target.count("/") == 2 and not is_test:
            family = path.relative_to(ROOT / "src").parts[1]
            if target.split("/")[1] != family:
                yield where + f"the family {family} includes another one: {target}"


def main():
    problems = []
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".cc", ".h", ".inc"):
            continue
        if path.relative_to(ROOT / "src").parts[0] not in LAYERS:
            problems.append(f"{path.relative_to(ROOT)}: this folder has no layer")
            continue
        problems.extend(problems_of(path))
    for top in ("src", "cli", "python", "include", "tests", "fuzz", "bench", "tools"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in SOURCES:
                lines = path.read_text().splitlines()
                if len(lines) > MOST_LINES:
                    problems.append(f"{path.relative_to(ROOT)}: {len(lines)} lines, the most is {MOST_LINES}")
                for number, line in enumerate(lines, 1):
                    if len(line) > MOST_COLUMNS and (path.suffix != ".py" or top == "python"):
                        problems.append(f"{path.relative_to(ROOT)}:{number}: {len(line)} columns")
    print("\n".join(problems) or "layers and sizes: good")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
