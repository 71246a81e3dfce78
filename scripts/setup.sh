#!/bin/sh
# Makes a virtual environment by requirements.lock: sh scripts/setup.sh .venv
# Needs nothing but Python 3.11, 3.12 or 3.13; a system Python that refuses `pip install` is not touched.
set -eu
venv=$1

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

python=${PYTHON:-}
if [ -n "$python" ]; then
    fits "$python" || { echo "Expected Python 3.11, 3.12 or 3.13. Received: $python." >&2; exit 1; }
else
    for name in python3 python3.13 python3.12 python3.11 python; do
        if fits "$name"; then python=$name; break; fi
    done
    [ -n "$python" ] || {
        echo "bboxbench needs Python 3.11, 3.12 or 3.13, and found none. Install one, or name it: make PYTHON=..." >&2
        exit 1
    }
fi

echo "Setting up $venv with $("$python" --version); TensorFlow is large, this takes some minutes ..."
rm -rf "$venv"
if "$python" -m venv "$venv" >/dev/null 2>&1; then
    pip() { "$venv/bin/python" -m pip "$@"; }
elif "$python" -m venv --without-pip "$venv" && "$python" -m pip --version >/dev/null 2>&1; then
    # Debian keeps the part that puts pip into an environment in a package of its own; the system's pip can do it.
    pip() { "$python" -m pip --python "$venv/bin/python" "$@"; }
else
    rm -rf "$venv"
    echo "This Python can make no virtual environment. On Debian and Ubuntu: apt install python3-venv." >&2
    exit 1
fi
# Only a message of pip's that is no warning is worth a newcomer's attention.
pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
touch "$venv/.ready"
echo "Ready: $venv/bin/bboxbench"
