#!/usr/bin/env python3
"""Checks that objects built for a newer ISA define no weak symbol: the linker might keep that copy for every processor.

    tools/check_symbols.py BUILD_FOLDER
"""

import pathlib
import re
import subprocess
import sys

ISA_OBJECT = re.compile(r"(^|[/_])(avx2|avx512|avx512vnni|avx512vbmi|amx|neondot|i8mm|sve)\.cc\.o$")


def weak_symbols(path):
    for line in subprocess.run(["nm", "-C", "--defined-only", str(path)], capture_output=True, text=True, check=True).stdout.splitlines():
        parts = line.split(maxsplit=2)
        # DW.ref. names are pointers to the unwinder's entry, the same for every processor.
        if len(parts) == 3 and parts[1] in "wWvVu" and not parts[2].startswith("DW.ref."):
            yield parts[2]


def main():
    objects = [p for p in pathlib.Path(sys.argv[1]).rglob("*.cc.o") if ISA_OBJECT.search(str(p))]
    if not objects:
        print(f"no ISA object under {sys.argv[1]}")
        return 1
    # An explicit instantiation of a template whose name says the ISA (pool_rows_avx2<float>) exists for that ISA alone.
    own = re.compile(r"_(avx2|avx512|avx512vnni|avx512vbmi|amx|neondot)<")
    bad = [f"{path}: weak symbol {name}" for path in objects for name in weak_symbols(path) if not own.search(name)]
    print("\n".join(bad) or f"symbols of {len(objects)} ISA objects: good")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
