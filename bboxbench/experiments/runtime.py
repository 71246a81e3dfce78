"""How TensorFlow is started. Call `start_tensorflow` before anything imports Keras."""

from __future__ import annotations

import logging
import os
from contextlib import suppress

from bboxbench.data_gen.silence import native_silence
from bboxbench.data_gen.workers import usable_cores
from bboxbench.errors import InputError

__all__ = ["start_tensorflow"]


def start_tensorflow(threads: int = 0, deterministic: bool = False) -> int:
    """Choose TensorFlow's settings; the environment's own choice wins where there is one.

    TensorFlow's own log is off, its graph optimizer's complaints included: what stops a run arrives as an exception.

    oneDNN is off by default on CPUs without AVX-512 VNNI or AMX. There the first convolution's weight gradient took
    2,014 ms a batch without it and 414 ms with it (AMD EPYC, AVX2, two cores), so it is switched on.

    Args:
        threads: for one operation; 0 takes all usable cores.
        deterministic: whether every operation must give the same bits each time. TensorFlow cannot go back on it: it
            stays so for the rest of the process.

    Returns:
        The number of threads in use.

    Raises:
        InputError: ``deterministic``, and TensorFlow has computed with another number of threads before.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    count = threads or usable_cores()
    with native_silence():
        import keras  # noqa: F401  # it speaks while it loads, too
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            # Else TensorFlow takes the whole card at once, from whoever shares it.
            with suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(gpu, True)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    if tf.config.threading.get_intra_op_parallelism_threads() != count:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(count)
        except RuntimeError:
            # TensorFlow has already computed in this process (a notebook, a test): its choice stands.
            stands = int(tf.config.threading.get_intra_op_parallelism_threads()) or usable_cores()
            if deterministic and stands != count:
                raise InputError(
                    f"Expected {count} threads, by which a deterministic sweep is known. Received: TensorFlow has "
                    f"started with {stands} in this process. Start a new one, or use threads={stands}."
                ) from None
            return stands
    return count
