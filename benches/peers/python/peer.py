"""What every program here answers to; the crate in ../rust says what.

Workers of Python are often several processes, so what handlers share is in memory that processes
share, and a latency run is two processes: the producer is forked off before the worker starts.
Both read the same clock of the machine.
"""

import asyncio
import importlib.metadata
import json
import multiprocessing
import os
import struct
import sys
import time

PADDING = "x" * 86
BULK = 1000
# Jobs that a latency run does not count: the worker may still be starting.
WARM_UPS = 2
PAUSE_S = 0.02
LATENCY_MAX_S = 45

_fork = multiprocessing.get_context("fork")
_started = _fork.Value("q", 0)
_since = _fork.Value("d", 0.0)
_mode = None
_jobs = 0
_starts_in, _starts_out = os.pipe()
os.set_inheritable(_starts_out, True)


def say(line):
    # Not by `print`: some workers redirect it into their log.
    os.write(1, (json.dumps(line) + "\n").encode())


def handle(padding):
    """What a job does: nothing but being counted."""
    if _note_start():
        time.sleep(3600)


async def handle_async(padding):
    if _note_start():
        await asyncio.sleep(3600)


def _note_start():
    """Says whether the job shall last."""
    if _mode == "latency":
        os.write(_starts_out, struct.pack("d", time.monotonic()))
    elif _mode == "hold":
        say({"first": True})
        return True
    elif _mode == "drain":
        with _started.get_lock():
            _started.value += 1
            nth = _started.value
        if nth == 1:
            _since.value = time.monotonic()
            say({"first": True})
        if nth == _jobs:
            say({"jobs": _jobs, "seconds": time.monotonic() - _since.value})
    return False


def _timed(jobs, work):
    start = time.monotonic()
    work()
    say({"jobs": jobs, "seconds": time.monotonic() - start})


def _pick_up(peer):
    sent = time.monotonic()
    peer.enqueue_one()
    return (struct.unpack("d", os.read(_starts_in, 8))[0] - sent) * 1000


def _latency(connect, url, jobs):
    peer = connect(url)
    for _ in range(WARM_UPS):
        _pick_up(peer)
    begin = time.monotonic()
    all_ms = []
    while len(all_ms) < jobs and time.monotonic() - begin < LATENCY_MAX_S:
        time.sleep(PAUSE_S)
        all_ms.append(_pick_up(peer))
    say({"ms": all_ms})


def main(name, settings, connect):
    """`connect(url)` gives something with enqueue_bulk(jobs), enqueue_one() and work()."""
    global _mode, _jobs
    words = sys.argv[1:]
    if words == ["about"]:
        say({"name": name, "version": importlib.metadata.version(name), "settings": settings})
        return
    _mode, url, _jobs = words[0], words[1], int(words[2])
    # Celery reads the command line, too.
    del sys.argv[1:]
    if _mode == "latency":
        if os.fork() == 0:
            _latency(connect, url, _jobs)
            os._exit(0)
        connect(url).work()
        return
    peer = connect(url)
    if _mode == "enqueue":
        bulks = [min(BULK, _jobs - done) for done in range(0, _jobs, BULK)]
        _timed(_jobs, lambda: [peer.enqueue_bulk(jobs) for jobs in bulks])
    elif _mode == "enqueue-one":
        _timed(_jobs, lambda: [peer.enqueue_one() for _ in range(_jobs)])
    elif _mode in ("drain", "hold"):
        peer.work()
    else:
        sys.exit(f"no such verb: {_mode}")
