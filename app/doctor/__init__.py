"""The doctor: tries every dependency step by step, and says in a sentence what is wrong and in another what to do.

It starts no server and writes nothing. It connects and asks through app/net and app/checks, as the service does.
"""
