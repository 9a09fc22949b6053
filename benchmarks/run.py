#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the benchmark programs and writes a report.

    run.py --programs FOLDER --report FOLDER [--quick] [--check] [--only PROGRAM]

Each program runs once, with all its sides in random order, over and over: what disturbs the machine disturbs all of
them. Needs Python alone, no packages.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing is written beside the sources
import report  # noqa: E402

# How often each benchmark of a program is repeated, and for how many seconds at least each time: in a full run, and in
# a quick one. A program may be run in parts, each with a filter: what is slow is repeated less, or done once.
PARTS = {
    "segment": [(".*", 9, 0.01)],
    "access": [(".*", 31, 0.01)],  # short, so that a disturbance falls on a few of them
    "handover": [(".*/(1024|65536|4194304|17179869184)/.*", 9, 0.02), (".*/268435456/.*", 3, 0.01),
                 (".*/4294967296/.*", 1, 0.01)],
    "pool": [("round_trip/.*", 25, 0.01), ("-round_trip/.*", 7, 0.02)],
    "first_touch": [(".*", 5, 0.01)],
    "memory": [(".*", 3, 0.01)],
    "compile": [(".*", 3, 0.01)],
}
QUICK = {"compile": (".*", 1, 0.001)}
QUICK_PART = (".*", 3, 0.001)
PATIENCE = 3600  # seconds, after which a program is taken to hang


def parts_of(program, quick):
    return [QUICK.get(program, QUICK_PART)] if quick else PARTS[program]


def list_benchmarks(path, quick):
    command = [path, "--benchmark_list_tests", *(["--quick"] if quick else [])]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def run_part(path, quick, part, output):
    pattern, repetitions, seconds = part
    command = [path, f"--benchmark_filter={pattern}", f"--benchmark_repetitions={repetitions}",
               f"--benchmark_min_time={seconds}", "--benchmark_enable_random_interleaving=true",
               f"--benchmark_out={output}", "--benchmark_out_format=json", "--benchmark_display_aggregates_only=true"]
    command += ["--quick"] if quick else []
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {done.returncode}\n{done.stdout}{done.stderr}")


def run_program(program, arguments, results):
    path = arguments.programs / f"benchmark_{program}{arguments.suffix}"
    wanted = {report.name_of(name) for name in list_benchmarks(path, arguments.quick)}
    start = time.monotonic()
    for number, part in enumerate(parts_of(program, arguments.quick)):
        run_part(path, arguments.quick, part, results / f"{program}-{number}.json")
    print(f"{program}: {len(wanted)} benchmarks in {time.monotonic() - start:.0f} s", flush=True)
    return wanted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="where the programs are")
    parser.add_argument("--report", type=pathlib.Path, required=True, help="the folder to write")
    parser.add_argument("--quick", action="store_true", help="small sizes, few repetitions: less than a minute")
    parser.add_argument("--check", action="store_true", help="fail when the report lacks anything")
    parser.add_argument("--only", default="", help="run only the programs that match this regular expression")
    parser.add_argument("--suffix", default="", help="of the programs' names, for those that are built in another way")
    arguments = parser.parse_args()

    results = arguments.report / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    wanted = set()
    start = time.monotonic()
    for program in PARTS:
        if re.search(arguments.only, program):
            wanted |= run_program(program, arguments, results)
    seconds = time.monotonic() - start
    (results / "run.json").write_text(json.dumps({"seconds": seconds, "quick": arguments.quick, "only": arguments.only,
                                                  "wanted": sorted("/".join(map(str, name)) for name in wanted)}))
    written = report.write(arguments.report)
    print(written.summary())
    print(f"{seconds:.0f} s; the report is {arguments.report / 'report.html'} and report.md")
    if arguments.check:
        missing = written.missing()
        for line in missing:
            print(f"missing: {line}")
        print(f"{written.rows() - len(missing)} passed, {len(missing)} failed")
        return 1 if missing else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
