"""What does `import diagnosis` cost, beside `import pandas`?

    python benchmarks/bench_import.py [--size small|full] [--json]

Each round starts fresh interpreters, one for each import in turn and one that imports nothing, and takes the time from
start to end and the peak memory of the process. The bare interpreter is subtracted, so that what is printed is what the
import itself adds. Asserted first: `import diagnosis` leaves none of the heavy libraries loaded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

HEAVY = ("mlflow", "shap", "lightgbm", "matplotlib", "pandas", "pyarrow", "scipy", "sklearn")
CODE = {"nothing": "pass", "diagnosis": "import diagnosis", "pandas": "import pandas"}
_PEAK = "\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
ROUNDS = {"small": 7, "full": 31}


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(ROUNDS), default="small")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    assert_light()
    result = compare(ROUNDS[asked.size])
    if asked.json:
        print(json.dumps(result, indent=1))
        return
    for name in ("diagnosis", "pandas"):
        own = result[name]
        print(f"import {name:<10} {own['seconds']:.3f} s, {own['peak_mib']:+.1f} MiB over a bare interpreter")
    print(f"pandas takes {result['ratio']:.0f} times as long (median of {result['rounds']} rounds)")


def assert_light() -> None:
    """Stop when the import is not what is claimed: the times would compare something else."""
    code = f"import diagnosis, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not loaded, f"`import diagnosis` loads {loaded}"


def compare(rounds: int) -> dict[str, object]:
    """Medians over rounds in which every import is run once; a first, uncounted one warms the file cache."""
    runs = [{name: once(code) for name, code in CODE.items()} for _ in range(rounds + 1)][1:]
    added = {
        name: [(r[name][0] - r["nothing"][0], r[name][1] - r["nothing"][1]) for r in runs]
        for name in ("diagnosis", "pandas")
    }
    result: dict[str, object] = {
        name: {
            "seconds": statistics.median(seconds for seconds, _ in pairs),
            "peak_mib": statistics.median(mib for _, mib in pairs),
        }
        for name, pairs in added.items()
    }
    pairs = zip(added["pandas"], added["diagnosis"], strict=True)
    result["ratio"] = statistics.median(theirs[0] / max(ours[0], 1e-4) for theirs, ours in pairs)
    result["rounds"] = rounds
    return result


def once(code: str) -> tuple[float, float]:
    """Seconds and peak MiB of one fresh interpreter."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code + _PEAK], check=True, capture_output=True, text=True)
    return time.perf_counter() - start, int(done.stdout) / 1024


if __name__ == "__main__":
    main()
