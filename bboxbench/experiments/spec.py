"""What a sweep shall do: a `SweepSpec`, from a preset, a TOML file and flags, each overruling the one before."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bboxbench.data_gen import DatasetSpec, open_dataset
from bboxbench.data_gen.imported import AnySpec
from bboxbench.data_gen.workers import usable_cores
from bboxbench.errors import InputError, read_errors, unknown_name
from bboxbench.experiments.learning_rates import Rate
from bboxbench.experiments.recipe import split_list
from bboxbench.experiments.rules import RULES, Rule
from bboxbench.experiments.runtime import start_tensorflow
from bboxbench.experiments.seeds import VARIABLE, VARY, parse_seeds

__all__ = ["AXES", "ENGINES", "NETWORK", "PRECISIONS", "PRESETS", "SweepSpec", "read_toml"]

AXES = ("losses", "initializers", "optimizers", "learning_rates", "heads", "starts", "batch_sizes", "seeds")
"""Fields that may grow when a sweep is taken up again: they say which runs there are, not how a run is trained."""

MAY_BE_EMPTY = ("learning_rates", *RULES)
"""Lists that may have nothing in them."""

ENGINES = ("lockstep", "fit")
"""How runs are trained. ``lockstep`` trains all runs of a seed at once, ``fit`` is plain Keras, one run at a time."""

PRECISIONS = ("float32", "bfloat16")
"""What a network computes in. Its weights and the optimizer's state are float32 in both."""

NETWORK = "letter_box"
"""The built-in network's name."""

# Each pair has one spread: uniform on +-a and normal with stddev a / sqrt(3), so that shape and scale are not mixed.
_INITIALIZERS = (
    "glorot_uniform",
    "glorot_normal",
    "random_uniform(minval=-0.05,maxval=0.05)",
    "random_normal(stddev=0.0289)",
)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "as_posted": {
        "losses": ("mse", "iou_unguarded", "iou", "giou", "centre_point(size_weight=1)"),
        "optimizers": ("adadelta",),
        "starts": ("zeros",),
    },
    "quick": {
        "n": 4000,
        "losses": ("mse", "giou", "iou", "iou_unguarded"),
        "initializers": ("glorot_uniform",),
        "optimizers": ("adam:0.0005",),
        "seeds": 2,
        "epochs": 6,
        "validation": 200,
    },
}
"""What each preset changes: ``default`` is the full sweep, ``as_posted`` the case word for word, ``quick`` the demo."""


@dataclass(frozen=True)
class SweepSpec:
    """Everything that decides the results of a sweep. Every field is a flag and a TOML key of the same name.

    Raises:
        InputError: a value of the wrong type or out of its range; the message names the field.
    """

    preset: str = "default"
    data: str = ""
    """Folder of an existing data set; empty: the letters are drawn, by ``n`` and ``data_seed``."""
    n: int = 40_000
    data_seed: int = 0
    losses: tuple[str, ...] = ("mse", "iou", "giou", "centre_point(size_weight=1)")
    initializers: tuple[str, ...] = _INITIALIZERS
    optimizers: tuple[str, ...] = ("adam:tuned",)
    learning_rates: tuple[str, ...] = ()
    """Numbers, or ``loss:number``, for optimizers without a rate of their own: see `learning_rates`."""
    heads: tuple[str, ...] = ("corners",)
    starts: tuple[str, ...] = ("wide",)
    batch_sizes: tuple[int, ...] = (100,)
    """Pictures a step."""
    seeds: tuple[int, ...] = tuple(range(20))
    include: tuple[str, ...] = ()
    """Rules as ``loss=iou,initializer=random*``: cells that one of them matches are trained alone; none: all."""
    exclude: tuple[str, ...] = ()
    """The same for cells that are not trained: see `bboxbench.experiments.rules`."""
    vary: tuple[str, ...] = VARY
    """What the seed changes, any of `bboxbench.experiments.seeds.VARIABLE`; all else is as under seed 0."""
    epochs: int = 8
    dropout: float = 0.2
    validation: int = 1000
    """Validation pictures looked at after each epoch; 0 looks at none."""
    patience: int = 0
    """Epochs without a higher mean IoU on these after which a run stops, and keeps its best epoch; 0: it does not."""
    iou_threshold: float = 0.5
    network: str = NETWORK
    """The built-in network, or ``package.module:build``: see `bboxbench.experiments.own_network`."""
    precision: str = "float32"
    engine: str = "lockstep"
    threads: int = 0
    """Threads of one TensorFlow operation; 0: all usable cores, of a deterministic sweep those of this machine."""
    deterministic: bool = False
    """Whether the same sweep gives the same bits on the same kind of processor: see `settings`."""
    chunk: int = 16
    """Runs that train together in a deterministic sweep; others take as many as the memory holds."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name), field.default))
        if self.preset not in PRESETS:
            raise unknown_name("preset", self.preset, PRESETS)
        if self.engine not in ENGINES:
            raise unknown_name("engine", self.engine, ENGINES)
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        if self.network != NETWORK and ":" not in self.network:
            raise unknown_name("network", self.network, (NETWORK, "package.module:build"))
        for name in self.vary:
            if name not in VARIABLE:
                raise unknown_name("thing to vary", name, VARIABLE)
        object.__setattr__(self, "vary", tuple(name for name in VARIABLE if name in self.vary))
        for name, low in (("epochs", 1), ("validation", 0), ("patience", 0), ("threads", 0), ("chunk", 1)):
            if getattr(self, name) < low:
                raise InputError(f"Expected {name} of {low} or more. Received: {getattr(self, name)}.")
        if self.deterministic and not self.threads:
            # Wherever it is trained: another machine would have another number of cores.
            object.__setattr__(self, "threads", usable_cores())
        if self.patience and not self.validation:
            raise InputError(f"Expected validation pictures for patience {self.patience}. Received: validation 0.")
        if not 0 <= self.dropout < 1:
            raise InputError(f"Expected dropout of at least 0 and below 1. Received: {self.dropout}.")
        if self.vary == ("dropout",) and not self.dropout:
            raise InputError("Expected --vary to change something. Received: dropout alone, with a dropout of 0.")
        if not 0 < self.iou_threshold <= 1:
            raise InputError(f"Expected iou_threshold above 0 and at most 1. Received: {self.iou_threshold}.")
        if not self.data:
            if self.n < 10:
                raise InputError(f"Expected n of 10 or more, so that every split has pictures. Received: {self.n}.")
            self.dataset_spec()

    @classmethod
    def from_preset(cls, preset: str = "default", **changes: Any) -> SweepSpec:
        """The spec of a preset with ``changes`` over it.

        Raises:
            InputError: unknown preset or field, or a value that does not fit.
        """
        if not isinstance(preset, str):
            raise InputError(f"Expected a text for preset. Received: {preset!r}.")
        if preset not in PRESETS:
            raise unknown_name("preset", preset, PRESETS)
        known = {field.name for field in dataclasses.fields(cls)}
        for name in changes:
            if name not in known:
                raise unknown_name("key", name, known)
        if changes.get("data") and (extra := [name for name in ("n", "data_seed") if name in changes]):
            raise InputError(f"Expected either data or {extra[0]}. Received both: the folder has its own pictures.")
        return cls(**{**PRESETS[preset], **changes, "preset": preset})

    def dataset_spec(self) -> AnySpec:
        """What the pictures are: of the folder ``data``, or of the letters that are drawn when it names none.

        Raises:
            InputError: ``data`` is no complete data set.
        """
        return open_dataset(self.data).spec if self.data else self.letters()

    def letters(self) -> DatasetSpec:
        """The letters that are drawn where ``data`` names no folder."""
        return DatasetSpec.letters(n=self.n, seed=self.data_seed)

    def cell_axes(self) -> dict[str, tuple[Any, ...]]:
        """What a cell takes one of each, by the name of its column; the learning rate comes with the optimizer."""
        return {
            "loss": self.losses,
            "initializer": self.initializers,
            "optimizer": self.optimizers,
            "head": self.heads,
            "start": self.starts,
            "batch_size": self.batch_sizes,
        }

    def seed_of(self, purpose: str, seed: int) -> int:
        """The seed that a run of ``seed`` takes for ``purpose``, one of `VARIABLE`: 0 for what does not vary."""
        return seed if purpose in self.vary else 0

    def settings(self) -> dict[str, Any]:
        """What all runs of a sweep share and what changes their results: plain JSON values.

        The axes, which may grow, and the rules are not among them, nor the preset's name and the place of the
        pictures. ``threads`` and ``chunk`` change the last bits only: they are settings of a deterministic sweep,
        which promises those. A network of the user's own comes with the hash of its source.

        Raises:
            InputError: ``data`` is no complete data set, or ``network`` cannot be imported.
        """
        values = dataclasses.asdict(self)
        for name in (*AXES, *RULES, "preset", "data", "n", "data_seed"):
            del values[name]
        if not self.deterministic:
            del values["threads"], values["chunk"]
        if self.network != NETWORK:
            values["network_source"] = self._network_source()
        return {**values, "pictures": self.dataset_spec().identity(), "vary": ",".join(self.vary)}

    def _network_source(self) -> str:
        # The user's module imports Keras, which must not come before TensorFlow's settings.
        start_tensorflow(self.threads, self.deterministic)
        from bboxbench.experiments.own_network import own_network

        return own_network(self.network).source_sha256

    def sha256(self) -> str:
        """Hexadecimal SHA-256 of `settings`."""
        return hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode()).hexdigest()

    def folder(self) -> Path:
        """Where the results go by default: one place for one setting, whatever the axes."""
        return Path("results") / f"{self.preset}-{self.sha256()[:8]}"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values, as the constructor takes them again."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}


def _checked(name: str, value: Any, default: Any) -> Any:
    """``value`` in the type of the field's default, or one line that names the field."""
    if name == "seeds":
        if isinstance(value, (str, int)) or (isinstance(value, (list, tuple)) and all(type(v) is int for v in value)):
            return parse_seeds(value)
    elif isinstance(default, tuple):
        return _listed(name, value)
    elif isinstance(default, float):
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    elif type(value) is type(default):
        return value
    kinds = {bool: "true or false", int: "a whole number", str: "a text", float: "a number", tuple: ""}
    expected = kinds[type(default)]
    if name == "seeds":
        expected = "a count, a range as text or a list of whole numbers"
    raise InputError(f"Expected {expected} for {name}. Received: {value!r}.")


def _listed(name: str, value: Any) -> tuple[Any, ...]:
    """The items of a list, or of a text that has them between commas, each in its one spelling."""
    # A rule has commas of its own.
    several = isinstance(value, str) and name not in RULES
    items = split_list(value) if several else value if isinstance(value, (list, tuple)) else [value]
    read, wanted = _ITEMS.get(name, (_text, "a list of texts"))
    try:
        items = [read(item) for item in items]
    except InputError:
        raise
    except ValueError:
        raise InputError(f"Expected {wanted} for {name}. Received: {value!r}.") from None
    if not items and name not in MAY_BE_EMPTY:
        raise InputError(f"Expected at least one of {name}. Received none.")
    if twice := next((item for item in items if items.count(item) > 1), None):
        raise InputError(f"Expected each of {name} once. Received '{twice}' more than once.")
    return tuple(items)


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise ValueError
    return item


def _rule(item: Any) -> str:
    return str(Rule.parse(_text(item)))


def _batch_size(item: Any) -> int:
    if isinstance(item, bool) or not isinstance(item, (int, str)) or (size := int(item)) < 1:
        raise ValueError
    return size


def _rate(item: Any) -> str:
    if isinstance(item, bool) or not isinstance(item, (int, float, str)):
        raise ValueError
    return str(Rate.parse(str(item)))


_ITEMS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "batch_sizes": (_batch_size, "a list of whole numbers of 1 or more"),
    "learning_rates": (_rate, "a list of numbers above 0, as 0.001 or giou:0.0003,"),
    **dict.fromkeys(RULES, (_rule, "a list of rules as loss=iou,initializer=random*")),
}
"""How an item of a list is read that is no plain text, and how the list is described."""


def read_toml(path: Path) -> Mapping[str, Any]:
    """The keys of a TOML file, each a field of `SweepSpec`.

    Raises:
        InputError: the file is missing or not TOML, or has a key that is no field (with the nearest one named).
    """
    try:
        with read_errors(path):
            content = path.read_bytes()
        values = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"Expected TOML in {path}. Received: {error}.") from error
    defaults = {field.name: field.default for field in dataclasses.fields(SweepSpec)}
    # A person writes batch-sizes, as on the command line, or batch_sizes, as in Python.
    values = {key.replace("-", "_"): value for key, value in values.items()}
    for key, value in values.items():
        try:
            if key not in defaults:
                raise unknown_name("key", key, defaults)
            _checked(key, value, defaults[key])
        except InputError as error:
            raise InputError(f"In {path}: {error}") from None
    return values
