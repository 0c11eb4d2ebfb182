"""RQ.

Crash-safe by default: a job in progress is in a registry that is cleaned every 10 minutes. Its
default worker forks for every job, which is what its documentation says to use. Results are not
kept, since nobody reads them here.
"""

import logging

import redis
import rq

import peer


class Peer:
    def __init__(self, url):
        self.connection = redis.Redis.from_url(url)
        self.queue = rq.Queue("peers", connection=self.connection)

    def enqueue_one(self):
        self.queue.enqueue(peer.handle, peer.PADDING, result_ttl=0)

    def enqueue_bulk(self, jobs):
        one = rq.Queue.prepare_data
        self.queue.enqueue_many(
            [one(peer.handle, (peer.PADDING,), result_ttl=0) for _ in range(jobs)]
        )

    def work(self):
        # A line per job is not what is measured.
        logging.getLogger("rq").setLevel(logging.ERROR)
        worker = rq.Worker([self.queue], connection=self.connection)
        worker.work(logging_level="ERROR")


peer.main("rq", f"a fork per job, result_ttl 0; enqueue_many by {peer.BULK}", Peer)
