"""How much may be under way to the peer: enough to keep it busy, little enough that news is not old when it arrives."""

LEAST, FIRST, WIDEST = 16 << 10, 256 << 10, 4 << 20  # bytes
SLOW = 0.4  # s of lag beyond which the window shrinks
SILENCE = 15.0  # s without any acknowledgement while one is due: the peer's flowd hangs


class Window:
    """Frames sent and not yet acknowledged. Doubles while the peer is quick, halves when it lags."""

    def __init__(self) -> None:
        self._flying: dict[int, tuple[float, int]] = {}
        self._bytes = 0
        self._heard_at = 0.0
        self.size = FIRST
        self.lag: float | None = None  # s from the last frame to its acknowledgement

    def __len__(self) -> int:
        return len(self._flying)

    @property
    def open(self) -> bool:
        """Whether one more frame may go."""
        return self._bytes < self.size

    @property
    def slow(self) -> bool:
        """Whether the link or the peer lags."""
        return self.lag is not None and self.lag > SLOW

    def sent(self, sequence: int, size: int, now: float) -> None:
        """A frame of `size` bytes has gone."""
        if not self._flying:
            self._heard_at = now
        self._flying[sequence] = (now, size)
        self._bytes += size

    def acknowledged(self, sequence: int, now: float) -> None:
        """The peer has everything up to `sequence`."""
        self._heard_at = now
        while self._flying and (first := next(iter(self._flying))) <= sequence:
            at, size = self._flying.pop(first)
            self._bytes -= size
            self.lag = now - at
        self.size = max(LEAST, self.size // 2) if self.slow else min(WIDEST, self.size * 2)

    def past(self, sequence: int) -> bool:
        """Whether everything up to `sequence` has been acknowledged."""
        return not self._flying or next(iter(self._flying)) > sequence

    def stuck(self, now: float) -> bool:
        """Whether the peer owes an acknowledgement for too long. A slow link is not stuck: something arrives."""
        return bool(self._flying) and now - self._heard_at > SILENCE
