"""From names to Keras objects: losses, initializers and optimizers, or one line that says what is wrong."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from typing import Any

import keras

from bboxbench import losses
from bboxbench.errors import InputError, unknown_name
from bboxbench.experiments.own_loss import Examined, examine
from bboxbench.experiments.recipe import Recipe
from bboxbench.losses.registry import clashes, own_path

__all__ = [
    "canonical",
    "examined",
    "initializer",
    "loss",
    "loss_warnings",
    "make_loss",
    "optimizer",
    "source_sha256",
    "unit_warning",
]


def _lookup(kind: str, name: str, module: Any, base: type) -> Any:
    """The public class of a Keras module by the name Keras knows it by: random_uniform, RandomUniform, adamw, AdamW.

    Classes that cannot be made from numbers alone (wrappers of other optimizers, aliases) are left out.
    """
    known: dict[str, type] = {}
    for spelling, each in vars(module).items():
        if inspect.isclass(each) and issubclass(each, base) and each is not base and spelling == each.__name__:
            parameters = inspect.signature(each).parameters.values()
            if all(p.default is not p.empty or p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters):
                known[_snake(spelling)] = each
    for snake, each in known.items():
        if name.lower().replace("_", "") == snake.replace("_", ""):
            return each
    raise unknown_name(kind, name, known)


def _snake(name: str) -> str:
    """Keras's own spelling of a class's name: RandomUniform is random_uniform, AdamW is adamw."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


def _make(kind: str, recipe: Recipe, factory: Callable[..., Any], **fixed: Any) -> Any:
    """Call ``factory`` with the recipe's parameters; a refusal becomes one line that names the ones it takes."""
    accepted = [
        name
        for name, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) and name not in (*fixed, "name")
    ]
    for name in recipe.parameters:
        if name not in accepted:
            raise InputError(
                f"Expected parameters of the {kind} '{recipe.name}' among: {', '.join(accepted) or 'none'}. "
                f"Received: '{name}'."
            )
    try:
        return factory(**recipe.parameters, **fixed)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"The {kind} '{recipe}' cannot be made: {' '.join(str(error).split())}") from error


def loss(recipe: Recipe) -> Any:
    """The `keras.losses.Loss` of a registered name, or of the user's own: a ``package.module:Name`` or an entry point.

    One of the user's own is tried on a few boxes first; what is returned is another instance than the one tried.

    Raises:
        InputError: unknown, with a parameter it does not take, or, of the user's own, one that cannot be trained.
    """
    if fault := examined(recipe).fault:
        raise InputError(fault)
    return make_loss(recipe)


def make_loss(recipe: Recipe) -> Any:
    """As `loss`, for who has tried it already.

    Raises:
        InputError: unknown, or with a parameter it does not take.
    """
    try:
        return losses.get(recipe.name, **recipe.parameters)
    except (TypeError, ValueError) as error:
        raise InputError(" ".join(str(error).split())) from error


def examined(recipe: Recipe) -> Examined:
    """What is found of a loss of the user's own when it is tried; of a registered one nothing, since tests do that.

    Raises:
        InputError: unknown, or with a parameter it does not take.
    """
    return examine(str(recipe), make_loss(recipe)) if own_path(recipe.name) else Examined()


def loss_warnings(recipe: Recipe) -> list[str]:
    """What a person should know of a loss before it is used, each in one line: its dangers, a name it shares.

    Raises:
        InputError: as `loss`.
    """
    found = examined(recipe)
    if found.fault:
        raise InputError(found.fault)
    clash = clashes().get(recipe.name)
    return [*([clash] if clash else []), *found.warnings]


def unit_warning(recipe: Recipe) -> str | None:
    """What to say of a loss whose default parameters are for pixels, where the boxes lie in [0, 1]; None of all others.

    Raises:
        InputError: unknown, or with a parameter it does not take.
    """
    card = getattr(type(make_loss(recipe)), "card", None)
    if card is None or not card.unit_parameters or set(card.unit_parameters) & set(recipe.parameters):
        return None
    return f"The boxes of a sweep lie in [0, 1], and the loss '{recipe}' is for {card.units}."


def initializer(recipe: Recipe, seed: int) -> Any:
    """The Keras initializer of a name, seeded.

    Raises:
        InputError: unknown, with a parameter it does not take, or with values from which no weights can be drawn.
    """
    factory = _lookup("initializer", recipe.name, keras.initializers, keras.initializers.Initializer)
    seeded = {"seed": seed} if "seed" in inspect.signature(factory).parameters else {}
    made = _make("initializer", recipe, factory, **seeded)
    try:
        # Some initializers accept anything and fail only when they draw: 'identity' on four axes, a text for a number.
        made((16, 16, 1, 4))
        made((8, 4))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"The initializer '{recipe}' cannot start this network's layers: {reason}") from error
    return made


def optimizer(recipe: Recipe, learning_rate: float | None) -> Any:
    """The Keras optimizer of a name; ``learning_rate`` None leaves Keras's own default.

    Raises:
        InputError: unknown, or with a parameter it does not take.
    """
    factory = _lookup("optimizer", recipe.name, keras.optimizers, keras.optimizers.Optimizer)
    if "learning_rate" in recipe.parameters:
        raise InputError(f"Expected the learning rate behind a colon, as in {recipe.name}:0.001. Received: '{recipe}'.")
    rate = {} if learning_rate is None else {"learning_rate": learning_rate}
    return _make("optimizer", recipe, factory, **rate)


def canonical(kind: str, recipe: Recipe, made: Any) -> tuple[Recipe, dict[str, Any]]:
    """One spelling for one thing, and everything that decides what it computes.

    The spelling has the parameters that differ from the defaults; an initializer's has all numbers, since the spread is
    what one wants to see. An entry point's name becomes the import path it stands for. The identity has every
    parameter, from the signature: a user's class needs no `get_config`, and one that forgets a parameter harms nothing.

    Args:
        kind: "loss", "initializer" or "optimizer".
        recipe: as it was written.
        made: what `loss`, `initializer` or `optimizer` made of it.
    """
    function = getattr(made, "function", None)
    own = own_path(recipe.name) if kind == "loss" else None
    factory = function if own and function is not None else type(made)
    name = own or (recipe.name if kind == "loss" else _snake(type(made).__name__))
    parameters = inspect.signature(factory).parameters.values()
    defaults = {
        p.name: p.default
        for p in parameters
        if p.default is not p.empty and p.name not in ("name", "seed", "learning_rate")
    }
    given = {
        # An optimizer's 1 and 1.0 are one number.
        key: float(value) if isinstance(defaults.get(key), float) and type(value) is int else value
        for key, value in recipe.parameters.items()
    }
    every = {**defaults, **given}
    shown = {
        key: value
        for key, value in every.items()
        if (key not in defaults or defaults[key] != value)
        or (kind == "initializer" and isinstance(value, (int, float)))
    }
    # The code of a loss that stands elsewhere is part of what it computes: an edited one is trained again.
    source = {"source": source_sha256(factory)} if own else {}
    return Recipe(name, shown), {"name": name, **source, **every}


def source_sha256(factory: Callable[..., Any]) -> str:
    """SHA-256 of the source of a function or class; of nothing where there is no source, as in a shell."""
    try:
        source = inspect.getsource(factory)
    except (OSError, TypeError):
        source = ""
    return hashlib.sha256(source.encode()).hexdigest()
