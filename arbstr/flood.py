"""
A warning that comes again and again is told once a second.
"""

from __future__ import annotations

from contextvars import Context, copy_context

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

_SECONDS = 1.0

# Sorts of warnings within one second; what there is no room for is one sort.
_MOST = 1_000

# What makes warnings of one wording different ones: whom they are about, and of
# what kind it is.  Reasons are not among it: providers and clients choose those.
_ABOUT = frozenset({"provider", "kind", "error_type", "status"})

# Looked up once: every event is compared with it.
_WARN = LogLevel.warn

_Sort = tuple[object, ...]
_ANY_OTHER: _Sort = ()


@define
class _Repeats:
    """
    What has come of one sort of warning since it was last told.

    @ivar count: how many.
    @ivar latest: the last of them.
    @ivar context: that in which it came: by the time that it is told, some
        other request is being served.
    """

    timer: IDelayedCall
    count: int = 0
    latest: LogEvent = field(factory=dict)
    context: Context = field(factory=Context)


@implementer(ILogObserver)
@define(eq=False)
class Flood:
    """
    Passes events on to an observer; of arbstr's own warnings about one provider
    and of one kind the first in a second, and at the second's end the latest with
    the number of the others.  Lines of requests, errors and warnings about
    nobody are all told.

    Warnings have to come in the reactor's thread.

    @ivar observer: gets what passes.
    """

    observer: ILogObserver
    _clock: IReactorTime
    _seen: dict[_Sort, _Repeats] = field(factory=dict, init=False)

    def __call__(self, event: LogEvent) -> None:
        """
        See L{ILogObserver}.
        """
        if event.get("log_level") is not _WARN or not _is_about_somebody(event):
            self.observer(event)
            return
        sort = _sort_of(event)
        if len(self._seen) >= _MOST and sort not in self._seen:
            sort = _ANY_OTHER
        repeats = self._seen.get(sort)
        if repeats is None:
            self._watch(sort)
            self.observer(event)
        else:
            repeats.count += 1
            repeats.latest, repeats.context = event, copy_context()

    def flush(self) -> None:
        """
        Tell at once what is held back.
        """
        seen, self._seen = self._seen, {}
        for repeats in seen.values():
            repeats.timer.cancel()
            self._tell(repeats)

    def _watch(self, sort: _Sort) -> None:
        timer = self._clock.callLater(_SECONDS, self._over, sort)
        self._seen[sort] = _Repeats(timer)

    def _over(self, sort: _Sort) -> None:
        """
        A second has passed since it was last told.
        """
        repeats = self._seen.pop(sort)
        if repeats.count:
            self._watch(sort)
            self._tell(repeats)

    def _tell(self, repeats: _Repeats) -> None:
        if repeats.count > 1:
            text = f"{repeats.latest['log_format']} … ({{more}} more like it)"
            more = {"log_format": text, "more": repeats.count - 1}
            repeats.context.run(self.observer, {**repeats.latest, **more})
        elif repeats.count:
            repeats.context.run(self.observer, repeats.latest)


def _is_about_somebody(event: LogEvent) -> bool:
    ours = str(event.get("log_namespace")).startswith("arbstr.")
    return ours and not _ABOUT.isdisjoint(event)


def _sort_of(event: LogEvent) -> _Sort:
    about = (str(event.get(name)) for name in sorted(_ABOUT))
    return (event["log_namespace"], event["log_format"], *about)
