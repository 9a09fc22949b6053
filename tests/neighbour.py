#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs a command beside a neighbour that creates, kills and sweeps in /dev/shm all the time.

    neighbour.py TORTURE COMMAND…

TORTURE is the program of tests/torture/torture.cpp: six processes that fight over names and are killed, again and
again. Two of them run as long as the command does, one in /dev/shm and one in a directory of its own. Neither may be disturbed by
the command, nor the other way round. Ends as the command ends, and with 3 when the neighbour was disturbed.
"""

import os
import pathlib
import subprocess
import sys
import threading

LAUNCHER = pathlib.Path(__file__).resolve().with_name("launch.py")


class Neighbour:
    def __init__(self, command):
        self.command = command
        self.rounds = 0
        self.complaint = None
        self.stopping = False
        self.thread = threading.Thread(target=self.live)
        self.thread.start()

    def live(self):
        environment = {name: value for name, value in os.environ.items() if name != "NDSHM_DIR"}
        while not self.stopping and self.complaint is None:
            done = subprocess.run([*self.command, "random", "200", str(self.rounds + 1)], env=environment,
                                  capture_output=True, text=True, errors="replace")
            if done.returncode != 0:
                self.complaint = done.stdout + done.stderr
            self.rounds += 1

    def stop(self):
        """Lets the round end that it is in, so that it leaves nothing."""
        self.stopping = True
        self.thread.join()


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    torture = sys.argv[1]
    neighbours = [Neighbour([torture]), Neighbour([sys.executable, str(LAUNCHER), torture])]
    try:
        status = subprocess.run(sys.argv[2:]).returncode
    finally:
        for neighbour in neighbours:
            neighbour.stop()
    print(f"beside {sum(neighbour.rounds for neighbour in neighbours)} rounds of neighbours, with 200 kills each")
    for neighbour in neighbours:
        if neighbour.complaint is not None:
            print("a neighbour was disturbed:", neighbour.complaint, sep="\n")
            return status or 3
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
