"""What to try, by what was found; each piece of advice names what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from bboxbench.experiments.diagnosis.evidence import Evidence
from bboxbench.experiments.diagnosis.mistakes import Mistake

__all__ = ["ADVICE", "Advice", "advise", "dead", "exploded"]

TRAP_GAP = 0.2
"""Keras's accuracy misleads where it reads this much more than box accuracy."""
CLOSE = 0.97
"""Where small errors leave less box accuracy than this, the ceiling is worth a thought."""
CLINGING = 0.25
"""A side clings to the picture's edge from this share of the predictions on."""
OVERSIZED = 2.0
"""The size is what is wrong where it is off by so many times as much as the place."""
EXPLODED = 20.0
"""The output has exploded where predictions reach so many times as far as the picture, or all its boxes."""
MOST = 5
"""Pieces of advice a person will read."""


@dataclass(frozen=True)
class Advice:
    """One thing to try.

    Attributes:
        do: the thing.
        why: one or two sentences.
        source: a heading of docs/findings.md, measured by this project, or an address.
    """

    do: str
    why: str
    source: str


def _finding(heading: str) -> str:
    return f"docs/findings.md#{heading}"


ADVICE = {
    "metric": Advice(
        'Put bboxbench.metrics.BoxAccuracy() where "accuracy" stands in compile().',
        "On four outputs Keras takes the word for class scores and compares which of the four numbers is the largest.",
        _finding("keras-accuracy"),
    ),
    "wide start": Advice(
        "Start from a wide box: with four sigmoids as corners, a bias of (-1.1, -1.1, 1.1, 1.1) in the last layer.",
        "Without it the first box is a point at the centre. It overlaps little, so a loss on IoU has little to follow.",
        _finding("rescue"),
    ),
    "lower rate": Advice(
        "Lower the learning rate three to ten times, and tune it for each loss on validation pictures.",
        "The rate that suits mse can drive a loss on IoU to the border within an epoch.",
        _finding("learning-rates"),
    ),
    "tune rate": Advice(
        "Tune the learning rate for this loss on validation pictures, three values a decade.",
        "One rate for all losses is right for one of them at most.",
        _finding("learning-rates"),
    ),
    "coordinates first": Advice(
        "Train with mse first, and change to the loss on IoU when the boxes overlap, if at all.",
        "IoU is 0 for all boxes that do not overlap and says nothing about how far they are; mse always does.",
        "https://arxiv.org/abs/1902.09630",
    ),
    "pinned": Advice(
        "Watch the four sides over the first epochs, as BoxDiagnosis shows them.",
        "A sigmoid at the border has next to no gradient left: what is pinned early stays, however long it trains.",
        _finding("pinned"),
    ),
    "centre and size": Advice(
        "Let the network say centre and size in place of four corners.",
        "From the same first box GIoU then learned under every rate and initializer tried, and as corners in few.",
        _finding("rescue"),
    ),
    "saturation": Advice(
        "Look at what enters the last layer: numbers far from 0 saturate its sigmoids. Start with smaller weights.",
        "A saturated unit passes on next to no gradient, whatever the picture.",
        "https://proceedings.mlr.press/v9/glorot10a.html",
    ),
    "initializer": Advice(
        "Try another initializer, and each with several seeds.",
        "Which starting weights learn depends on loss and rate; one seed shows nothing.",
        _finding("uniform-or-normal"),
    ),
    "adadelta": Advice(
        'If the optimizer is the word "adadelta", write keras.optimizers.Adadelta(1.0), or take adam.',
        "In Keras 3 the word means a learning rate of 0.001. The paper's method is 1.0: a thousand times as much.",
        "https://keras.io/api/optimizers/adadelta/",
    ),
    "as posted": Advice(
        "Compare with a network that is known to stand still like this: bboxbench sweep --preset as_posted.",
        "The same symptoms, measured over many seeds, with what moved them.",
        _finding("as-posted"),
    ),
    "batch normalisation": Advice(
        "If a pretrained part is frozen, call it with training=False.",
        "Batch normalisation that uses the batch's own statistics in training gives other outputs in predict().",
        "https://keras.io/api/layers/normalization_layers/batch_normalization/",
    ),
    "overfit ten": Advice(
        "Overfit ten pictures first, without dropout.",
        "If the loss does not go to nearly 0 there, the fault lies in the code or the rate, not in the amount of data.",
        "https://karpathy.github.io/2019/04/25/recipe/",
    ),
    "draw what enters": Advice(
        "Draw pictures with their boxes as they enter fit(), after every shuffle and augmentation.",
        "Pictures and boxes that got out of step leave nothing to learn but the mean box.",
        "https://karpathy.github.io/2019/04/25/recipe/",
    ),
    "training pictures": Advice(
        "Diagnose the predictions on the training pictures, too. If those are right, more pictures help, not epochs.",
        "A few thousand pictures are learnt by heart.",
        _finding("amount-of-data"),
    ),
    "ceiling": Advice(
        "Know how far it can go: what IoU is left if every edge is off by two pixels?",
        "Small boxes lose their IoU to errors that nobody would see.",
        _finding("ceiling"),
    ),
    "seeds": Advice(
        "Train with several seeds before you believe it, or compare it.",
        "The same setting can converge with one seed and ignore the picture with the next.",
        _finding("which-cells-converge"),
    ),
    "guard": Advice(
        "Guard every logarithm, root and division of the loss, before it is computed and not by where() behind it.",
        "log(0) and 0/0 of boxes that do not overlap turn all weights into NaN in one step.",
        "https://docs.jax.dev/en/latest/faq.html#gradients-contain-nan-where-using-where",
    ),
    "those inputs": Advice(
        "Look at the pictures of those rows: NaN, infinity, or a picture divided by its own spread that has none.",
        "The other boxes are finite, so the weights are: what is not finite came in with the picture.",
        "https://karpathy.github.io/2019/04/25/recipe/",
    ),
    "dead output": Advice(
        "Take the ReLU, if one is there, from the last layer. Look whether predictions were stored at all.",
        "A ReLU that is below 0 for every picture gives 0 and passes on no gradient: it stays dead.",
        "https://arxiv.org/abs/1903.06733",
    ),
    "clip": Advice(
        "Clip the gradient: clipnorm=1.0 in the optimizer.",
        "One batch with a steep gradient is enough to throw the weights away.",
        "https://arxiv.org/abs/1211.5063",
    ),
    "stop": Advice(
        "Stop at once: keras.callbacks.TerminateOnNaN(), and look at the batch before.",
        "After one NaN all later weights are NaN.",
        "https://keras.io/api/callbacks/terminate_on_nan/",
    ),
}
"""Every piece of advice by its name."""

_BY_SYMPTOM = {
    "pinned": ("lower rate", "centre and size", "wide start", "coordinates first", "pinned"),
    "inverted": ("centre and size", "wide start", "lower rate", "coordinates first"),
    "constant": ("overfit ten", "saturation", "batch normalisation", "adadelta", "as posted"),
}
_BY_OUTCOME = {
    "diverged": ("guard", "lower rate", "clip", "stop"),
    "converged": ("seeds",),
    "learning": ("training pictures", "tune rate", "ceiling", "seeds"),
    "blind": ("overfit ten", "draw what enters", "training pictures", "initializer", "tune rate"),
}


def exploded(evidence: Evidence) -> bool:
    """Whether the predictions lie so far away that no picture, however bad the network, explains it."""
    reach = max(abs(side.predicted_mean) + side.predicted_std for side in evidence.sides)
    return reach > EXPLODED * max(side.edges[-1] for side in evidence.sides)


def dead(evidence: Evidence) -> bool:
    """Whether every predicted number is 0."""
    return all(side.predicted_mean == side.predicted_std == 0 for side in evidence.sides)


def advise(evidence: Evidence, mistake: Mistake | None, ceiling: float, finite: bool = True) -> tuple[Advice, ...]:
    """What to try, most promising first, at most `MOST`.

    A mistake comes first, and alone where undoing it mends the predictions: advice on training would mislead.

    Args:
        evidence: on the predictions.
        mistake: what was found, if anything.
        ceiling: box accuracy that small errors would leave.
        finite: whether every loss and weight of the training stayed finite.
    """
    m = evidence.measures
    if mistake is not None:
        found = [Advice(mistake.remedy, mistake.text, mistake.source)]
        if mistake.certain:
            return tuple(found)
        names: tuple[str, ...] = ("draw what enters",)
    else:
        found = []
        names = _BY_OUTCOME["diverged"] if m.outcome == "diverged" else ()
        if finite and 0 < evidence.not_finite < 1:
            names = ("those inputs",)
        elif not names and exploded(evidence):
            names = ("lower rate", "clip", "overfit ten")
        elif not names and dead(evidence):
            names = ("dead output", "saturation", "overfit ten")
        if not names and m.outcome != "converged":
            clings = m.outcome == "blind" and any((side.pinned or 0.0) >= CLINGING for side in evidence.sides)
            # Where no true side moves, spread says nothing.
            constant = m.symptom == "constant" and not any(side.moves for side in evidence.sides)
            symptom = "" if constant else m.symptom
            names = _BY_SYMPTOM.get(symptom or ("pinned" if clings else ""), ())
            if m.outcome == "learning" and not names and m.size_error_px > OVERSIZED * m.centre_error_px:
                names = ("coordinates first", "lower rate", "training pictures", "seeds")
        names = names or _BY_OUTCOME[m.outcome]
    if ceiling >= CLOSE:
        names = tuple(name for name in names if name != "ceiling")
    if evidence.keras_accuracy - m.box_accuracy >= TRAP_GAP:
        names = (*names[: MOST - len(found) - 1], "metric")
    return tuple([*found, *(ADVICE[name] for name in names)][:MOST])
