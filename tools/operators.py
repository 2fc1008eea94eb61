#!/usr/bin/env python3
"""docs/operators.md, from what fewbits says of its operators and what the conformance cases saw run.

    tools/test.sh conformance && tools/operators.py --write       (--check, which that step does: the page says what is so)

`fewbits operators --json` gives the modes; conformance_runner --kernels gives, for each instruction set, the types that were compared
with LiteRT, the versions that the writer gives and the kernels that ran: build/conformance/kernels_ISA.json, kernels_best.json without
a cap. Columns of instruction sets that this machine does not have stay as they are.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/operators.md"
SEEN = ROOT / "build/conformance"
ISAS = ["baseline", "avx2", "avx512", "avx512vnni", "amx"]
HEAD = """# Operators

Made by `tools/operators.py`; CI checks that it is true. What is known of an operator stands in its family's folder under `src/ops`.

* Types: those in which cases are compared with LiteRT's reference kernels ([Conformance](conformance.md)), by the type of the first
  operand. `hybrid` is float activations with int8 or int4 weights.
* Modes: which of them give the operator integers. `weights` multiplies in int8, `weights (stored)` keeps constants in int8 and computes
  in float. In `float16` mode every constant is stored in 16 bits.
* Versions: those that fewbits writes, by types and options.
"""
KERNELS = """## Kernels by instruction set

Of the operators whose kernels depend on the processor; the others are portable C++. A cell names what ran in the cases, "portable"
where none of the set's own kernels did. `fewbits inspect MODEL --why` tells which one each operator of a model gets, and why not
a faster one. ARM's kernels (NEON, and NEON with the dot product) are not in this table, which is made on x86: they are matrix products
and depthwise convolutions in float32 and int8, quantization, and the float operators after a product.
"""
OF_AN_ISA = re.compile(r".*?(avx\w*|amx)")
TYPES = ["float32", "int8", "int16", "uint8", "hybrid", "float16", "int32", "int64", "bool"]


def kind(dtype):
    """Cases of "int8_per_tensor" and "basic_float32" are int8 and float32 ones, those of "hybrid_int4" hybrid."""
    parts = dtype.split("_")
    return next((part for part in parts if part in TYPES), parts[0])


def machine():
    """The instruction sets that kernels may be chosen for here."""
    flags = set(re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)[1].split())
    needed = {"baseline": set(), "avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq"}, "avx512vnni": {"avx512_vnni"}, "amx": {"amx_int8", "amx_bf16"}}
    return [isa for place, isa in enumerate(ISAS) if all(needed[lower] <= flags for lower in ISAS[:place + 1])]


def seen_by_isa():
    here = machine()
    files = {isa: "best" if isa == here[-1] else isa for isa in here}
    return {isa: json.loads((SEEN / f"kernels_{name}.json").read_text()) for isa, name in files.items()}


def modes(op):
    weights = {"hybrid": ["weights"], "stored": ["weights (stored)"], "": []}[op["weights"]]
    return ", ".join((["int8"] if op["int8"] else []) + (["int16x8"] if op["int16"] else []) + weights)


def operator_rows(operators, seen):
    for op in operators:
        cases = [case for case in seen if case["op"] == op["type"]]
        kinds = {kind(case["dtype"]) for case in cases}
        types = [name for name in TYPES if name in kinds] + sorted(kinds - set(TYPES))
        versions = sorted({version for case in cases for version in case["versions"]})
        yield [op["type"] + (" (custom)" if op["custom"] else ""), ", ".join(types), modes(op), ", ".join(map(str, versions))]


def kernels_of(cases, op, of_kind):
    names = {name for case in cases if case["op"] == op and kind(case["dtype"]) == of_kind for name in case["kernels"]}
    found = {match[0] for name in names if (match := OF_AN_ISA.match(name))}
    return "<br>".join(sorted(found)) or "portable"


def kernel_rows(by_isa, written):
    """`written`: the rows of the page as it is, for the columns that this machine cannot tell."""
    keys = sorted({(case["op"], kind(case["dtype"])) for cases in by_isa.values() for case in cases})
    for op, of_kind in keys:
        old = written.get((op, of_kind), ["portable"] * len(ISAS))
        cells = [kernels_of(by_isa[isa], op, of_kind) if isa in by_isa else old[place] for place, isa in enumerate(ISAS)]
        if set(cells) != {"portable"}:
            yield [op, of_kind, *cells]


def rows_written():
    text = PAGE.read_text() if PAGE.exists() else ""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {(row[0], row[1]): row[2:] for row in rows if len(row) == 2 + len(ISAS)}


def table(titles, rows):
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("|" + "|".join(f" {cell} " if cell else " " for cell in line) + "|\n" for line in lines)


def main():
    if sys.argv[1:] not in (["--write"], ["--check"]):
        sys.exit(__doc__)
    cli = [str(ROOT / "build/release/fewbits"), "operators", "--json"]
    operators = json.loads(subprocess.run(cli, check=True, capture_output=True, text=True).stdout)
    by_isa = seen_by_isa()
    page = HEAD + "\n" + table(["operator", "types", "modes", "versions"], operator_rows(operators, by_isa["baseline"]))
    page += "\n" + KERNELS + "\n" + table(["operator", "type", *ISAS], kernel_rows(by_isa, rows_written()))
    if sys.argv[1] == "--write":
        PAGE.write_text(page)
    elif not PAGE.exists() or PAGE.read_text() != page:
        sys.exit("docs/operators.md is not what fewbits says of its operators: tools/operators.py --write, and read the difference")


if __name__ == "__main__":
    main()
