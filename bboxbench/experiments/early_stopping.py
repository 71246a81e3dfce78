"""When a run stops before its last epoch: where its validation pictures say for some epochs that it gains nothing.

The rule of `keras.callbacks.EarlyStopping` with ``restore_best_weights``, in a form that both engines can ask.
"""

from __future__ import annotations

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Watches one run.

    Args:
        patience: epochs without a new best after which the run stops; 0: it never does, and no epoch is preferred.
    """

    def __init__(self, patience: int) -> None:
        self._patience, self._waited = patience, 0
        self._best: float | None = None

    def keeps(self, value: float | None) -> bool:
        """Take in an epoch's mean IoU on the validation pictures; gives whether the run should end with its weights.

        With patience those of the best so far, the first of equal ones, where NaN is never better; else the last ones.
        """
        if not self._patience or value is None:
            return True
        if self._best is None or value > self._best:
            self._best, self._waited = value, 0
            return True
        self._waited += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether the run has waited long enough."""
        return 0 < self._patience <= self._waited
