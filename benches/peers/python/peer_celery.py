"""Celery.

Crash-safe only when told so: `acks_late` with `reject_on_worker_lost`; on Redis the job of a worker
that was killed as a whole comes back after `visibility_timeout`, an hour by default.

By its guide on optimizing: a large prefetch, because the jobs are short, and no results, which
nobody reads here. The pool is its default: a process per core.
"""

from celery import Celery

import peer

PREFETCH = 128


class Peer:
    def __init__(self, url):
        self.app = Celery("peers", broker=url)
        self.app.conf.update(
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            task_ignore_result=True,
            worker_prefetch_multiplier=PREFETCH,
            broker_connection_retry_on_startup=True,
        )
        self.task = self.app.task(name="noop")(peer.handle)

    def enqueue_one(self):
        self.task.delay(peer.PADDING)

    def enqueue_bulk(self, jobs):
        # Its way to save work per message: one producer for many.
        with self.app.producer_pool.acquire(block=True) as producer:
            for _ in range(jobs):
                self.task.apply_async((peer.PADDING,), producer=producer)

    def work(self):
        self.app.worker_main(["worker", "--loglevel=ERROR"])


peer.main(
    "celery",
    f"acks_late, reject_on_worker_lost, prefetch_multiplier {PREFETCH}, ignore_result, a process "
    "per core; no bulk: one producer for all",
    Peer,
)
