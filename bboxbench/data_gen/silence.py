"""Loading TensorFlow without the lines that its C++ writes on stderr."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["native_silence"]


@contextmanager
def native_silence() -> Iterator[None]:
    """Keep what TensorFlow writes while it is imported within off stderr; it is shown if loading fails.

    The lines come before any logging is configured, so no setting turns them off. Does nothing where TensorFlow is
    loaded already, or where the environment asks for its log.
    """
    if "tensorflow" in sys.modules or os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") < "2":
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
