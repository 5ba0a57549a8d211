import jax
import jax.numpy as jnp
import pytest
from jax.profiler import ProfileData

from jaxsoftras.reconstruction import profiling

GPU_TRACE = """
planes {
  name: "/device:GPU:%d"
  lines { name: "Stream #13(Compute)"
    events { metadata_id: 1 duration_ps: 3000000 }
    events { metadata_id: 2 duration_ps: 500000 }
    events { metadata_id: 1 duration_ps: 1000000 }
  }
  lines { name: "Stream #14(MemcpyH2D)"
    events { metadata_id: 2 duration_ps: 500000 }
  }
  lines { name: "XLA Ops" events { metadata_id: 1 duration_ps: 9000000 } }
  event_metadata { key: 1 value { id: 1 name: "gemm" } }
  event_metadata { key: 2 value { id: 2 name: "MemcpyH2D" } }
}
"""


@pytest.mark.parametrize("devices", [1, 2])
def test_kernels_of_gpus_are_means_over_devices(devices, tmp_path):
    text = "".join(GPU_TRACE % device for device in range(devices))
    text += 'planes { name: "/host:CPU" }'
    path = tmp_path / "a.xplane.pb"
    path.write_bytes(ProfileData.text_proto_to_serialized_xspace(text))
    gemm, copy = profiling.read_kernels(path)
    assert gemm == ("gemm", 2, pytest.approx(4e-6))
    assert copy == ("MemcpyH2D", 2, pytest.approx(1e-6))


def test_the_table_has_a_row_for_the_rest():
    kernels = [profiling.Kernel("a" * 99, 2, 3e-3), profiling.Kernel("b", 4, 1e-3)]
    title, _, first, rest = profiling.format_kernels(
        [*kernels, profiling.Kernel("c", 6, 0)], 2, "Steps", rows=1, width=11
    )
    assert title == "Steps; kernels: 2.000 ms in 6.0 calls"
    assert first.split() == ["1.0", "1500.0", "75.0%", "aaaa...aaaa"]
    assert rest.split() == ["5.0", "500.0", "25.0%", "2", "others"]


def test_operations_of_a_cpu(tmp_path):
    """The loop that contains the sort is not counted besides it."""

    @jax.jit
    def step(x):
        return jax.lax.fori_loop(0, 3, lambda _, y: jnp.sort(y), x)

    x, tables = jnp.ones(1000), []
    with profiling.Profiler(tmp_path, 100, 4) as profiler:
        for number in range(101, 120):
            x = step(x)
            tables += profiler.after_step(number, x)
    assert tables[0].startswith("Steps 111 to 114: ")
    rows = {line.split()[3]: line.split() for line in tables[2:-1]}
    assert not any(name.startswith("while") for name in rows)
    sort = next(row for name, row in rows.items() if name.startswith("sort"))
    calls = float(sort[0])  # an operation may be several calls
    assert calls >= 3 and calls % 3 == 0
    assert (tmp_path / "profile" / "kernels.txt").read_text().splitlines()[0] == (
        tables[0]
    )
    assert str(profiling.find_trace(tmp_path)) in tables[-1]


def test_a_run_that_is_too_short(tmp_path):
    with pytest.warns(UserWarning, match="no profile: it needs 10 steps and 4 more"):
        with profiling.Profiler(tmp_path, 0, 4) as profiler:
            assert not profiler.after_step(1, jnp.ones(1))


def test_an_error_does_not_end_the_run(tmp_path):
    (tmp_path / "profile").touch()
    with profiling.Profiler(tmp_path, 0, 4) as profiler:
        assert not profiler.after_step(1, ())
        assert not profiler.after_step(2, ())
        with pytest.warns(UserWarning, match="no profile: .*File exists.*goes on"):
            assert not profiler.after_step(11, ())
        assert not profiler.after_step(15, ())
