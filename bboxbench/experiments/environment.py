"""What a sweep ran on and by which versions: what one needs to understand a result that differs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

import bboxbench
from bboxbench.data_gen.workers import usable_cores

__all__ = ["device", "environment", "git_state"]

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "scikit-learn", "pandas", "pillow", "matplotlib")
"""Whose versions are recorded: what computes, draws or measures."""

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

INSTRUCTIONS = ("avx", "amx", "fma", "sve", "asimd", "f16c")
"""How the processor's instructions begin by which libraries choose their code, and so the last bits."""

GIT_SECONDS = 10.0
"""After which a git that does not answer is given up."""


def environment(threads: int = 0, deterministic: bool = False) -> dict[str, Any]:
    """Versions, machine, state of the checkout, TensorFlow's flags and how exactly it computes. Plain JSON values.

    Nothing in it names a machine, a person or a folder, but for environment variables that the user set so.

    Args:
        threads: of one operation, as `start_tensorflow` gives them; 0 where nobody asked.
        deterministic: whether TensorFlow was started so.
    """
    import tensorflow as tf

    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "device": device(),
        "cpu": _cpu_name(),
        "instructions": _instructions(),
        "gpus": _gpus(),
        "cores": usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "packages": {
            "bboxbench": bboxbench.__version__,
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "git": git_state(Path(bboxbench.__file__).parent.parent),
        "flags": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(FLAGS)},
        "threads": threads,
        "inter_op_threads": int(tf.config.threading.get_inter_op_parallelism_threads()),
        "deterministic": deterministic,
    }


def device() -> str:
    """What computes: the GPUs that TensorFlow sees, else the processor."""
    return ", ".join(_gpus()) or _cpu_name()


def git_state(folder: Path) -> dict[str, Any] | None:
    """The commit of the checkout ``folder``, and whether files differ from it; None where it is no checkout.

    A folder inside somebody else's checkout, as an installed package in a project's ``.venv``, is none.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if not top or not commit or changes is None or Path(top).resolve() != folder.resolve():
        return None
    return {"commit": commit, "changed": bool(changes)}


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None where it refuses, or is not installed."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_SECONDS,
            # Else asking for the state would write into the checkout.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _gpus() -> list[str]:
    """The names of the GPUs that TensorFlow sees."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return [str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)) for gpu in gpus]


def _cpu_name() -> str:
    """The processor's model as Linux names it, else what Python knows."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _instructions() -> list[str]:
    """Those of the processor's instructions that begin as `INSTRUCTIONS`; empty where the system does not say."""
    words = (_cpuinfo("flags") or _cpuinfo("Features")).split()
    return sorted(word for word in words if word.startswith(INSTRUCTIONS))


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")
