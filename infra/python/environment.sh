#!/bin/sh
# Prints the Python to deploy with: that of the development environment where it fits, else one of an environment made
# for it, with what deploying needs and no more.
#
# Arguments: the development environment's Python; the folder for the other environment; what is needed of
# pyproject.toml besides the dependencies (deploy).
set -eu

here=$(dirname "$0")
development=$1
folder=$2
extra=${3:-deploy}
version='import sys; print(sys.version_info[:2])'

python=$(sh "$here/find.sh" "$development")
if [ "$python" = "$(cd "$(dirname "$development")" 2>/dev/null && pwd)/$(basename "$development")" ]; then
    printf '%s\n' "$python"
    exit 0
fi

if [ "$("$folder/bin/python" -c "$version" 2>/dev/null)" != "$("$python" -c "$version")" ]; then
    echo "Making $folder with $("$python" --version), to package for Lambda (once; takes a minute)" >&2
    "$python" -m venv --clear "$folder"
fi
"$folder/bin/python" -c '
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
print(*project["dependencies"], *project["optional-dependencies"][sys.argv[1]], sep="\n")
' "$extra" >"$folder/requirements.txt"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$folder/requirements.txt" >&2
printf '%s\n' "$(cd "$folder" && pwd)/bin/python"
