"""How long `import fewbits` takes, in processes of their own, beside an empty one and numpy alone.

    python bench/import_time.py       (with fewbits installed, or its folder in PYTHONPATH)
"""

import statistics
import subprocess
import sys
import time

RUNS = 15


def milliseconds(code):
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


empty, numpy, fewbits = (milliseconds(code) for code in ("pass", "import numpy", "import fewbits"))
print(f"python {empty:.0f} ms, with numpy {numpy:.0f} ms, with fewbits {fewbits:.0f} ms: import fewbits takes {fewbits - empty:.0f} ms, {fewbits - numpy:.0f} of its own")
