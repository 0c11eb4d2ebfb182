"""Dramatiq.

Crash-safe by default: a message is acknowledged when its actor has ended, and those of a worker
that has not been heard of for a minute are put back. Processes and threads are as its command line
has them by default: a process per core with 8 threads each; it is not used, because what handlers
count must be shared by the processes before they start.
"""

import os
import threading

import dramatiq
from dramatiq.brokers.redis import RedisBroker

import peer

PROCESSES = os.cpu_count()
THREADS = 8


class Peer:
    def __init__(self, url):
        self.broker = RedisBroker(url=url)
        dramatiq.set_broker(self.broker)
        self.actor = dramatiq.actor(peer.handle, actor_name="noop", queue_name="peers")

    def enqueue_one(self):
        self.actor.send(peer.PADDING)

    def enqueue_bulk(self, jobs):
        for _ in range(jobs):
            self.actor.send(peer.PADDING)

    def work(self):
        children = [self._worker() for _ in range(PROCESSES)]
        for child in children:
            os.waitpid(child, 0)

    def _worker(self):
        child = os.fork()
        if child == 0:
            dramatiq.Worker(self.broker, worker_threads=THREADS).start()
            threading.Event().wait()
        return child


peer.main(
    "dramatiq", f"a process per core, {THREADS} threads each; no bulk: one producer for all", Peer
)
