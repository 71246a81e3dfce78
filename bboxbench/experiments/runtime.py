"""How TensorFlow is started, and what it ran on. Call `start_tensorflow` before anything imports Keras."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bboxbench import __version__
from bboxbench.data_gen.workers import usable_cores

__all__ = ["environment", "start_tensorflow"]

FLAGS = (
    "TF_ENABLE_",
    "TF_DISABLE_",
    "TF_CPP_",
    "TF_NUM_",
    "TF_XLA_",
    "TF_GPU_",
    "TF_CUDNN_",
    "TF_DETERMINISTIC_",
    "KERAS_",
)
"""How the environment variables begin that change what TensorFlow and Keras compute, or how."""


def start_tensorflow(threads: int = 0) -> int:
    """Choose TensorFlow's settings; the environment's own choice wins where there is one.

    TensorFlow's own log is off, its graph optimizer's complaints included: what stops a run arrives as an exception.

    oneDNN is off by default on CPUs without AVX-512 VNNI or AMX. There the first convolution's weight gradient took
    2,014 ms a batch without it and 414 ms with it (AMD EPYC, AVX2, two cores), so it is switched on.

    Args:
        threads: for one operation; 0 takes all usable cores.

    Returns:
        The number of threads in use.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    count = threads or usable_cores()
    with _native_silence():
        import keras  # noqa: F401  # it speaks while it loads, too
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            # Else TensorFlow takes the whole card at once, from whoever shares it.
            with suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(gpu, True)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if tf.config.threading.get_intra_op_parallelism_threads() != count:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(count)
        except RuntimeError:
            # TensorFlow has already computed in this process (a notebook, a test): its choice stands.
            return int(tf.config.threading.get_intra_op_parallelism_threads()) or usable_cores()
    return count


@contextmanager
def _native_silence() -> Iterator[None]:
    """Keep the lines that TensorFlow's C++ writes while it loads off stderr; they are shown if loading fails.

    They come before any logging is configured, so no setting turns them off.
    """
    if "tensorflow" in sys.modules or os.environ["TF_CPP_MIN_LOG_LEVEL"] < "2":
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as swallowed:
        os.dup2(swallowed.fileno(), 2)
        try:
            yield
        except Exception:
            swallowed.seek(0)
            os.write(kept, swallowed.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def environment() -> dict[str, Any]:
    """Versions, machine and TensorFlow flags: what one needs to understand a result that differs. Plain JSON values."""
    packages = ("tensorflow", "keras", "numpy", "pillow", "scikit-learn", "pandas")
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "device": _device(),
        "cores": usable_cores(),
        "packages": {"bboxbench": __version__, **{name: importlib.metadata.version(name) for name in packages}},
        "flags": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(FLAGS)},
    }


def _device() -> str:
    """What computes: the GPUs that TensorFlow sees, else the processor."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return ", ".join(names) or _cpu_name()


def _cpu_name() -> str:
    """The processor's model as Linux names it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
