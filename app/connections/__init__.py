"""Are our sockets alive? The map of them, the monitor that sweeps it, what carries bytes.

    registry      the lock-guarded map           monitor    the thread that sweeps it, dials again
    connection    states, what all share         dial_pool  the few threads that dial
    outbound      one that we dial               dialler    a dial that is bounded as a whole
    upstreams     outbound ones from names       resolver   a name look-up that can be left behind
    message_hook  what is done with messages     target     where a URL points to
    inbound       one that a client opened       transport  a WebSocket on simple-websocket
    backoff       how long to wait (pure)        sender     the half of it that writes
    deadline      one budget for several steps   intake     bounds on what a peer may send
    tally         counts by name                 wire       the socket below, shared by threads

Threads, all daemons: the Monitor owns its own ("monitor") and through its DialPool those that dial
("dial-1" to "dial-4"), every WebSocket its reader ("upstream-NAME", "ws-reader"), the Resolver a
look-up under way ("resolve").

Locks: no thread takes one while it holds another, save a WebSocket's sending lock around those of
its Wire and its end. Nothing that waits, logs or calls back happens under a lock, save the writing
of one whole frame under the sending lock, which is what that lock is for.

The package knows neither Flask nor gunicorn nor the settings: it is given numbers, URLs, environs.
"""
