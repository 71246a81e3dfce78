"""Files of predictions as people keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bboxbench.boxes import from_xyxy
from bboxbench.errors import CannotRead, InputError
from bboxbench.experiments.diagnosis.reading import EXAMPLE, read_pairs

TRUE = np.array([[20, 10, 60, 40], [100, 30, 130, 90], [5, 6, 27, 38]], float)
PRED = np.array([[22, 11, 58, 44], [90, 20, 140, 95], [9, 2, 31, 40]], float)
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def csv(path: Path, heading: str, true: np.ndarray = TRUE, pred: np.ndarray = PRED, separator: str = ",") -> Path:
    rows = [separator.join(f"{value:g}" for value in row) for row in np.concatenate([true, pred], axis=1)]
    path.write_text("\n".join([heading, *rows] if heading else rows) + "\n", encoding="utf-8")
    return path


def assert_read(path: Path, box_format: str = "xyxy", true: np.ndarray = TRUE, pred: np.ndarray = PRED) -> None:
    pairs = read_pairs(path)
    np.testing.assert_allclose(pairs.y_true, true)
    np.testing.assert_allclose(pairs.y_pred, pred)
    assert (pairs.box_format, pairs.notes) == (box_format, ())


def test_a_format_is_guessed_only_where_the_heading_does_not_say_it(tmp_path: Path) -> None:
    assert not read_pairs(csv(tmp_path / "p.csv", HEADINGS[0])).guessed
    assert read_pairs(csv(tmp_path / "p.csv", HEADINGS[5])).guessed


HEADINGS = [
    "true_xmin,true_ymin,true_xmax,true_ymax,pred_xmin,pred_ymin,pred_xmax,pred_ymax",
    "xmin,ymin,xmax,ymax,pred_xmin,pred_ymin,pred_xmax,pred_ymax",
    "xmin,ymin,xmax,ymax,xmin_pred,ymin_pred,xmax_pred,ymax_pred",
    "true_xmin,true_ymin,true_xmax,true_ymax,xmin,ymin,xmax,ymax",
    "xmin,ymin,xmax,ymax,xmin,ymin,xmax,ymax",
    "y_true_0,y_true_1,y_true_2,y_true_3,y_pred_0,y_pred_1,y_pred_2,y_pred_3",
    "true_1,true_2,true_3,true_4,predicted_1,predicted_2,predicted_3,predicted_4",
    "gt_x1,gt_y1,gt_x2,gt_y2,x1_hat,y1_hat,x2_hat,y2_hat",
    "target_x0,target_y0,target_x1,target_y1,output_x0,output_y0,output_x1,output_y1",
    "TrueXMin,TrueYMin,TrueXMax,TrueYMax,PredXMin,PredYMin,PredXMax,PredYMax",
    "True left,True top,True right,True bottom,Pred left,Pred top,Pred right,Pred bottom",
    "truth_box_xmin,truth_box_ymin,truth_box_xmax,truth_box_ymax,p_xmin,p_ymin,p_xmax,p_ymax",
    "",
    "0,1,2,3,4,5,6,7",
]


@pytest.mark.parametrize("heading", HEADINGS)
def test_columns_are_found_by_their_names(tmp_path: Path, heading: str) -> None:
    assert_read(csv(tmp_path / "p.csv", heading))


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_other_separators_are_read(tmp_path: Path, separator: str) -> None:
    assert_read(csv(tmp_path / "p.csv", HEADINGS[0].replace(",", separator), separator=separator))


def test_columns_in_any_order_and_beside_others_are_found(tmp_path: Path) -> None:
    frame = pd.DataFrame({"file": ["a.png", "b.png", "c.png"], "width": 200, "height": 100})
    for k in (3, 1, 0, 2):
        frame[f"pred_{CORNERS[k]}"] = PRED[:, k]
        frame[f"true_{CORNERS[k]}"] = TRUE[:, k]
    frame.to_csv(tmp_path / "p.csv")  # with pandas's own index in front
    assert_read(tmp_path / "p.csv")


@pytest.mark.parametrize("heading", ["", HEADINGS[0].replace(",", " ")])
def test_what_numpy_writes_left_to_itself_is_read(tmp_path: Path, heading: str) -> None:
    np.savetxt(tmp_path / "p.txt", np.concatenate([TRUE, PRED], axis=1), header=heading)
    assert_read(tmp_path / "p.txt")


def test_what_pandas_writes_of_a_frame_without_names_is_read(tmp_path: Path) -> None:
    pd.DataFrame(np.concatenate([TRUE, PRED], axis=1)).to_csv(tmp_path / "p.csv")
    assert_read(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("names", "box_format"),
    [
        ("x y w h", "xywh"),
        ("xmin ymin width height", "xywh"),
        ("left top w h", "xywh"),
        ("cx cy w h", "center_xywh"),
        ("x_center y_center width height", "center_xywh"),
    ],
)
def test_names_of_a_size_tell_the_format(tmp_path: Path, names: str, box_format: str) -> None:
    heading = ",".join(f"{kind}_{name}" for kind in ("true", "pred") for name in names.split())
    true, pred = from_xyxy(TRUE, box_format), from_xyxy(PRED, box_format)
    assert_read(csv(tmp_path / "p.csv", heading, true, pred), box_format, true, pred)


def test_corners_beside_sizes_come_in_one_format(tmp_path: Path) -> None:
    heading = "true_xmin,true_ymin,true_xmax,true_ymax,pred_cx,pred_cy,pred_w,pred_h"
    assert_read(csv(tmp_path / "p.csv", heading, TRUE, from_xyxy(PRED, "center_xywh")))


def test_numbers_up_to_1_are_relative(tmp_path: Path) -> None:
    size = [200, 100, 200, 100]
    assert_read(csv(tmp_path / "p.csv", HEADINGS[0], TRUE / size, PRED / size), "rel_xyxy", TRUE / size, PRED / size)


def test_the_format_that_is_asked_for_says_what_unnamed_numbers_are(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", HEADINGS[5])
    assert read_pairs(path, "yxyx")[2:] == ("yxyx", False, ())
    assert read_pairs(path, "rel_center_xywh")[2:] == ("rel_center_xywh", False, ())


def test_x_y_w_h_may_be_meant_by_their_centre(tmp_path: Path) -> None:
    heading = "true_x,true_y,true_w,true_h,pred_x,pred_y,pred_w,pred_h"
    pairs = read_pairs(csv(tmp_path / "p.csv", heading), "center_xywh")
    assert pairs.box_format == "center_xywh"
    np.testing.assert_array_equal(pairs.y_true, TRUE)


def test_named_corners_are_taken_by_name_whatever_their_order(tmp_path: Path) -> None:
    heading = "true_ymin,true_xmin,true_ymax,true_xmax,pred_ymin,pred_xmin,pred_ymax,pred_xmax"
    order = [1, 0, 3, 2]
    pairs = read_pairs(csv(tmp_path / "p.csv", heading, TRUE[:, order], PRED[:, order]), "yxyx")
    np.testing.assert_array_equal(pairs.y_true, TRUE)
    assert pairs.box_format == "xyxy"


@pytest.mark.parametrize("name", ["xywh", "center_xywh", "center_yxhw", "rel_xywh"])
def test_a_format_that_is_asked_for_beats_the_heading_and_is_said_to(tmp_path: Path, name: str) -> None:
    true, pred = (from_xyxy(each, name, 200, 100) for each in (TRUE, PRED))
    pairs = read_pairs(csv(tmp_path / "p.csv", HEADINGS[0], true, pred), name)
    np.testing.assert_allclose(pairs.y_true, true, rtol=1e-4)
    np.testing.assert_allclose(pairs.y_pred, pred, rtol=1e-4)
    assert pairs[2:] == (name, False, (f"The columns are named as xyxy, and read as {name}, as asked for.",))


@pytest.mark.parametrize("heading", [HEADINGS[0], ""])
@pytest.mark.parametrize("empty", ["", "NA", "null"])
def test_empty_cells_of_predictions_are_no_numbers_and_those_of_true_boxes_are_named(
    tmp_path: Path, heading: str, empty: str
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{heading}\n1,2,3,4,{empty},{empty},{empty},{empty}\n1,2,3,4,5,6,7,8\n")
    np.testing.assert_array_equal(read_pairs(path).y_pred, [[np.nan] * 4, [5, 6, 7, 8]])
    path.write_text(f"{heading}\n1,2,3,4,5,6,7,8\n1,2,3,{empty},5,6,7,8\n")
    column = "true_ymax" if heading else "4"
    with pytest.raises(InputError, match=rf"a number in line 3 of .*, column {column}\. Received"):
        read_pairs(path)


def test_predictions_that_are_no_numbers_are_kept_as_such(tmp_path: Path) -> None:
    pred = PRED.copy()
    pred[1, 2], pred[2, 0] = np.nan, -np.inf
    assert_read(csv(tmp_path / "p.csv", HEADINGS[0], TRUE, pred), "xyxy", TRUE, pred)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Received an empty file"),
        (HEADINGS[0], "Received none"),
        ("a,b,c\n1,2,3\n", "Received: a, b, c"),
        ("1,2,3\n", "Received 3 numbers in the first row, no heading"),
        (f"{HEADINGS[0]}\n1,2,3,4,5,6,7,8\n1,2,x,4,5,6,7,8\n", "number in line 3 .*, column true_xmax. Received 'x'"),
        (f"{HEADINGS[0]}\n1,2,3,4,5\n", r"Expected 8 cells in line 2 .* Received 5 of 8\.$"),
        (f"{HEADINGS[0]}\n{'1,5,' * 7}1,5\n", "Received 16 of 8. Write decimals with a point"),
        (f"{'1,5;' * 7}1,5\n", "line 1 .* Received '1,5'. Write decimals with a point"),
        (f"{HEADINGS[0].replace(',', ';')}\n1,5;2;3;4;5;6;7;8\n", "Received '1,5'. Write decimals with a point"),
        (f"{HEADINGS[0][:50]}\n1,2,3,4\n", "Expected 8 columns a row"),
        (f"{HEADINGS[0].removesuffix(',pred_ymax')}\n1,2,3,4,5,6,7\n", "The predicted box has no ymax. Received: true"),
    ],
)
def test_a_file_that_holds_no_pairs_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=said) as refused:
        read_pairs(tmp_path / "p.csv")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (EXAMPLE.encode("utf-16"), "UTF-16"),
        (b"\x93NUMPY\x01\x00v", "an .npy file"),
        (b"\x89PNG\x00\x01", "a binary file"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(InputError, match=rf"Expected a CSV or .npz file. Received .*{said}"):
        read_pairs(tmp_path / "p")


def test_arrays_are_read_and_others_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", y_true=TRUE, y_pred=PRED.astype(np.float16))
    assert_read(tmp_path / "p.npz")
    np.savez(tmp_path / "q.npz", boxes=TRUE)
    with pytest.raises(InputError, match=r"arrays y_true and y_pred in .* Received: boxes"):
        read_pairs(tmp_path / "q.npz")
    (tmp_path / "torn.npz").write_bytes((tmp_path / "p.npz").read_bytes()[:200])
    with pytest.raises(InputError, match="to hold arrays of numbers"):
        read_pairs(tmp_path / "torn.npz")
    np.savez(tmp_path / "o.npz", y_true=np.array([object()]), y_pred=PRED)
    with pytest.raises(InputError, match="to hold arrays of numbers"):
        read_pairs(tmp_path / "o.npz")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotRead, match="does not exist"):
        read_pairs(tmp_path / "none.csv")


def test_the_example_is_a_file_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(EXAMPLE)
    assert read_pairs(tmp_path / "p.csv").y_true.shape == (3, 4)
