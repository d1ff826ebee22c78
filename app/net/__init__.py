"""Sockets with a deadline: resolve a name, connect to every address, wrap in TLS, cut off from outside.

Nothing here knows more than the standard library.
"""
