#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Prints where the time of the last build and of the last tests went.

    times.py BUILD_DIRECTORY

From what Ninja and CTest write down of themselves: .ninja_log, and Testing/Temporary/LastTest.log.
"""

import collections
import pathlib
import re
import sys

LONGEST = 8


def steps_of_build(folder):
    """(start, end, output) of the steps of the last build, in seconds. Ninja adds to its log; each build starts at 0
    again, so that the end of a step goes down where another build begins."""
    log = folder / ".ninja_log"
    steps, last_end = [], 0
    for line in log.read_text().splitlines()[1:] if log.exists() else []:
        start, end, _, output, _ = line.split("\t")
        if int(end) < last_end:
            steps = []
        last_end = int(end)
        steps.append((int(start) / 1000, int(end) / 1000, output))
    return list({(start, end): (start, end, output) for start, end, output in steps}.values())  # one line per output


def tests_of(folder):
    """(seconds, name) of the last tests, and how long they took together."""
    log = folder / "Testing" / "Temporary" / "LastTest.log"
    tests, name = [], ""
    for line in log.read_text(errors="replace").splitlines() if log.exists() else []:
        if found := re.match(r"\d+/\d+ Testing: (.+)", line):
            name = found.group(1)
        elif found := re.match(r"Test time = +([0-9.]+) sec", line):
            tests.append((float(found.group(1)), name))
    return tests


def kind_of(output):
    if output.endswith((".gch", ".pch")):
        return "precompiled headers"
    if not output.endswith((".o", ".obj")):
        return "linking and the rest"
    for folder, kind in [("tests/headers", "each header alone"), ("tests/", "tests"), ("examples/", "examples")]:
        if output.startswith(folder):
            return kind
    return "others"


def table(title, whole, groups, longest):
    print(f"\n{title}: {whole}")
    for name, (seconds, count) in sorted(groups.items(), key=lambda item: -item[1][0]):
        print(f"{seconds:8.1f} s  {name} ({count})")
    print("  the longest:")
    for seconds, name in sorted(longest, reverse=True)[:LONGEST]:
        print(f"{seconds:8.1f} s  {name}")


def sums(pairs):
    groups = collections.defaultdict(lambda: (0.0, 0))
    for seconds, name in pairs:
        groups[name] = (groups[name][0] + seconds, groups[name][1] + 1)
    return groups


def main():
    folder = pathlib.Path(sys.argv[1])
    steps = steps_of_build(folder)
    if steps:
        whole = max(end for _, end, _ in steps) - min(start for start, _, _ in steps)
        work = sum(end - start for start, end, _ in steps)
        table("Building", f"{whole:.0f} s, {work:.0f} s of work", sums((end - start, kind_of(output)) for start, end, output in steps),
              [(end - start, output) for start, end, output in steps])
    tests = tests_of(folder)
    if tests:
        table("Testing", f"{sum(seconds for seconds, _ in tests):.0f} s of work",
              sums((seconds, re.split(r"[.]", name)[0] if "." in name else "programs") for seconds, name in tests), tests)
    return 0


if __name__ == "__main__":
    sys.exit(main())
