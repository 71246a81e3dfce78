#!/bin/sh
# Tests the losses on Keras's other backends, each in a process of its own: sh scripts/test_backends.sh .venv .venv-backends
# The second environment is laid over the first and adds JAX and PyTorch to it, so that neither reaches a user.
set -eu
venv=$1
backends=$2

if [ ! -e "$backends/.ready" ] || [ requirements-backends.lock -nt "$backends/.ready" ]; then
    echo "Setting up $backends: JAX by requirements-backends.lock, and PyTorch, over $venv ..."
    rm -rf "$backends"
    "$venv/bin/python" -m venv --without-pip "$backends"
    below=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    "$backends/bin/python" -c "import pathlib, sysconfig; pathlib.Path(sysconfig.get_path('purelib'), 'below.pth').write_text('$below')"
    pip() { "$backends/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
    pip --require-hashes --requirement requirements-backends.lock
    # Its index offers one build a device, so it is not in a lock file. Another one: make test-backends TORCH=torch==2.12
    pip "${TORCH:-torch==2.13.0}"
    touch "$backends/.ready"
fi

run() {
    backend=$1
    shift
    echo "The losses on $backend:"
    KERAS_BACKEND=$backend "$backends/bin/python" -m pytest -m "not slow" "$@"
}
# JAX dispatches one operation after the other and takes minutes for what the others do in seconds, so it gets what a
# backend can break: references, odd boxes, gradients, traps, saving and what trains; PyTorch gets all.
run torch tests/losses
run jax tests/losses/test_loss_oracles.py tests/losses/test_loss_finiteness.py tests/losses/test_loss_classes.py \
    tests/losses/test_loss_parameters.py tests/losses/test_loss_composition.py tests/losses/test_loss_wiou_mean.py \
    tests/losses/test_loss_gradients.py tests/losses/test_loss_traps.py
