"""Hits of rules: everybody who looks at the time is told from one reading of the kernel."""

from gemel.daemons.agent.hits import FRESH, Hits


def test_the_kernel_is_read_once_for_a_while() -> None:
    now, readings = [100.0], list[float]()

    def read() -> dict[str, tuple[int, int]]:
        readings.append(now[0])
        return {"a": (len(readings), 60), "b": (0, 0)}

    hits = Hits(read, lambda: now[0])
    assert hits.of(["a", "gone"]) == {"a": (1, 60)}
    now[0] += FRESH - 0.1
    assert hits.of(["b", "a"]) == {"b": (0, 0), "a": (1, 60)}
    now[0] += 0.1
    assert hits.of(["a"]) == {"a": (2, 60)}
    assert readings == [100.0, 105.0]
