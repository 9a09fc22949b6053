#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs a test in a directory of named segments of its own, so that nobody else's segments and sweeps reach it.

    launch.py PROGRAM ARGUMENT…

NDSHM_DIR names a fresh directory below /dev/shm, which is memory and has what the library asks of it. It is no segment
to anybody, and it is removed when the program ends and also when somebody kills this script. Ends as the program ends.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

MEMORY = "/dev/shm"


def remove_when_this_process_is_gone(directory):
    """Leaves that to a process which nobody finds who kills this one and its children."""
    read_end, write_end = os.pipe()  # nobody else has the write end: it closes when this process ends, however it does
    middle = os.fork()
    if middle == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(write_end)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):  # who waits for the end of the output does not wait for this process
                os.dup2(nowhere, descriptor)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            os.read(read_end, 1)
            shutil.rmtree(directory, ignore_errors=True)
        os._exit(0)
    os.waitpid(middle, 0)
    os.close(read_end)


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        os.execvp(sys.argv[1], sys.argv[1:])
    directory = tempfile.mkdtemp(prefix="ndshm-test-", dir=MEMORY)
    os.chmod(directory, 0o1777)  # as /dev/shm: some tests become other users
    remove_when_this_process_is_gone(directory)
    program = subprocess.Popen(sys.argv[1:], env=os.environ | {"NDSHM_DIR": directory})
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: program.send_signal(received))
    status = program.wait()
    shutil.rmtree(directory, ignore_errors=True)
    if status < 0:  # as the program did
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    sys.exit(main())
