"""Losses by name, as a command line or a spec file writes them; and a user's own by import path."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

import keras

from bboxbench.losses.base import FunctionLoss

__all__ = ["get", "import_path", "loss_class", "names", "register"]

LossClass = TypeVar("LossClass", bound=type)

_LOSSES: dict[str, type] = {}
_COMMON = ("reduction", "name", "dtype")


@overload
def register(name: str) -> Callable[[LossClass], LossClass]: ...
@overload
def register(name: str, loss: LossClass) -> LossClass: ...
def register(name: str, loss: LossClass | None = None) -> LossClass | Callable[[LossClass], LossClass]:
    """Add a loss class under a name, as a decorator ``@register("name")`` or a call ``register("name", Class)``.

    Args:
        name: lower-case letters, digits and underscores, a letter first.
        loss: a subclass of `keras.losses.Loss`. Left out: a decorator is returned.

    Raises:
        ValueError: if the name is taken or ill-formed, or the object is no loss class.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"Expected a name of lower-case letters, digits and underscores. Received: name={name!r}")

    def add(cls: LossClass) -> LossClass:
        if not _is_loss_class(cls):
            raise ValueError(f"Expected '{name}' to be a subclass of keras.losses.Loss. Received: {cls!r}")
        if name in _LOSSES:
            raise ValueError(f"Loss '{name}' is already registered, as {_LOSSES[name].__name__}. Choose another name.")
        _LOSSES[name] = cls
        return cls

    return add if loss is None else add(loss)


def names() -> list[str]:
    """The registered names, sorted.

    >>> from bboxbench import losses
    >>> losses.names()
    ['centre_point', 'giou', 'iou', 'iou_unguarded', 'mse']
    """
    return sorted(_LOSSES)


def loss_class(name: str) -> type[keras.losses.Loss]:
    """The class registered under ``name``.

    Raises:
        ValueError: in one line, if there is none, with the nearest name.
    """
    if name not in _LOSSES:
        raise ValueError(f"Unknown loss '{name}'.{_guess(name, _LOSSES)} Expected one of: {', '.join(names())}.")
    return _LOSSES[name]


def get(name: str, /, **parameters: Any) -> keras.losses.Loss:
    """The instance of a loss.

    Args:
        name: a registered name (see `names`), or ``package.module:Name`` where ``Name`` is a `keras.losses.Loss`
            subclass or a function ``(y_true, y_pred)`` that gives one value a box.
        **parameters: what the loss's constructor takes. For a function: its own further parameters, and ``reduction``,
            ``name`` and ``dtype``.

    Raises:
        ValueError: in one line, if the name is unknown, the path leads nowhere, or a parameter does not exist.

    >>> from bboxbench import losses
    >>> losses.get("centre_point", size_weight=0.5).get_config()["size_weight"]
    0.5
    >>> losses.get("goiu")
    Traceback (most recent call last):
    ...
    ValueError: Unknown loss 'goiu'. Did you mean 'giou'? Expected one of: centre_point, giou, iou, iou_unguarded, mse.
    """
    if not isinstance(name, str):
        raise ValueError(f"Expected the name of a loss or 'package.module:Name'. Received: {name!r}")
    found = _import(name) if ":" in name else loss_class(name)
    if _is_loss_class(found):
        _check_parameters(name, parameters, _accepted(found))
        return found(**parameters)
    own = _accepted(found)
    _check_parameters(name, parameters, None if own is None else [*own[2:], *_COMMON])
    common = {key: parameters.pop(key) for key in _COMMON if key in parameters}
    return FunctionLoss(found, parameters=parameters, **common)


def _is_loss_class(found: Any) -> bool:
    return inspect.isclass(found) and issubclass(found, keras.losses.Loss)


def import_path(kind: str, path: str) -> Any:
    """What ``package.module:Name`` stands for.

    Args:
        kind: what it should be, for the message, as in "loss".
        path: a module that can be imported, a colon, and a name in it.

    Raises:
        ValueError: in one line, if the module cannot be imported or has no such name.
    """
    module_name, _, attribute = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever somebody else's module does while it is imported
        words = " ".join(str(error).split())
        raise ValueError(f"Cannot import the {kind} '{path}': {type(error).__name__}: {words}.") from error
    found = getattr(module, attribute, None)
    if found is None:
        public = [key for key in vars(module) if not key.startswith("_")]
        raise ValueError(f"Module '{module_name}' has no '{attribute}'.{_guess(attribute, public)}")
    return found


def _import(path: str) -> Any:
    """The loss class or function that ``package.module:Name`` stands for."""
    found = import_path("loss", path)
    if not _is_loss_class(found) and (inspect.isclass(found) or not callable(found)):
        raise ValueError(
            f"Expected '{path}' to be a keras.losses.Loss subclass or a function (y_true, y_pred). Received: {found!r}"
        )
    return found


def _accepted(found: Callable[..., Any]) -> list[str] | None:
    """The parameters that a class's constructor or a function takes by keyword; None if it takes any."""
    signature = inspect.signature(found).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature):
        return None
    return [parameter.name for parameter in signature]


def _check_parameters(loss: str, received: Iterable[str], accepted: Iterable[str] | None) -> None:
    if accepted is None:
        return
    known = list(accepted)
    for parameter in received:
        if parameter not in known:
            raise ValueError(
                f"Loss '{loss}' has no parameter '{parameter}'.{_guess(parameter, known)} "
                f"Expected one of: {', '.join(known)}."
            )


def _guess(name: str, known: Iterable[str]) -> str:
    by_lower_case = {option.lower(): option for option in known}
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.6)
    return f" Did you mean '{by_lower_case[near[0]]}'?" if near else ""
