"""How much may be under way to the peer: enough to keep it busy, little enough that news is not old when it arrives."""

LEAST, FIRST, WIDEST = 64 << 10, 256 << 10, 4 << 20  # bytes
SLOW = 0.4  # s of lag beyond which the window shrinks
SILENCE = 15.0  # s without an acknowledgement that is due: the peer's flowd hangs


class Window:
    """Frames sent and not yet acknowledged. Doubles while the peer is quick, halves when it lags."""

    def __init__(self) -> None:
        self._flying: dict[int, tuple[float, int]] = {}
        self._bytes = 0
        self._size = FIRST
        self.lag: float | None = None  # s from the last frame to its acknowledgement

    def __len__(self) -> int:
        return len(self._flying)

    @property
    def open(self) -> bool:
        """Whether one more frame may go."""
        return self._bytes < self._size

    def sent(self, sequence: int, size: int, now: float) -> None:
        """A frame of `size` bytes has gone."""
        self._flying[sequence] = (now, size)
        self._bytes += size

    def acknowledged(self, sequence: int, now: float) -> None:
        """The peer has everything up to `sequence`."""
        while self._flying and (first := next(iter(self._flying))) <= sequence:
            at, size = self._flying.pop(first)
            self._bytes -= size
            self.lag = now - at
        slow = self.lag is not None and self.lag > SLOW
        self._size = max(LEAST, self._size // 2) if slow else min(WIDEST, self._size * 2)

    def past(self, sequence: int) -> bool:
        """Whether everything up to `sequence` has been acknowledged."""
        return not self._flying or next(iter(self._flying)) > sequence

    def stuck(self, now: float) -> bool:
        """Whether the peer owes an acknowledgement for too long."""
        return bool(self._flying) and now - next(iter(self._flying.values()))[0] > SILENCE
