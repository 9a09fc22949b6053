# SPDX-License-Identifier: BSL-1.0
"""The machine on which it was measured."""

import os
import pathlib
import platform
import re
import shutil
import subprocess

from results import bytes_text, number


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def chosen(path):
    """The word in brackets of a file with choices."""
    found = re.search(r"\[(.*)\]", read(path))
    return found.group(1) if found else "unknown"


SHMEM = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def processor():
    model = re.search(r"model name\s*: (.*)", read("/proc/cpuinfo"))
    return f"{model.group(1) if model else platform.processor()}, {os.cpu_count()} cores"


def system():
    name = re.search(r'PRETTY_NAME="(.*)"', read("/etc/os-release"))
    return f"{name.group(1) if name else 'unknown'}, {platform.system()} {platform.release()}"


def compiler(context):
    return context.get("compiler", "unknown").replace("GNU", "g++")


def machine(context):
    """Pairs of what and which. `context` is what the programs say of themselves."""
    memory = re.search(r"MemTotal:\s*(\d+) kB", read("/proc/meminfo"))
    shm = shutil.disk_usage("/dev/shm")
    caches = ", ".join(f"L{cache['level']} {cache['type'].lower()} {bytes_text(cache['size'])}"
                       for cache in context.get("caches", []))
    peer_versions = "import numpy, platform; print('Python', platform.python_version() + ', NumPy', numpy.__version__)"
    return [
        ("processor", "; ".join(filter(None, [processor(), caches]))),
        ("memory", bytes_text(int(memory.group(1)) * 1024) if memory else "unknown"),
        ("system", system()),
        ("huge pages", f"for shared memory (shmem_enabled): {chosen(SHMEM)}; for the heap (enabled): "
                       f"{chosen('/sys/kernel/mm/transparent_hugepage/enabled')}"),
        ("/dev/shm", f"{bytes_text(shm.free)} of {bytes_text(shm.total)} free"),
        ("load when it began", ", ".join(number(each) for each in context.get("load_avg", [])) or "unknown"),
        ("compiler", compiler(context)),
        ("libraries", f"ndshm {context.get('ndshm')}, xtensor {context.get('xtensor')}, Boost "
                      f"{context.get('boost', '').replace('_', '.')}"),
        ("peers", ", ".join(filter(None, [output_of(context.get("python") or "python3", "-c", peer_versions),
                                          context.get("mpi", "").split(",")[0]])) or "none"),
    ]
