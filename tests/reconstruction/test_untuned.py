"""Programs without trials on the device."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from jaxsoftras.reconstruction import untuned


def test_options_are_for_gpus_alone():
    assert untuned.compiler_options("gpu") == {"xla_gpu_autotune_level": 0}
    assert untuned.compiler_options("cpu") == untuned.compiler_options("tpu") == {}
    assert untuned.make_jit({}) is jax.jit


def test_a_function_with_options_may_be_called_by_another():
    jit = untuned.make_jit({"xla_cpu_enable_fast_min_max": False})
    double = jit(lambda x, by=2: by * x, static_argnames="by")
    outer = jit(lambda x: jnp.sum(double(x)))
    assert double(jnp.float32(3), by=4) == 12
    assert outer(jnp.ones(3)) == jax.jit(outer)(jnp.ones(3)) == 6
    assert jax.eval_shape(double, jnp.ones(3)).shape == (3,)


def test_options_reach_the_compiler():
    program = untuned.make_jit({"no_such_option": 1})(lambda x: x)
    with pytest.raises(Exception, match="no_such_option"):
        program(jnp.ones(1))


def test_a_function_of_a_module():
    @untuned.jit
    def add(x, y):
        """Sum of two arrays."""
        return x + y

    assert add(jnp.ones(2), jnp.ones(2)).tolist() == [2, 2]
    assert add.__doc__ == "Sum of two arrays."
