"""The WebSockets of both directions, the map of them, and the monitor that sweeps it.

    registry   the map, under a lock          connection  its entries: a state, and how it changes
    monitor    the thread that sweeps it      client      an entry: a client of ours, once accepted
    upstream   an entry: a server we dial     handshake   the openings, by simple-websocket
    dialler    one attempt, in bounded time   websocket   what follows, in either direction
    target     where a URL leads              intake      bounds on what a peer may send
    backoff    how long to wait (pure)        wire        the socket
                                              ending      how it ends

Threads: each upstream has one ("upstream-NAME"), and so has the monitor; a client has the one that serves its request.
A WebSocket belongs to one thread. Others only ask it to close, wake it, or cut its socket off.

Locks: no thread takes one while it holds another, and nothing that waits, logs or calls back happens under one.

The package imports neither Flask nor gunicorn nor the settings: it receives numbers, URLs and environs.
"""
