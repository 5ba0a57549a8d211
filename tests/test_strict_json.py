"""JSON of numbers that need not be finite."""

import json
import math

import numpy as np
import pytest

from jaxsoftras import strict_json

CONTENT = {"a": [1, 2.5, -0.0, 1e-300, None, True, "NaN"], "b": {"ä": 2**70}, "c": []}


@pytest.mark.parametrize("indent", [None, 2])
def test_finite_content_is_that_of_json(indent):
    expected = json.dumps(CONTENT, indent=indent)
    assert strict_json.dumps(CONTENT, indent=indent) == expected


@pytest.mark.parametrize("value", [math.nan, -math.inf, np.float64("nan"), np.inf])
@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: [[x]], lambda x: (x,), lambda x: {"a": {"b": x}}]
)
def test_numbers_that_are_not_finite_are_null(wrap, value):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    text = strict_json.dumps(wrap(value))
    found = json.loads(text, parse_constant=refuse)
    assert found == json.loads(json.dumps(wrap(None)))


def test_the_content_stays_as_it_is():
    content = {"loss": math.nan, "terms": [math.inf]}
    strict_json.dumps(content)
    assert math.isnan(content["loss"]) and content["terms"] == [math.inf]


@pytest.mark.parametrize("value", [np.float32(1), np.zeros(2), {1, 2}, b"a"])
def test_other_types_are_refused(value):
    with pytest.raises(TypeError, match="not JSON serializable"):
        strict_json.dumps([value])
