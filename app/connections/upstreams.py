"""The outbound connections of a list of names and URLs."""

from collections.abc import Callable, Iterable

from app.connections.backoff import Backoff
from app.connections.dialler import Dialler, OutboundSocket
from app.connections.outbound import Dial, Outbound
from app.connections.target import Target
from app.tally import Tally


def create_upstreams(
    upstreams: Iterable[tuple[str, str]],
    dialler: Dialler,
    backoff: Backoff,
    *,
    reconnects: Tally[str] | None = None,
    on_message: Callable[[str, str | bytes], None] | None = None,
) -> list[Outbound]:
    """One Outbound for each (name, URL); a Monitor dials them once they are in its registry.

    `on_message(name, message)` is called by the thread that reads the connection: one that is slow
    slows that peer down. Without it, what they send is drained and counted. Raises ValueError that
    tells the upstream's name, never its URL.
    """
    outbound = []
    for name, url in upstreams:
        try:
            target = Target.parse(url)
        except ValueError as error:
            raise ValueError(f"upstream {name}: {error}") from None
        dial = _dial(dialler, target, name, on_message is not None)
        outbound.append(Outbound(name, dial, backoff, reconnects=reconnects, on_message=on_message))
    return outbound


def _dial(dialler: Dialler, target: Target, name: str, keep_messages: bool) -> Dial:
    def dial(
        on_message: Callable[[str | bytes], None],
        on_end: Callable[[OutboundSocket], object],
        cancelled: Callable[[], bool],
    ) -> OutboundSocket:
        return dialler.dial(
            target,
            name=f"upstream-{name}",
            keep_messages=keep_messages,
            on_message=on_message,
            on_end=on_end,
            cancelled=cancelled,
        )

    return dial
