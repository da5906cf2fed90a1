"""Runs one command and writes its wall seconds, CPU seconds and peak memory: a small parent, as memory is inherited.

    python -I -S benchmarks/measure.py RESULT COMMAND …

Peak memory is that of the largest process among the command and the children it waited for; what this program itself
holds (10 MB) is the least that can be seen. https://man7.org/linux/man-pages/man2/getrusage.2.html (ru_maxrss)
"""

import os
import sys
import time


def main(result: str, command: list[str]) -> int:
    """Run it; return its exit status."""
    begun = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - begun
    with open(result, "w") as stream:  # noqa: PTH123 -- pathlib would double what this process holds
        stream.write(f"{wall} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]) and 1)
