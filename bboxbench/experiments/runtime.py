"""How TensorFlow is started, and what it ran on. Call `start_tensorflow` before anything imports Keras."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import sys
from pathlib import Path
from typing import Any

__all__ = ["environment", "start_tensorflow", "usable_cores"]


def usable_cores() -> int:
    """The cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_tensorflow(threads: int = 0) -> int:
    """Choose TensorFlow's settings; the environment's own choice wins where there is one.

    oneDNN is off by default on CPUs without AVX-512 VNNI or AMX. There the first convolution's weight gradient took
    2,014 ms a batch without it and 414 ms with it (AMD EPYC, AVX2, two cores), so it is switched on.

    Args:
        threads: for one operation; 0 takes all usable cores.

    Returns:
        The number of threads in use.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    count = threads or usable_cores()
    import tensorflow as tf

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if tf.config.threading.get_intra_op_parallelism_threads() != count:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(count)
        except RuntimeError:
            # TensorFlow has already computed in this process (a notebook, a test): its choice stands.
            return int(tf.config.threading.get_intra_op_parallelism_threads()) or usable_cores()
    return count


def environment() -> dict[str, Any]:
    """Versions, machine and TensorFlow flags: what one needs to understand a result that differs. Plain JSON values."""
    packages = ("bboxbench", "tensorflow", "keras", "numpy", "pillow", "scikit-learn", "pandas")
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cores": usable_cores(),
        "packages": {name: importlib.metadata.version(name) for name in packages},
        "flags": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(("TF_", "KERAS_"))},
    }


def _cpu_name() -> str:
    """The processor's model as Linux names it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
