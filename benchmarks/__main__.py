"""`make bench`: run all works and write benchmarks/RESULTS.md; `make bench ONLY=packing RUNS=1` prints a part of it."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks import peers, report, works
from benchmarks.contest import WrongResult
from benchmarks.ours import remove
from benchmarks.table import Section

WORKS = {"saving": works.saving, "packing": works.packing, "building": works.building}
_NEEDED = 14e9


def main() -> int:
    """Run what the command line chooses."""
    parser = argparse.ArgumentParser(prog="make bench", description="clusterimage and its peers at the same work")
    parser.add_argument("--only", choices=sorted(WORKS), help="this part only, printed and not written down")
    parser.add_argument("--runs", type=int, default=3, help="runs of everybody but the slowest peers (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the work (1), for trying")
    default = Path(__file__).parent.parent / "_build" / "benchmarks"
    parser.add_argument("--work", type=Path, default=default, help="where to work: 14 GB (_build/benchmarks)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # the servers are stopped on the way out
    options.work.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(options.work).free < _NEEDED * options.scale:
        print(f"{options.work} has less than {_NEEDED * options.scale / 1e9:.0f} GB left: choose another with --work")
        return 1
    begun = time.monotonic()
    tell = partial(_tell, begun)
    for line in peers.missing():
        tell(f"skipping {line}")
    work = (options.work / "run").resolve()
    remove(work)
    bench = works.Bench(max(options.runs, 1), work, tell, options.scale)
    chosen = [WORKS[options.only]] if options.only else list(WORKS.values())
    sections: list[Section] = []
    broken = False
    for one in chosen:
        try:
            for section in one(bench):
                sections.append(section)  # one by one: what came before it broke is kept
        except (WrongResult, RuntimeError, OSError, ValueError, KeyboardInterrupt, SystemExit) as error:
            broken = True
            sections.append(Section(f"Broken off: {one.__name__}", str(error) or type(error).__name__))
            if not isinstance(error, Exception):
                break
    sections += [works.memory(bench)] if bench.ours else []
    remove(work)
    text = report.text(sections, bench.profiles, bench.donors, time.monotonic() - begun)
    text = text.replace(str(work), "…")
    print(text)
    if not options.only and options.scale == 1 and not broken:
        report.RESULTS.write_text(text)
    return int(broken)


def _tell(begun: float, line: str) -> None:
    print(f"{time.monotonic() - begun:5.0f} s  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
