#!/bin/sh
# Prints the path of a Python that can package for Lambda, or says on standard error that there is none.
#
# Lambda runs Python 3.12 to 3.14 here: on 3.11 no wheel of google-re2 fits Lambda's Linux. Version managers put
# commands on the path that exist but fail, so each candidate is run; and pyenv's answer only for the version that is
# chosen, so each version that it has is chosen once.
#
# Arguments: candidates to try first, such as .venv/bin/python.

usable='import sys, venv, ensurepip, ssl
if not (3, 12) <= sys.version_info[:2] <= (3, 14):
    sys.exit(1)
print(sys.executable)'

try() {
    found=$("$@" -c "$usable" 2>/dev/null) && [ -n "$found" ] && printf '%s\n' "$found" && exit 0
}

for candidate in "$@" python3.13 python3.12 python3.14 python3 python; do
    try "$candidate"
done

for version in $(pyenv versions --bare 2>/dev/null | sort -r); do
    case $version in
    3.12* | 3.13* | 3.14*)
        try env "PYENV_VERSION=$version" "python${version%.*}"
        ;;
    esac
done

cat >&2 <<'WORDS'
Deploying needs Python 3.12, 3.13 or 3.14 with its venv module: the package for Lambda is built with it, and there are
no wheels of google-re2 for Lambda with Python 3.11. Install one (Debian: apt install python3.13 python3.13-venv;
macOS: brew install python@3.13; pyenv install 3.13; or uv python install 3.13) and run the command again.
`make dev` and `make test` go on working with the Python that you have.
WORDS
exit 1
