#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Takes the safety checks out of the library, one at a time, and sees to it that a test fails each time.

    run.py [--only TEXT] [--cxx g++] [--jobs 2]
    run.py --check    only whether each still applies, in a second

A mutant is a change of a private copy of the headers: text that stands there exactly once, and what takes its place. It
is killed when its test fails, crashes or does not end. A mutant that survives means that a check is not tested. Those of
Windows need what the preset windows-mingw needs.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from mutants import MUTANTS

TESTS = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = TESTS.parent / "include"
SECONDS = 120  # far more than any of the tests needs
WINE = shutil.which("wine64", path=os.environ["PATH"] + ":/usr/lib/wine")


def do_not_apply(mutants):
    """What is wrong with the mutants: each text that does not stand exactly once where it should."""
    texts = {}
    for mutant in mutants:
        for name, old, _ in mutant.changes:
            if name not in texts:
                path = INCLUDE / "ndshm" / name
                texts[name] = path.read_text() if path.exists() else ""
            if texts[name].count(old) != 1:
                yield f"{mutant.name}: this stands {texts[name].count(old)} times in {name}, not once:\n{old}"
        test = mutant.test[0]
        if not any((TESTS / f"{path}.cpp").exists() for path in (test, f"torture/{test}", f"{test}/host",
                                                              test.replace("windows_", "windows/"))):
            yield f"{mutant.name}: there is no test {test}"


def copy_with(mutant, folder):
    include = folder / "include"
    shutil.copytree(INCLUDE, include)
    for name, old, new in mutant.changes:
        path = include / "ndshm" / name
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"{mutant.name}: this stands {text.count(old)} times in {name}, not once:\n{old}")
        path.write_text(text.replace(old, new))
    return include


def build(cxx, include, test, portable, folder):
    """The test program, and beside it the one that it starts, if there is one."""
    program = folder / "program"
    catch = "torture" not in test[0]
    source = TESTS / (f"{test[0]}.cpp" if catch else f"torture/{test[0]}.cpp")
    helper = TESTS / f"{test[0]}_child.cpp"
    command = [cxx, "-std=c++20", "-O1", "-w", "-pthread", f"-I{include}", "-DNDSHM_CRASH_POINTS"]
    command += ["-DNDSHM_PORTABLE_POSIX"] if portable else []
    wanted = [[str(source), *([str(catch_main(cxx))] if catch else []), "-o", str(program)]]
    if test[0] == "plugin":  # a program, and beside it the shared object that it loads
        hidden = ["-shared", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden",
                  *(["-fno-gnu-unique"] if "clang" not in cxx else [])]
        wanted = [[*hidden, str(TESTS / "plugin/plugin.cpp"), "-o", str(folder / "plugin.so")],
                  [str(TESTS / "plugin/host.cpp"), "-ldl", "-o", str(program)]]
    if helper.exists():
        wanted.append([str(helper), "-o", str(folder / helper.stem)])
    for files in wanted:
        done = subprocess.run(command + files, capture_output=True, text=True)
        if done.returncode != 0:
            break
    return program, done


def catch_main(cxx):
    """Catch2's own part, compiled once."""
    folder = pathlib.Path(tempfile.gettempdir()) / f"ndshm-mutants-{TESTS.stat().st_ino}"
    folder.mkdir(exist_ok=True)
    object_file = folder / "main.o"
    if not object_file.exists():
        subprocess.run([cxx, "-std=c++20", "-O1", "-c", f"-I{INCLUDE}", str(TESTS / "main.cpp"), "-o", str(object_file)],
                       check=True)
    return object_file


def apart(command):
    """The command with a /dev/shm of its own, where that is allowed: what a broken library leaves goes with it."""
    if os.geteuid() != 0:
        return command
    return ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', "sh", *command]


def try_out(cxx, mutant):
    """How the mutant fared, and whether it was killed."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        include = copy_with(mutant, folder)
        program, built = build(cxx, include, mutant.test, mutant.portable, folder)
        if built.returncode != 0:
            return "DOES NOT COMPILE\n" + built.stderr[:2000], False
        process = subprocess.Popen(apart([str(program), *mutant.test[1:]]), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=False)
            process.communicate()
            return "killed: the test does not end", True
        if process.returncode == 0:
            return "SURVIVED", False
        if process.returncode == 77:
            return "NOT TRIED: its test is skipped here", False
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        broken = [line for line in lines if line.endswith(tuple("123456789")) and ": " in line and "violat" not in line
                  and line.split(":")[0] in VIOLATIONS]
        return "killed: " + ("; ".join(broken) if broken else next((s for s in lines if "FAILED" in s), lines[-1] if lines else "crash")), True


class WindowsTree:
    """A private copy of the project, built for Windows, in which one mutant after the other is tried."""

    def __init__(self, folder):
        root = TESTS.parent
        self.root = folder / "project"
        shutil.copytree(root, self.root, ignore=lambda at, _: ["build", ".git"] if pathlib.Path(at) == root else [])
        self.run("cmake", "--preset", "windows-mingw", "-DCMAKE_CXX_FLAGS=-Wa,-mbig-obj -w")

    def run(self, *command):
        environment = os.environ | {"WINEPREFIX": str(self.root / "build" / "windows-mingw" / "wine"), "WINEDEBUG": "-all"}
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, errors="replace")

    def try_out(self, mutant):
        before = {}
        for name, old, new in mutant.changes:
            path = self.root / "include" / "ndshm" / name
            before[path] = path.read_text()
            if before[path].count(old) != 1:
                sys.exit(f"{mutant.name}: this stands {before[path].count(old)} times in {name}, not once:\n{old}")
            path.write_text(before[path].replace(old, new))
        try:
            test = mutant.test[0]
            targets = [f"test_{test}"] + ([f"{test}_child"] if (TESTS / f"{test}_child.cpp").exists() else [])
            built = self.run("cmake", "--build", "--preset", "windows-mingw", "--target", *targets)
            if built.returncode != 0:
                return "DOES NOT COMPILE\n" + built.stdout[-2000:], False
            done = self.run("timeout", str(SECONDS), "sh", "tests/windows/wine.sh", WINE,
                            f"build/windows-mingw/tests/test_{test}.exe")
            if done.returncode == 124:
                return "killed: the test does not end", True
            if done.returncode == 0:
                return "SURVIVED", False
            lines = [line.strip() for line in done.stdout.splitlines()]
            return "killed: " + next((line for line in lines if "FAILED:" in line), "crash"), True
        finally:
            for path, text in before.items():
                path.write_text(text)
            # What a broken library leaves running.
            self.run(str(pathlib.Path(WINE).with_name("wineserver")), "-k")


VIOLATIONS = ("live segments removed", "names bound to another segment", "half-built segments seen", "unexpected errors",
              "leaked after a sweep", "names left by clean exits without kills", "dead segments attached")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only mutants with this text in their name")
    parser.add_argument("--cxx", default="g++")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="only see whether each mutant applies")
    arguments = parser.parse_args()
    if arguments.check:
        wrong = list(do_not_apply(MUTANTS))
        print(*wrong, f"{len(MUTANTS)} mutants, {len(wrong)} texts that are not there or a test that is not", sep="\n")
        return 1 if wrong else 0
    chosen = [m for m in MUTANTS if arguments.only in m.name and not m.windows]
    for_windows = [m for m in MUTANTS if arguments.only in m.name and m.windows]
    alive = 0

    def report(mutant, story, killed):
        nonlocal alive
        print(f"{mutant.name:58} {mutant.test[0]:17} {story}", flush=True)
        alive += not killed

    if for_windows:
        with tempfile.TemporaryDirectory() as name:
            tree = WindowsTree(pathlib.Path(name))
            for mutant in for_windows:
                report(mutant, *tree.try_out(mutant))
    catch_main(arguments.cxx)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for mutant, (story, killed) in zip(chosen, pool.map(lambda m: try_out(arguments.cxx, m), chosen)):
            report(mutant, story, killed)
    print(f"{len(chosen) + len(for_windows) - alive} passed, {alive} failed")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
