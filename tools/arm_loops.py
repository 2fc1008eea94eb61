#!/usr/bin/env python3
"""The inner loops of ARM's kernels, in cycles, by llvm-mca: the table of docs/arm.md.

    tools/arm_loops.py          (needs g++-aarch64-linux-gnu and llvm-19)

A loop is the shortest one of its file with that many of its own instruction. The ideal is those instructions that the work needs,
divided by the pipes that take them; llvm-mca's cycles are those of a processor whose loads all hit its first cache.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
FLAGS = """-O3 -DNDEBUG -std=c++20 -fPIC -fvisibility=hidden -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-schedule-insns
    -fno-asynchronous-unwind-tables -S -o -""".split()
PROCESSORS = ["neoverse-n1", "neoverse-v1", "cortex-a76"]
# Pipes of these processors for most vector instructions, for widening products and for loads.
ANY, MULTIPLY, LOAD = (2, 4, 2), (1, 2, 1), (2, 3, 2)
FINISH = "add|scvtf|fmla|fcvtns|sqxtn2?|sqadd|smax|smin|eor"

# title, file, its own instruction and how often, the instructions that are needed or their number, multiplications of a turn, pipes
LOOPS = [
    ("int8 product, 6 x 16, sdot", "gemm_s8_neondot", "sdot", 96, "sdot", 1536, ANY),
    ("int8 product, 6 x 16, NEON", "gemm_neon", "smull", 24, "smull", 192, MULTIPLY),
    ("float product, 6 x 16", "gemm_neon", "fmla", 24, "fmla", 96, ANY),
    ("int8 depthwise, sdot, windows of 3 columns that overlap", "depthwise_neondot", "sdot", 48, "sdot|zip.", 576, ANY),
    ("int8 depthwise, sdot, of 5 columns", "depthwise_neondot", "sdot", 80, "sdot|zip.", 1280, ANY),
    ("int8 depthwise, sdot, any windows", "depthwise_neondot", "sdot", 8, "sdot|zip.", 128, ANY),
    ("int8 depthwise, NEON", "depthwise_neon", "smlal2?", 8, "smlal2?", 32, MULTIPLY),
    ("float depthwise", "depthwise_neon", "fmla", 16, 20, 64, LOAD),  # 16 loads of inputs and 4 of weights
    ("16 outputs of int8, rounded twice", "gemm_s8_neondot", "fmla", 8, FINISH, 0, ANY),
]


def assembly(name):
    isa = ["-march=armv8.2-a+dotprod"] if name.endswith("neondot") else []
    with tempfile.TemporaryDirectory() as headers:  # the host's header-only ones, and no others of the host
        for folder in ["fmt", "tl"]:
            pathlib.Path(headers, folder).symlink_to(f"/usr/include/{folder}")
        paths = ["-I", ROOT / "include", "-I", ROOT / "src", "-isystem", headers]
        command = ["aarch64-linux-gnu-g++", *FLAGS, *isa, *paths, ROOT / f"src/kernels/{name}.cc"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def count(lines, instruction):
    return sum(re.match(rf"\s+({instruction})\s", line) is not None for line in lines)


def loop(lines, instruction, least):
    """The instructions of the shortest loop with at least that many."""
    begins, found = {}, []
    for place, line in enumerate(lines):
        if label := re.match(r"(\.L\d+):", line):
            begins[label[1]] = place
        jump = re.match(r"\s+(?:b|b\.?\w\w|cbn?z\s+\w+,|tbn?z\s+\w+, \d+,)\s+(\.L\d+)", line)
        if jump and jump[1] in begins:
            body = [each for each in lines[begins[jump[1]] : place + 1] if re.match(r"\s+[a-z]", each)]
            if count(body, instruction) >= least:
                found.append(body)
    return min(found, key=len)


def cycles(body, processor):
    turns = 200
    command = ["llvm-mca-19", "-mtriple=aarch64-linux-gnu", f"-mcpu={processor}", f"-iterations={turns}"]
    text = subprocess.run(command, input="\n".join(body) + "\n", check=True, capture_output=True, text=True).stdout
    return int(re.search(r"Total Cycles:\s+(\d+)", text)[1]) / turns


def main():
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    print("| loop | multiplications |" + "".join(f" {each}: ideal | llvm-mca | share |" for each in PROCESSORS))
    print("|---|---|" + "---|---|---|" * len(PROCESSORS))
    files = {name: assembly(name) for name in {row[1] for row in LOOPS}}
    for title, name, own, least, needed, products, pipes in LOOPS:
        body = loop(files[name], own, least)
        cells = []
        for processor, wide in zip(PROCESSORS, pipes):
            reached = cycles(body, processor)
            ideal = (needed if isinstance(needed, int) else count(body, needed)) / wide
            cells.append(f" {ideal:.1f} | {reached:.1f} | {100 * ideal / reached:.0f} % |")
        print(f"| {title} | {products} |" + "".join(cells))


if __name__ == "__main__":
    main()
