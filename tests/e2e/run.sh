#!/bin/sh
# `make e2e` and `make bench-cold` deploy into the emulator: this finds a Python that can package for Lambda, sees to an
# environment with the emulator in it, and runs the module. Where there is no such Python it says so and what to
# install, and that the module was skipped.
#
# Arguments: the development environment's Python; the folder for another environment; the module; what it is told.
set -eu

development=$1
folder=$2
module=$3
shift 3
stamp=$folder/.python

if ! sh infra/python/find.sh "$development" >/dev/null; then
    echo "$module skipped: without such a Python nothing can be deployed, not even into the emulator."
    exit 0
fi
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || ! "$(cat "$stamp")" -c '' 2>/dev/null; then
    mkdir -p "$folder"
    python=$(sh infra/python/environment.sh "$development" "$folder" dev)
    printf '%s\n' "$python" >"$stamp"
fi
exec "$(cat "$stamp")" -m "$module" "$@"
