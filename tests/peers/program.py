"""A program that runs beside a test for as long as the test needs it."""

import contextlib
import signal
import subprocess
import threading

SECONDS = 20.0


@contextlib.contextmanager
def running(command, ready, stop=signal.SIGTERM, **options):
    """Run `command`; once a line of its output contains `ready`, the block; then end it by `stop`. Gives the Popen."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, **options
    )
    lines, is_ready = [], threading.Event()

    def read():
        for line in process.stdout:
            lines.append(line)
            if ready in line:
                is_ready.set()
        is_ready.set()

    reader = threading.Thread(target=read, name="reader", daemon=True)
    reader.start()
    try:
        if not is_ready.wait(SECONDS) or not any(ready in line for line in lines):
            raise AssertionError(f"{command[0]} is not ready: {''.join(lines)}")
        yield process
    finally:
        process.send_signal(stop)
        process.send_signal(signal.SIGCONT)
        process.wait(SECONDS)
        reader.join(SECONDS)
        process.stdout.close()
