"""The parts of docs/losses.md that are written by hand; `losses_page` puts them together with what the losses say."""

from __future__ import annotations

FAMILIES = {
    "Coordinates": "Compare the four corners, one by one. They pull wherever the box is, and count an error of a large box "
    "and of a small one alike.",
    "Centre and size": "The same for centre, width and height.",
    "IoU": "The overlap alone: the same in any unit, and nothing to follow where boxes do not overlap.",
    "Enclosing box and distance": "The overlap, and penalties that are left when there is none.",
    "Reweighted": "Other losses with some boxes counting more, or with the overlap of other boxes.",
    "Gaussian": "Boxes as normal distributions, which reach everywhere.",
}
"""The families in the order of the page, each in a sentence."""

TITLES = [
    "Which one should I use",
    "A complete example",
    "What holds for all",
    "Formats",
    "Properties",
    "Composing",
    "Units",
    "The running mean of Wise-IoU",
    "A loss of your own",
]
"""The sections before the losses."""

HEAD = """\
# Box losses for any Keras project

A loss tells a network how wrong its bounding boxes are; these tell it in ways that are documented down to the awkward
cases, because that is where box networks stop learning. Each is a class for `compile` and a function that gives one
value a box; `y_true` comes first.

![The value of every loss as a box slides past its target](images/losses/overview.png)

Each curve is a share of its largest finite value. Where it is orange, no step brings the box nearer; where it is red
and dotted, a step leads away.
"""

EXAMPLE = """\
## A complete example

Nothing here knows bboxbench but the two imports. It takes a few seconds on one core.

```python
import keras
import numpy as np

from bboxbench.losses import GIoULoss
from bboxbench.metrics import BoxAccuracy

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)

# 3,000 pictures of 32 x 32, one bright rectangle in each; its box is (xmin, ymin, xmax, ymax) divided by 32.
low = rng.integers(0, 20, (3000, 2))
corners = np.concatenate([low, low + rng.integers(6, 13, (3000, 2))], axis=1)
pictures = np.zeros((3000, 32, 32, 1), "float32")
for picture, (xmin, ymin, xmax, ymax) in zip(pictures, corners):
    picture[ymin:ymax, xmin:xmax] = 1
boxes = (corners / 32).astype("float32")

model = keras.Sequential(
    [
        keras.Input((32, 32, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(4, activation="sigmoid"),
    ]
)
# Begin with a wide box, (1/4, 1/4, 3/4, 3/4): a box without area gives an overlap loss nothing to follow.
weights, bias = model.layers[-1].get_weights()
model.layers[-1].set_weights([weights, np.array([-1.1, -1.1, 1.1, 1.1])])

model.compile(optimizer="adam", loss=GIoULoss(), metrics=[BoxAccuracy(threshold=0.5)])
model.fit(pictures[:2500], boxes[:2500], batch_size=50, epochs=10, verbose=0)
loss, accuracy = model.evaluate(pictures[2500:], boxes[2500:], verbose=0)
print(f"loss {loss:.2f}, {accuracy:.0%} of 500 new boxes have IoU 0.5 or more")
```

```text
loss 0.17, 99% of 500 new boxes have IoU 0.5 or more
```

Write `BoxAccuracy` where you would write `"accuracy"`: on four outputs Keras's `"accuracy"` compares which coordinate
is the largest, and can read 90 % while no box is right.

A saved model that was compiled with one of these loads in another process once `bboxbench.losses` and
`bboxbench.metrics` are imported there: that is what makes the names known to Keras for
loading. `compile` takes the object, `loss=GIoULoss()`; a name such as `"giou"` is for the command line and
`bboxbench.losses.get`.
"""

CONTRACTS = """\
## What holds for all

- All but `iou_unguarded` have a finite value and gradient for all finite boxes with coordinates up to 1e4. That one is
  here to be watched breaking.
- Widths and heights that go into an area clamp at 0; corners are never sorted.
- Half precision and integers are computed in float32. Float64 stays float64 in the functions, and in the classes with
  `dtype="float64"`.
- Boxes may have any leading axes: `(B, 4)`, `(B, N, 4)`. `y_true` must have the shape of `y_pred` or broadcast to it;
  `(B, 1, 4)` against `(B, 4)` is refused, since it would compare every box with every other.
- A sample weight of shape `(B,)` counts for all N boxes of a sample. Where it is 0, the true box may be NaN.
- Every class takes `bounding_box_format`, `reduction`, `name` and `dtype` beside its own parameters, and keeps all of
  them in `get_config`.

## Formats

`bounding_box_format` takes Keras's names, for `y_true` and `y_pred` alike: `xyxy` (the default), `yxyx`, `xywh`,
`center_xywh`, `center_yxhw`, and each with `rel_` before it. Boxes become corners before anything is computed.
Coordinates are used as given: `rel_` only says that you have divided them by the picture's width and height, and
changes no number.

```python
from bboxbench.losses import giou_loss

right_half = giou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 2.0, 4.0], bounding_box_format="xywh")
print(float(right_half))
```

```text
0.5
```
"""

COLUMNS = """\
## Properties

Every entry is a claim, about boxes with sides from 1/2 to 2 whose centres are up to 10 apart, at the default
parameters. The tests hold every claim on random boxes, and have a counterexample for every denial.

- **Zero iff equal**: 0 for two equal boxes, and for no others.
- **At most**: no value is larger, to 4 digits; "none" where there is no bound.
- **Monotone**: it never falls while the predicted box moves straight away from the true one's centre, in any direction.
- **Pull without overlap**: a small step against the gradient brings a box beside its target nearer. "yes": always;
  "fades": until the pull is below 1e-6, some sizes away; "no": there are boxes that get no pull, or are pushed away.
- **Any unit**: the same in pixels and in coordinates from 0 to 1, as long as areas exceed eps.
- **Any place**: the same wherever the pair of boxes lies.
- **Symmetric**: the same with true and predicted box exchanged.
- **Unit**: what the defaults are made for, see [units](#units).
- **Inverted**: what a step does to a prediction with xmax < xmin or ymax < ymin inside its target. It "turns" round,
  "moves" otherwise, or "stays" for ever.
- **Point**: what a step does to a prediction with neither width nor height inside its target. It "grows", "moves"
  otherwise, "stays", or "breaks": every coordinate becomes NaN.
"""

COMPOSING = """\
## Composing

Most losses are `1 - IoU + penalties`. Three change the parts of another one: `AlphaIoULoss` raises each to a power,
`InnerIoULoss` and `FocalerIoULoss` put another overlap in the place of IoU and keep the penalties. `base` is a name, or
a loss with its own parameters; they go round each other as well, and are saved with all their parts. On a command line
a base is a name, with its default parameters: `"alpha_iou(base=ciou,alpha=2)"`.

```python
from bboxbench.losses import AlphaIoULoss, CIoULoss, FocalerIoULoss, InnerIoULoss

powered = AlphaIoULoss(base=CIoULoss(eps=1e-6), alpha=2.0)
inner = InnerIoULoss(base="siou", ratio=0.8)
both = FocalerIoULoss(base=InnerIoULoss(base="giou"), u=0.9)
for loss in (powered, inner, both):
    print(f"{float(loss([[0.0, 0.0, 4.0, 4.0]], [[1.0, 0.0, 5.0, 4.0]])):.3f}")
```

```text
0.641
0.515
0.444
```
"""

WISE = """\
## The running mean of Wise-IoU

`WIoUv2Loss` and `WIoUv3Loss` weigh a box by how poor it is among its like, so they need the mean of 1 - IoU in
training. It is `iou_mean`, a plain number of the loss that `get_config` keeps; the callback `WIoUMean` renews it after
each epoch.

```python
from bboxbench.losses import WIoUMean, WIoUv3Loss
from bboxbench.metrics import MeanBoxIoU

model.compile(optimizer="adam", loss=WIoUv3Loss(), metrics=[MeanBoxIoU()])
model.fit(pictures[:2500], boxes[:2500], batch_size=50, epochs=3, verbose=0, callbacks=[WIoUMean()])
print(f"{model.loss.iou_mean:.2f}")
```

```text
0.18
```

The authors' code keeps it in a variable inside the loss. In Keras such a variable is not among the model's: it is lost
on saving, JAX freezes it at its first value, and `evaluate` changes it. A number is part of the compiled step instead,
so each epoch compiles it anew: some seconds for a large model. `bboxbench sweep` runs no callback: there `iou_mean`
stays as it is given.
"""

OWN = """\
## A loss of your own

On a command line, in a spec and in `get`, `package.module:Name` stands where a name does. `Name` is a
`keras.losses.Loss` class, or a function `(y_true, y_pred)` that gives one value a box. Say this is the file
`distances.py`:

<!-- file: distances.py -->
```python
import keras


def taxicab(y_true, y_pred, weight=1.0):
    return weight * keras.ops.sum(keras.ops.abs(y_true - y_pred), axis=-1)
```

```python
from bboxbench import losses

loss = losses.get("distances:taxicab", weight=0.5)
print(float(loss([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
```

```text
1.0
```

A function that forgets `axis=-1` and gives one number for the whole batch is refused. What else is found on arrival,
how a loss of your own stands beside others, and how a package offers its own: [extending.md](extending.md).
"""

LETTERS = """\
## Every loss

Letters in the formulas, true boxes with a small t:

- I, U: area of intersection and union; A, B: of the two boxes; C: of the smallest box round both, C_w and C_h its width
  and height, c its diagonal. IoU is I/U; w_i and h_i are the intersection's width and height. eps is 1e-7.
- d: the difference of one coordinate; d_1, d_2: the distances of the two top left and the two bottom right corners.
- dx, dy: offset of the centres, rho its length (sigma in `siou`); dx_1, dx_2 and dy_1, dy_2: of the left and right, top
  and bottom sides. w, h: width and height; dw, dh: their differences.

Each picture has a loss twice: on the left a box of its target's size slides past it, on the right a square grows on its
target's centre, from inverted to three times its side; the sketches below show both. Under each curve is the gradient
of the centre or of the size, per side of the true box: green where a step against it leads to the target, red and
hatched where it leads away, orange where there is none. Where it is very steep it leaves the picture. Some losses hold
a factor constant: their gradient is not the slope of the curve.
"""
