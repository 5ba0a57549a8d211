from jaxsoftras.reconstruction import pacing


def test_chunks_end_where_something_is_due():
    pace = pacing.Pace(23, (5, 7), 100)
    for _ in range(7):
        pace.measure(1, 1e-6)
    step, ends = 0, []
    while step < 23:
        step += pace.choose(step)
        ends.append(step)
    assert ends == [5, 7, 10, 14, 15, 20, 21, 23]


def test_chunks_take_a_quarter_of_a_second():
    pace = pacing.Pace(10**6, (10**5,), 64)
    assert pace.choose(0) == 1
    chosen = []
    for _ in range(6):
        pace.measure(10, 0.1)  # 25 steps in 0.25 s
        chosen.append(pace.choose(0))
    assert chosen == [2, 4, 8, 16, 25, 25]
    pace.measure(1, 2.0)
    assert pace.choose(0) == 1
    for _ in range(9):
        pace.measure(1, 1e-9)
    assert pace.choose(0) == 64


def test_chunks_are_multiples_of_the_stride():
    pace = pacing.Pace(120, (40, 60), 64, stride=20)
    step, chosen = 0, []
    while step < 120:
        chosen.append(pace.choose(step))
        step += chosen[-1]
        pace.measure(10, 0.05)  # 50 steps in 0.25 s
    assert chosen == [20, 20, 20, 20, 40]
    pace.measure(1, 2.0)
    assert pace.choose(0) == 20


def test_processes_do_not_choose_by_their_own_clocks(monkeypatch):
    monkeypatch.setattr(pacing.jax, "process_count", lambda: 2)
    pace = pacing.Pace(10**6, (10**5,), 64)
    pace.measure(10, 0.1)
    assert pace.choose(0) == 1
