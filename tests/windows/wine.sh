#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# wine.sh WINE PROGRAM ARGUMENT…: runs a program of Windows. Wine's services take a while to start, and keep the streams
# of whoever starts them open: they are started apart, and stay for 5 s after the last program, for the next one.
wine=$1
shift
for server in "${wine%/*}/wineserver64" "${wine%/*}/wineserver" wineserver; do
  if command -v "$server" >/dev/null; then break; fi
done
if "$server" -p5 >/dev/null 2>&1; then # not when there is one already
  "$wine" wineboot </dev/null >/dev/null 2>&1
fi
exec "$wine" "$@"
