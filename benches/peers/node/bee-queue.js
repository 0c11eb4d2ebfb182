// bee-queue. Crash-safe where somebody calls `checkStalledJobs`, which its README tells every
// application to do; every 5 s here, its length of a stall. Its README also says to switch off what
// is not needed: events and the memory of jobs, here. Finished jobs are removed, as mq does.
'use strict';

const Queue = require('bee-queue');
const { BULK, CONCURRENCY, main, noop } = require('./peer.js');

const CHECK_MS = 5000;
const OFF = { getEvents: false, sendEvents: false, storeJobs: false };

async function connect(url) {
  const open = (isWorker) =>
    new Queue('peers', { redis: { url }, isWorker, removeOnSuccess: true, ...OFF }).ready();
  const queue = await open(false);
  return {
    enqueueBulk: async (jobs) => {
      const errors = await queue.saveAll(
        Array.from({ length: jobs }, () => queue.createJob(noop())),
      );
      if (errors.size > 0) throw errors.values().next().value;
    },
    enqueueOne: () => queue.createJob(noop()).save(),
    work: async (handler) => {
      const worker = await open(true);
      worker.process(CONCURRENCY, handler);
      worker.checkStalledJobs(CHECK_MS);
    },
  };
}

main({
  name: 'bee-queue',
  settings:
    `concurrency ${CONCURRENCY}, events and storeJobs off, removeOnSuccess, ` +
    `checkStalledJobs every ${CHECK_MS / 1000} s; saveAll by ${BULK}`,
  connect,
});
