#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# two_terminals.sh WRITER READER: runs the two programs of the README at the same time. The writer waits for a key, which
# is pressed when the reader has ended; without a reader that ends well it is not. Prints what the writer printed, then
# what the reader did.
set -eu
from_reader=$(mktemp)
trap 'rm -f "$from_reader"' EXIT
{
  "$2" >"$from_reader"
  echo
} | "$1"
cat "$from_reader"
