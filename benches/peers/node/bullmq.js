// BullMQ. Crash-safe by default: a job in progress has a lock of 30 s, which is looked after every
// 30 s. Finished jobs are removed, as its page on going to production advises, and as mq does.
'use strict';

const { Queue, Worker } = require('bullmq');
const { BULK, CONCURRENCY, main, noop } = require('./peer.js');

const QUEUE = 'peers';

async function connect(url) {
  // What it asks of the connection of a worker.
  const connection = { url, maxRetriesPerRequest: null };
  const queue = new Queue(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true } });
  await queue.waitUntilReady();
  return {
    enqueueBulk: (jobs) => {
      const one = () => ({ name: 'noop', data: noop() });
      return queue.addBulk(Array.from({ length: jobs }, one));
    },
    enqueueOne: () => queue.add('noop', noop()),
    work: async (handler) => {
      const worker = new Worker(QUEUE, handler, { connection, concurrency: CONCURRENCY });
      await worker.waitUntilReady();
    },
  };
}

main({
  name: 'bullmq',
  settings: `concurrency ${CONCURRENCY}, removeOnComplete; addBulk by ${BULK}`,
  connect,
});
