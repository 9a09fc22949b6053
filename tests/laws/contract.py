#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Whether platform/contract.hpp notices what a platform lacks, and names it: copies the headers, takes one thing out of
the platform, and expects the compiler to refuse the copy with that name.

    contract.py COMPILER OPTION…        the compiler as the tests use it, with the folders of xtensor and Boost
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"

# file, what stands there, what takes its place, what the compiler has to name
BREACHES = [
    ("unix/memory.hpp", "inline void discard(int fd)", "inline void discard_all(int fd)", "discard"),
    ("unix/this_process.hpp", "inline std::uint64_t process_id()", "inline std::int64_t process_id()", "process_id"),
    ("linux/objects.hpp", "bool is_same_as(const Object& other) const", "bool is_same(const Object& other) const",
     "is_same_as"),
    ("linux/features.hpp", "#define NDSHM_HAS_FREEZE", "#define NDSHM_CAN_FREEZE", "NDSHM_HAS_FREEZE"),
]


def refusal(command, folder, breach):
    """What the compiler says of the headers with that breach; nothing where it takes them."""
    include = folder / "include"
    if include.exists():
        shutil.rmtree(include)
    shutil.copytree(INCLUDE, include)
    if breach is not None:
        file, old, new, _ = breach
        path = include / "ndshm" / "platform" / file
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"this stands {text.count(old)} times in {file}, not once: {old}")
        path.write_text(text.replace(old, new))
    source = folder / "platform.cpp"
    source.write_text("#include <ndshm/platform/platform.hpp>\n")
    done = subprocess.run([*command, "-fsyntax-only", f"-I{include}", str(source)], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr


def main():
    command = sys.argv[1:]
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        whole = refusal(command, folder, None)
        if whole:
            print(f"the headers as they are do not compile:\n{whole}")
            return 1
        for breach in BREACHES:
            said = refusal(command, folder, breach)
            errors = [line for line in said.splitlines() if re.search(rf"\b{breach[3]}\b", line)]
            good = bool(errors) and "contract.hpp" in said
            failed += not good
            print(f"{'refused' if good else 'NOT REFUSED BY NAME'}: {breach[1]} -> {breach[2]}")
    print(f"{len(BREACHES) - failed} breaches of the contract were refused by name, {failed} were not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
