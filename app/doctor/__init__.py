"""The doctor: tries every dependency step by step, and says in a sentence what is wrong and in another what to do.

It starts no server and writes nothing. It connects and asks through app/net and app/checks, as the service does.

- Any step of any kind: `steps` in approach.py, which has name, connect, tls and check; reach.py tries the addresses,
  handshake.py and certificates.py look at TLS.
- `speak` and `authenticate` of a kind, methods of these names: http.py, mongodb.py (with mongodb_hello.py),
  postgresql.py, redis.py, websocket.py. peer.py has what a kind may change of the other steps.
- The sentences: advice.py; judgement.py and `advice` of a kind choose among them.
- From the command line to the output: command.py, subjects.py, examination.py, output.py.
"""
