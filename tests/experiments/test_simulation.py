"""The simulation against what the paper says of its cases, and against its steps written out in NumPy."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bboxbench.errors import InputError
from bboxbench.experiments.simulation import resolve_loss, simulate
from bboxbench.experiments.simulation_cases import SimulationSpec, case_sizes, draw_points, learning_rates

Array = npt.NDArray[np.float64]


def spec(*losses: str, points: int = 8, steps: int = 20, seed: int = 0) -> SimulationSpec:
    return SimulationSpec(losses, points, steps, seed)


def moved(loss: str, **numbers: int) -> Any:
    return simulate(resolve_loss(loss), spec(loss, **numbers))


def test_the_default_is_the_papers_count_of_cases() -> None:
    assert SimulationSpec().cases == 1_715_000
    assert SimulationSpec().steps == 200


def test_anchors_have_the_papers_areas_and_ratios_and_targets_area_1() -> None:
    anchors, targets = (sizes.astype(float) for sizes in case_sizes())
    assert len({(*a, *t) for a, t in zip(anchors, targets, strict=True)}) == 343
    assert sorted(set((anchors[:, 0] * anchors[:, 1]).round(4))) == [0.5, 0.67, 0.75, 1.0, 1.33, 1.5, 2.0]
    ratios = [round(ratio, 4) for ratio in (1 / 4, 1 / 3, 1 / 2, 1.0, 2.0, 3.0, 4.0)]
    for sizes in (anchors, targets):
        assert sorted(set((sizes[:, 0] / sizes[:, 1]).round(4))) == ratios
    np.testing.assert_allclose(targets[:, 0] * targets[:, 1], 1, rtol=1e-6)


def test_points_are_uniform_on_the_disc_by_area_in_all_directions() -> None:
    offset = draw_points(20_000, seed=3).astype(float) - 10
    # Area inside a radius grows with its square; the largest gap of a uniform sample of n is below 1.63 / sqrt(n) in 99
    # of 100 samples (Kolmogorov and Smirnov), and the seed is fixed.
    shares = [(offset**2).sum(axis=1) / 9, np.arctan2(offset[:, 1], offset[:, 0]) / (2 * np.pi) % 1]
    for share in shares:
        gap = np.abs(np.sort(share) - (np.arange(20_000) + 0.5) / 20_000).max()
        assert gap < 1.63 / np.sqrt(20_000)
    crowded = np.sqrt(shares[0])
    assert np.abs(np.sort(crowded) - (np.arange(20_000) + 0.5) / 20_000).max() > 0.2


def test_points_are_a_function_of_their_seed_and_place() -> None:
    np.testing.assert_array_equal(draw_points(10, 1), draw_points(50, 1)[:10])
    assert (draw_points(10, 1) != draw_points(10, 2)).all()
    np.testing.assert_array_equal(draw_points(1, 0), np.array([[10.727597, 12.117084]], np.float32))


def test_the_rate_falls_after_eight_and_nine_tenths_of_the_steps() -> None:
    for steps in (10, 200):
        rates = learning_rates(steps).round(6)
        assert rates[: 8 * steps // 10].tolist() == [pytest.approx(0.1)] * (8 * steps // 10)
        assert rates[8 * steps // 10 : 9 * steps // 10].tolist() == [pytest.approx(0.01)] * (steps // 10)
        assert rates[9 * steps // 10 :].tolist() == [pytest.approx(0.001)] * (steps // 10)
    assert learning_rates(1).tolist() == [pytest.approx(0.001)]


class Reference:
    """The experiment in NumPy, float64, one derivative of each loss written out by hand.

    ``published`` takes the derivatives of the paper's own code (github.com/Zzh-tju/DIoU, be008414, `simulation
    experiment`), which differ from those of the losses in the places that are marked.
    """

    def __init__(self, points: int, steps: int, published: bool = False) -> None:
        anchors, targets = (np.tile(sizes.astype(float), (points, 1)).T for sizes in case_sizes())
        x, y = np.repeat(draw_points(points, 0).astype(float), 343, axis=0).T
        self.start, self.target = np.stack([x, y, *anchors]), np.stack([x * 0 + 10, y * 0 + 10, *targets])
        self.steps, self.published = steps, published

    def errors(self, loss: str) -> Array:
        """Of every case before the first step and after each, shape (steps + 1, cases)."""
        box, found = self.start, [np.abs(self.start - self.target).sum(axis=0)]
        for rate in learning_rates(self.steps).astype(float):
            slope, iou = getattr(self, loss)(box)
            box = box - rate * (2 - iou) * slope
            found.append(np.abs(box - self.target).sum(axis=0))
        return np.array(found)

    def mse(self, box: Array) -> tuple[Array, Array]:
        # Corners are x -+ w/2: the mean of their squared differences is (dx^2 + dy^2)/2 + (dw^2 + dh^2)/8.
        return (box - self.target) * np.array([[1], [1], [0.25], [0.25]]), self.geometry(box)[-1]

    def geometry(self, box: Array) -> tuple[Array, ...]:
        (x, y, w, h), (gx, gy, gw, gh) = box, self.target
        self.p, self.g = (
            np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]),
            np.array([gx - gw / 2, gy - gh / 2, gx + gw / 2, gy + gh / 2]),
        )
        wide, high = (np.minimum(self.p[i + 2], self.g[i + 2]) - np.maximum(self.p[i], self.g[i]) for i in (0, 1))
        apart = (wide <= 0) | (high <= 0)
        iou = np.where(apart, 0, wide * high / (w * h + gw * gh - wide * high))
        if not self.published:  # published: without overlap the intersection is still the product, of either sign
            wide, high = np.where(apart, 0, wide), np.where(apart, 0, high)
        return apart, wide, high, iou

    def by_sides(self, box: Array) -> tuple[Array, ...]:
        """Derivatives by left, top, right, bottom of the IoU and of the union."""
        apart, wide, high, iou = self.geometry(box)
        w, h = box[2:]
        inner = self.p[:2] > self.g[:2], self.p[2:] < self.g[2:]
        i = np.array([-high * inner[0][0], -wide * inner[0][1], high * inner[1][0], wide * inner[1][1]])
        u = np.array([-h, -w, h, w]) - i
        union = w * h + self.target[2] * self.target[3] - wide * high
        return np.where(apart, 0, (union * i - wide * high * u) / union**2), u, union, iou

    def to_box(self, sides: Array) -> Array:
        """From sides to x, y, w, h. Published: w and h twice."""
        half = 1.0 if self.published else 0.5
        return np.array(
            [sides[0] + sides[2], sides[1] + sides[3], half * (sides[2] - sides[0]), half * (sides[3] - sides[1])]
        )

    def enclosing(self) -> tuple[Array, Array, Array]:
        """Width, height and which sides (left, top, right, bottom) the prediction gives."""
        low, high = np.minimum(self.p[:2], self.g[:2]), np.maximum(self.p[2:], self.g[2:])
        return *(high - low), np.concatenate([self.p[:2] < self.g[:2], self.p[2:] > self.g[2:]]).astype(float)

    def giou(self, box: Array) -> tuple[Array, Array]:
        iou_by, union_by, union, iou = self.by_sides(box)
        wide, high, own = self.enclosing()
        c, c_by = wide * high, own * np.array([-high, -wide, high, wide])
        return -self.to_box(iou_by + (c * union_by - union * c_by) / c**2), iou

    def diou(self, box: Array) -> tuple[Array, Array]:
        iou_by, _, _, iou = self.by_sides(box)
        wide, high, own = self.enclosing()
        offset = box[:2] - 10
        c, d = wide**2 + high**2, (offset**2).sum(axis=0)
        by_centre, by_size = own[2:] - own[:2], (own[2:] + own[:2]) / 2
        if self.published:  # both sides of C are given the same derivatives, but -1 where the prediction encloses
            wide_by = np.where(own[0] * own[2] > 0, -1.0, by_size[0])
            high_by = np.where(own[1] * own[3] > 0, -1.0, by_size[1])
            c_by = np.array(
                [
                    # and the sign of the enclosing box's term is the other one
                    -2 * (wide + high) * by_centre[0],
                    -2 * (wide + high) * by_centre[1],
                    2 * wide * wide_by + 2 * high * by_size[0],
                    2 * wide * by_size[1] + 2 * high * high_by,
                ]
            )
        else:
            c_by = 2 * np.array([wide * by_centre[0], high * by_centre[1], wide * by_size[0], high * by_size[1]])
        distance_by = np.array([2 * offset[0], 2 * offset[1], 0 * d, 0 * d]) / c - d * c_by / c**2
        return distance_by - self.to_box(iou_by), iou


@pytest.mark.parametrize(
    ("loss", "exactly", "tolerance"),
    # giou and diou have a kink where sides meet: there the last bit of a float32 decides the way of a case for a while.
    [("mse", 101, 1e-3), ("giou", 11, 0.05), ("diou", 11, 0.05)],
)
def test_every_step_is_the_one_written_out_by_hand(loss: str, exactly: int, tolerance: float) -> None:
    expected = Reference(8, 200).errors(loss)
    sums = expected.sum(axis=1)
    found = moved(loss, steps=200)
    np.testing.assert_allclose(found.error_sum[:exactly], sums[:exactly], rtol=1e-4)
    np.testing.assert_allclose(found.error_sum, sums, rtol=tolerance)
    np.testing.assert_allclose(found.quantiles, np.quantile(expected[-1], [0.5, 0.95]), rtol=tolerance)


def test_giou_falls_far_behind_diou_only_with_the_derivatives_of_the_papers_code() -> None:
    exact, published = (Reference(20, 200, published) for published in (False, True))
    assert published.errors("giou")[-1].mean() > 100 * published.errors("diou")[-1].mean()
    assert exact.errors("giou")[-1].mean() < exact.errors("diou")[-1].mean()


def fields(found: Any) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(found).items() if name != "seconds"}


def test_neither_chunks_nor_threads_change_a_bit() -> None:
    loss, what = resolve_loss("giou"), spec("giou", points=50, steps=40)
    first = fields(simulate(loss, what, threads=1, chunk=16))
    for threads, chunk in ((2, 32), (1, 64)):
        again = fields(simulate(loss, what, threads=threads, chunk=chunk))
        for name, value in first.items():
            np.testing.assert_array_equal(value, again[name], err_msg=f"{name}, chunks of {chunk}")


def test_a_chunk_that_is_no_multiple_of_a_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="16 points or a multiple"):
        simulate(resolve_loss("mse"), spec("mse"), chunk=17)


def test_iou_stays_where_boxes_are_disjoint_and_giou_does_not() -> None:
    reference = Reference(8, 1)
    apart = reference.geometry(reference.start)[0].mean()
    assert 0.5 < apart < 1
    iou, giou = moved("iou", steps=200), moved("giou", steps=200)
    cases = 8 * 343
    # All that are disjoint, and of the others none.
    assert iou.point_unmoved.sum() / cases == pytest.approx(apart)
    assert giou.point_unmoved.sum() == 0
    assert giou.point_converged.sum() > 0.9 * cases > iou.point_converged.sum()
    assert giou.error_sum[-1] < 0.1 * iou.error_sum[-1]


def test_cases_that_are_not_finite_stay_in_the_count_and_out_of_the_means() -> None:
    found = moved("iou_unguarded")
    lost = 1 - found.finite[-1] / (8 * 343)
    reference = Reference(8, 1)
    # A disjoint box has a gradient that is not a number, and is lost with its first step.
    assert lost >= reference.geometry(reference.start)[0].mean()
    assert found.finite[0] == 8 * 343
    assert found.finite[1] < 8 * 343
    assert np.isfinite(found.error_sum).all()
    assert found.point_finite.sum() == found.finite[-1]
    assert np.isnan(found.point_error[found.point_finite == 0]).all()
    assert np.isfinite(found.point_error[found.point_finite > 0]).all()
    assert found.point_unmoved.sum() == 0


OWN = """
import keras

SEEN = []

def corners_only(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

def with_format(y_true, y_pred, bounding_box_format="xyxy"):
    SEEN.append(bounding_box_format)
    return keras.ops.sum(keras.ops.abs(y_true - y_pred), axis=-1)

class Own(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

def one_number(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred))

def flat(y_true, y_pred):
    return keras.ops.sum(y_true, axis=-1)

def raises(y_true, y_pred):
    raise RuntimeError("on purpose")
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_simulated_losses.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "own_simulated_losses"


def test_a_loss_of_ones_own_that_knows_no_format_is_given_corners(own: str) -> None:
    expected = fields(moved("mse"))
    for name in ("corners_only", "Own"):
        found = fields(moved(f"{own}:{name}"))
        np.testing.assert_allclose(found["error_sum"], expected["error_sum"], rtol=1e-5)
    assert not resolve_loss(f"{own}:corners_only").takes_format
    assert resolve_loss(f"{own}:with_format").takes_format
    assert sys.modules[own].SEEN[-1] == "center_xywh"


@pytest.mark.parametrize("name", ["one_number", "flat", "raises", "nowhere"])
def test_a_loss_that_cannot_be_followed_is_one_line_that_names_it(own: str, name: str) -> None:
    with pytest.raises(InputError, match=name) as error:
        resolve_loss(f"{own}:{name}")
    assert "\n" not in str(error.value)


def test_a_loss_that_xla_cannot_compile_is_one_line_that_names_it() -> None:
    class LeavesTensorFlow:
        def call(self, _: Any, y_pred: Any) -> Any:
            return np.asarray(y_pred).sum(axis=-1)

    loss = dataclasses.replace(resolve_loss("mse"), made=LeavesTensorFlow())
    with pytest.raises(InputError, match="'mse' cannot be compiled by XLA") as error:
        simulate(loss, spec("mse"))
    assert "\n" not in str(error.value)


def test_another_format_is_refused_and_the_same_changes_nothing() -> None:
    with pytest.raises(InputError, match=r"'xyxy'\. Leave it out"):
        resolve_loss("giou(bounding_box_format='xyxy')")
    same = resolve_loss("giou(bounding_box_format='center_xywh')")
    assert (same.name, same.identity) == (resolve_loss("giou").name, resolve_loss("giou").identity)
