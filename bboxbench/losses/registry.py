"""Losses by name, as a command line or a spec file writes them; and a user's own by import path.

An installed package offers losses of its own under the entry-point group ``bboxbench.losses``: there a name stands for
a ``package.module:Name``, which is imported when somebody asks for it and not before.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, overload

import keras

from bboxbench.losses.base import FunctionLoss

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["ENTRY_POINTS", "clashes", "get", "import_path", "loss_class", "names", "offered", "own_path", "register"]

ENTRY_POINTS = "bboxbench.losses"
"""The group under which installed packages offer losses."""

LossClass = TypeVar("LossClass", bound=type)

_LOSSES: dict[str, type] = {}
_NAME = r"[a-z][a-z0-9_]*"
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
    if not isinstance(name, str) or not re.fullmatch(_NAME, name):
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
    """The names that `get` takes, sorted: the registered ones, and those that installed packages offer.

    >>> from bboxbench import losses
    >>> "giou" in losses.names()
    True
    """
    return sorted({*_LOSSES, *_entries()})


def offered() -> dict[str, tuple[str, str]]:
    """The losses that installed packages offer, by name: the import path of each and the package. None is imported.

    A registered name is not among them, since it stands for the registered loss; see `clashes`.
    """
    return {
        name: (" or ".join(dict.fromkeys(map(_path, entries))), " or ".join(dict.fromkeys(map(_package, entries))))
        for name, entries in _entries().items()
    }


def clashes() -> dict[str, str]:
    """The names of entry points that do not stand for what their package meant, each with one line that says why."""
    found = {}
    for name, entries in _entries(usable=False).items():
        path, package = _path(entries[0]), _package(entries[0])
        if name in _LOSSES:
            found[name] = (
                f"The package '{package}' offers a loss '{name}', which is the name of a registered one: that one is "
                f"taken. Ask for the other as '{path}'."
            )
        elif not re.fullmatch(_NAME, name):
            found[name] = (
                f"The package '{package}' offers a loss '{name}'. Expected a name of lower-case letters, digits and "
                f"underscores. Ask for it as '{path}'."
            )
        elif len({_path(entry) for entry in entries}) > 1:
            found[name] = _ambiguous(name, entries)
    return found


def own_path(name: str) -> str | None:
    """The import path of a loss that is not registered here: ``name`` itself if it is one, or an entry point's.

    None for a registered name, and for one that nobody knows. Nothing is imported.
    """
    if ":" in name:
        return name
    entries = None if name in _LOSSES else _entries().get(name)
    return None if entries is None else _path(entries[0])


def loss_class(name: str) -> type[keras.losses.Loss]:
    """The class registered under ``name``.

    Of a loss that a package offers, `keras.losses.Loss`: it is not imported to be asked what it is.

    Raises:
        ValueError: in one line, if there is none, with the nearest name.
    """
    if name in _LOSSES:
        return _LOSSES[name]
    known = names()
    if name in known:
        return keras.losses.Loss  # type: ignore[no-any-return]  # Keras ships no types
    raise ValueError(f"Unknown loss '{name}'.{_guess(name, known)} Expected one of: {', '.join(known)}.")


def get(name: str, /, **parameters: Any) -> keras.losses.Loss:
    """The instance of a loss.

    Args:
        name: one of `names`, or ``package.module:Name`` where ``Name`` is a `keras.losses.Loss` subclass or a function
            ``(y_true, y_pred)`` that gives one value a box.
        **parameters: what the loss's constructor takes. For a function: its own further parameters, and ``reduction``,
            ``name`` and ``dtype``.

    Raises:
        ValueError: in one line, if the name is unknown, the path leads nowhere, or a parameter does not exist.

    >>> from bboxbench import losses
    >>> losses.get("centre_point", size_weight=0.5).get_config()["size_weight"]
    0.5
    >>> losses.get("goiu")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: Unknown loss 'goiu'. Did you mean 'giou'? Expected one of: ...
    """
    if not isinstance(name, str):
        raise ValueError(f"Expected the name of a loss or 'package.module:Name'. Received: {name!r}")
    found = _import(name) if ":" in name else _named(name)
    if _is_loss_class(found):
        _check_parameters(name, parameters, _accepted(found))
        return found(**parameters)
    own = _accepted(found)
    _check_parameters(name, parameters, None if own is None else [*own[2:], *_COMMON])
    common = {key: parameters.pop(key) for key in _COMMON if key in parameters}
    return FunctionLoss(found, parameters=parameters, **common)


def _named(name: str) -> Any:
    """The class registered under ``name``, else the class or function that a package offers under it."""
    if name in _LOSSES:
        return _LOSSES[name]
    if not (entries := _entries().get(name)):
        return loss_class(name)
    if len({_path(entry) for entry in entries}) > 1:
        raise ValueError(_ambiguous(name, entries))
    try:
        return _import(_path(entries[0]))
    except ValueError as error:
        raise ValueError(f"The loss '{name}' of the package '{_package(entries[0])}' is broken. {error}") from error


def _entries(usable: bool = True) -> dict[str, list[EntryPoint]]:
    """The entry points by name; with ``usable``, without those whose name is registered or ill-formed."""
    # Imported here, for only who asks for a loss by a name needs it. Asked anew, for what can be imported may change.
    from importlib.metadata import distributions

    entries: list[EntryPoint] = []
    for distribution in distributions():
        # One package whose list of entry points cannot be read leaves the others alone.
        with suppress(Exception):
            entries += distribution.entry_points.select(group=ENTRY_POINTS)
    found: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.name, _package(entry))):
        if not usable or (entry.name not in _LOSSES and re.fullmatch(_NAME, entry.name)):
            found.setdefault(entry.name, []).append(entry)
    return found


def _path(entry: EntryPoint) -> str:
    """The import path of an entry point, without the extras that may stand behind it."""
    return entry.value.partition("[")[0].strip()


def _package(entry: EntryPoint) -> str:
    metadata = None if entry.dist is None else entry.dist.metadata
    return metadata["Name"] if metadata is not None and "Name" in metadata else "without a name"


def _ambiguous(name: str, entries: list[EntryPoint]) -> str:
    said = ", ".join(f"'{_path(entry)}' of '{_package(entry)}'" for entry in entries)
    return f"The loss '{name}' is offered more than once: {said}. Ask for the one you mean by its path."


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
