"""A network of the user's own: a function by import path, called with what it asks for, its model held to the contract.

See docs/networks.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from bboxbench.errors import InputError, one_line
from bboxbench.experiments import resolve
from bboxbench.experiments.recipe import Recipe
from bboxbench.experiments.seeds import layer_seed
from bboxbench.losses.registry import import_path

if TYPE_CHECKING:
    from bboxbench.experiments.spec import SweepSpec

__all__ = ["OFFERED", "OwnNetwork", "own_network"]

OFFERED = ("initializer", "width", "height", "dropout", "head", "start")
"""What a function may ask for by naming it as a parameter; ``initializer`` it must, or that axis would do nothing."""


@dataclass(frozen=True)
class OwnNetwork:
    """A user's function that builds a network. `own_network` finds it."""

    path: str
    function: Callable[..., Any]
    takes: tuple[str, ...]
    """Those of `OFFERED` that the function has as parameters."""

    @property
    def source_sha256(self) -> str:
        """SHA-256 of the function's source, not of what it calls."""
        return resolve.source_sha256(self.function)

    def check_axes(self, spec: SweepSpec) -> None:
        """Refuse a spec that varies what the function does not take: every value would be the same network.

        Raises:
            InputError: a head, a start or a dropout that is not the default, or ``vary`` with one of weights and masks.
        """
        for parameter, field in (("head", "heads"), ("start", "starts"), ("dropout", "dropout")):
            default, value = getattr(type(spec), field), getattr(spec, field)
            if parameter not in self.takes and value != default:
                wanted, received = (", ".join(v) if isinstance(v, tuple) else v for v in (default, value))
                raise InputError(
                    f"Expected {field} {wanted} with {self.path}, which has no parameter '{parameter}'. "
                    f"Received: {received}."
                )
        if ("init" in spec.vary) != ("dropout" in spec.vary):
            raise InputError(
                f"Expected vary with both or neither of init and dropout for {self.path}, whose layers all start from "
                f"one seed. Received: {','.join(spec.vary)}."
            )

    def try_out(self, spec: SweepSpec, width: int, height: int) -> None:
        """Build the network with each initializer, head and start of ``spec`` once; nothing is trained.

        Raises:
            InputError: it cannot be built, or what comes back is not what a sweep can train.
        """
        axes = (spec.initializers, spec.heads, spec.starts)
        first = None
        for index in (*range(max(map(len, axes))), 0):
            kernel, head, start = (axis[index % len(axis)] for axis in axes)
            model = self.build(
                Recipe.parse(kernel, "initializer"),
                spec.seeds[0],
                head=head,
                start=start,
                width=width,
                height=height,
                dropout=spec.dropout,
                precision=spec.precision,
            )
            if first is not None and {id(w) for w in model.weights} & {id(w) for w in first.weights}:
                raise InputError(f"Expected {self.path} to make new layers at every call. Received some twice.")
            first = model if first is None else first

    def build(
        self,
        kernel: Recipe,
        seed: int,
        *,
        head: str,
        start: str,
        width: int,
        height: int,
        dropout: float,
        precision: str,
        dropout_seed: int | None = None,
    ) -> Any:
        """The untrained network, made with the same arguments as our own (see `build_network`).

        Python's, NumPy's and Keras's random states start from ``seed``, so that a layer to which the function gives no
        seed starts from the same numbers in every cell, too. Dropout layers are among these: ``dropout_seed`` is not
        used, and `check_axes` refuses what would need it.

        Raises:
            InputError: it cannot be built, or what comes back is not what a sweep can train.
        """

        def initializer(layer: str) -> Any:
            return resolve.initializer(kernel, seed=layer_seed("init", seed, layer))

        offered = dict(zip(OFFERED, (initializer, width, height, dropout, head, start), strict=True))
        keras.utils.set_random_seed(seed)
        with _computing_in(precision):
            try:
                model = self.function(**{name: offered[name] for name in self.takes})
            except Exception as error:  # whatever somebody else's function does
                raise InputError(f"The network {self.path} cannot be built: {one_line(error)}") from error
            if not isinstance(model, keras.Model):
                raise InputError(f"Expected a keras.Model from {self.path}. Received: {type(model).__name__}.")
            self._check_boxes(model, width, height)
        return model

    def _check_boxes(self, model: Any, width: int, height: int) -> None:
        """Show it two pictures; a model without declared inputs gets its weights so, too."""
        # Keras itself takes a picture of another shape where the layers happen to take it.
        declared, wanted = getattr(model, "input_shape", None), (None, height, width, 1)
        if isinstance(declared, tuple) and (
            len(declared) != 4 or any(size not in (None, right) for size, right in zip(declared, wanted, strict=True))
        ):
            raise InputError(f"Expected {self.path} to read pictures of shape {wanted}. Received: {declared}.")
        try:
            boxes = model(np.zeros((2, height, width, 1), np.float32))
        except Exception as error:
            pictures = f"pictures of shape (batch, {height}, {width}, 1)"
            raise InputError(f"The network {self.path} cannot read {pictures}: {one_line(error)}") from error
        shape = getattr(boxes, "shape", None)
        if shape is None or tuple(shape) != (2, 4):
            received = type(boxes).__name__ if shape is None else f"{tuple(shape)} of 2 pictures"
            raise InputError(f"Expected boxes of shape (batch, 4) from {self.path}. Received: {received}.")
        if (kind := keras.backend.standardize_dtype(boxes.dtype)) != "float32":
            raise InputError(
                f"Expected float32 boxes from {self.path}: give its last layer dtype='float32'. Received: {kind}."
            )


def own_network(path: str) -> OwnNetwork:
    """The function that ``package.module:build`` stands for.

    Raises:
        InputError: no such module or name, no function, or one with parameters that a sweep does not give.
    """
    try:
        function = import_path("network", path)
    except ValueError as error:
        raise InputError(str(error)) from error
    if inspect.isclass(function) or not callable(function):
        raise InputError(f"Expected {path} to be a function that returns a keras.Model. Received: {function!r}.")
    offered = ", ".join(OFFERED)
    try:
        parameters = inspect.signature(function).parameters
    except ValueError as error:
        raise InputError(f"Expected {path} to have parameters among: {offered}. Received one without names.") from error
    named = {name: p for name, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    given = {name for name, p in named.items() if p.kind is not p.POSITIONAL_ONLY}
    takes = tuple(name for name in OFFERED if name in given or (takes_any and name not in named))
    if strange := [name for name, p in named.items() if p.default is p.empty and name not in takes]:
        raise InputError(f"Expected {path} to have parameters among: {offered}. Received: {strange[0]}.")
    if "initializer" not in takes:
        raise InputError(f"Expected {path} to have a parameter 'initializer'. Received: {', '.join(takes) or 'none'}.")
    return OwnNetwork(path, function, takes)


@contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """Layers made inside compute in ``precision`` and keep their weights in float32."""
    before = keras.config.dtype_policy()
    if precision != "float32":
        keras.config.set_dtype_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
