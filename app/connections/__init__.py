"""Are our sockets alive? The map of connections, the monitor that sweeps it, and what carries their bytes.

    registry    the lock-guarded map           monitor     the thread that sweeps it and dials what is lost
    connection  states, and what all share     dial_pool   the few threads that dial
    outbound    one that we dial               dialler     a dial that is bounded in total
    inbound     one that a client opened       resolver    a name look-up that can be left behind
    upstreams   outbound ones from names       transport   a WebSocket on simple-websocket
    backoff     how long to wait (pure)        wire        the socket below it, shared by threads
    deadline    one budget for several steps   tally       counts by name

Who owns which thread: the Monitor its own ("monitor") and, through its DialPool, the dialling ones ("dial-1" to
"dial-4"); every WebSocket its reader ("upstream-NAME" or "ws-reader"); the Resolver a look-up that hangs ("resolve").
All are daemons. No lock of this package is held while another is taken by the same thread, save a WebSocket's sending
lock around its Wire's, and nothing that can wait, log or call back happens under a lock, save the sending of one whole
message under the sending lock, which is what that lock is for.

The package knows neither Flask nor gunicorn nor the settings: it is handed numbers, URLs and a WSGI environ.
"""
