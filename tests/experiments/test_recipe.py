import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.errors import InputError
from bboxbench.experiments.recipe import Recipe, split_list, split_rate

values = st.one_of(st.integers(-1000, 1000), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text())
names = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True).filter(lambda name: name not in keyword.kwlist)


@given(name=names, parameters=st.dictionaries(names, values, max_size=3))
def test_a_recipe_is_read_as_it_is_written(name: str, parameters: dict[str, object]) -> None:
    recipe = Recipe(name, parameters)
    assert Recipe.parse(str(recipe), "loss") == recipe


@given(items=st.lists(st.builds(Recipe, names, st.dictionaries(names, st.integers(), max_size=3)), min_size=1))
def test_a_list_is_split_between_items_and_not_between_parameters(items: list[Recipe]) -> None:
    assert split_list(",".join(map(str, items))) == [str(item) for item in items]


@pytest.mark.parametrize(
    "text", ["", "mse(", "mse)", "mse(1)", "mse(x=)", "mse(x=y.z)", "mse(**{})", "a b", "mse(x=1)(y=2)", "mse(x=1,x=2)"]
)
def test_what_is_no_recipe_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(InputError, match="Expected"):
        Recipe.parse(text, "loss")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("adam:0.0005", ("adam", 0.0005)),
        ("adam:tuned", ("adam", "tuned")),
        ("adadelta", ("adadelta", None)),
        ("sgd(momentum=0.9):1e-2", ("sgd(momentum=0.9)", 0.01)),
        ("sgd(momentum=0.9)", ("sgd(momentum=0.9)", None)),
    ],
)
def test_the_learning_rate_stands_behind_a_colon(text: str, expected: tuple[str, float | str | None]) -> None:
    assert split_rate(text) == expected


@pytest.mark.parametrize("text", ["adam:", "adam:0", "adam:-1", "adam:nan", "adam:inf", "adam:fast"])
def test_a_rate_that_is_no_positive_number_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="learning rate above 0"):
        split_rate(text)
