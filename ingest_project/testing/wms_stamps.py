"""Moments of the simulated warehouse: microseconds since 1970 in UTC, and their text with the site's offset.

Pure; the site may have summer time, so texts of one field do not sort as their moments do.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

SECOND = 1_000_000
DAY = 86_400 * SECOND

_EPOCH = date(1970, 1, 1).toordinal()
_MINUTES = [b"%02d:%02d:" % divmod(minute, 60) for minute in range(1440)]


class Stamps:
    """Texts of moments at one site.

    Args:
        offset: Minutes ahead of UTC; -180 as in the API's sample.
        summer: Minutes more from October to March (the site lies in the south).
    """

    def __init__(self, offset: int = -180, summer: int = 0) -> None:
        self._offset, self._summer = offset, summer
        self._days: dict[int, bytes] = {}
        self._zones: dict[int, tuple[int, bytes]] = {}

    def text(self, moment: int) -> bytes:
        """``2025-07-03T10:15:00.000000-03:00``."""
        utc_day = moment // DAY
        zone = self._zones.get(utc_day)
        if zone is None:
            zone = self._zones[utc_day] = self._zone(utc_day)
        day, rest = divmod(moment + zone[0], DAY)
        start = self._days.get(day)
        if start is None:
            start = self._days[day] = date.fromordinal(day + _EPOCH).isoformat().encode() + b"T"
        minute, rest = divmod(rest, 60 * SECOND)
        return b"%s%s%02d.%06d%s" % (start, _MINUTES[minute], *divmod(rest, SECOND), zone[1])

    def moment(self, text: str) -> int:
        """The moment of an ISO 8601 text; without an offset it is the site's own time.

        Raises:
            ValueError: It is none.
        """
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            minutes = self._minutes(found.month)
            found = found.replace(tzinfo=timezone(timedelta(minutes=minutes)))
        since = found.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds

    def _minutes(self, month: int) -> int:
        return self._offset + (self._summer if month in (10, 11, 12, 1, 2, 3) else 0)

    def _zone(self, utc_day: int) -> tuple[int, bytes]:
        minutes = self._minutes(date.fromordinal(utc_day + _EPOCH).month)
        sign = b"-" if minutes < 0 else b"+"
        return minutes * 60 * SECOND, b"%s%02d:%02d" % (sign, *divmod(abs(minutes), 60))
