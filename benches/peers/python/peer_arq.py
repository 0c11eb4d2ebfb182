"""arq.

Crash-safe by default: a job stays in the queue until it has run, beside a key that says that it is
being run, which outlives a killed worker by the `job_timeout` of 300 s. The worker looks for jobs
every 0.5 s (`poll_delay`). Results are not kept, since nobody reads them here.
"""

import asyncio

import arq
from arq.connections import RedisSettings

import peer

MAX_JOBS = 1000
PRODUCERS = 64


async def noop(_, padding):
    await peer.handle_async(padding)


class Peer:
    def __init__(self, url):
        self.settings = RedisSettings.from_dsn(url)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.pool = self.loop.run_until_complete(arq.create_pool(self.settings))

    def enqueue_one(self):
        self.loop.run_until_complete(self.pool.enqueue_job("noop", peer.PADDING))

    def enqueue_bulk(self, jobs):
        async def producer(jobs):
            for _ in range(jobs):
                await self.pool.enqueue_job("noop", peer.PADDING)

        async def all_producers():
            share = [jobs // PRODUCERS + (nth < jobs % PRODUCERS) for nth in range(PRODUCERS)]
            await asyncio.gather(*(producer(jobs) for jobs in share))

        self.loop.run_until_complete(all_producers())

    def work(self):
        worker = arq.Worker(
            functions=[arq.func(noop, keep_result=0)],
            redis_settings=self.settings,
            max_jobs=MAX_JOBS,
        )
        worker.run()


peer.main(
    "arq", f"max_jobs {MAX_JOBS}, keep_result 0; no bulk: {PRODUCERS} producers in one loop", Peer
)
