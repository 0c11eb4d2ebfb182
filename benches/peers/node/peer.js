// What every program here answers to; the crate in ../rust says what.
'use strict';

const { readFileSync, writeSync } = require('node:fs');
const { performance } = require('node:perf_hooks');

// What all async peers may run at the same time.
const CONCURRENCY = 1000;
const BULK = 1000;
// Jobs that a latency run does not count: the worker may still be starting.
const WARM_UPS = 2;
const PAUSE_MS = 20;
const LATENCY_MAX_MS = 45000;

const noop = () => ({ padding: 'x'.repeat(86) });

function say(line) {
  writeSync(1, JSON.stringify(line) + '\n');
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function timed(jobs, work) {
  const start = performance.now();
  await work();
  say({ jobs, seconds: (performance.now() - start) / 1000 });
}

function counting(jobs) {
  let started = 0;
  let since = 0;
  return async () => {
    started += 1;
    if (started === 1) {
      since = performance.now();
      say({ first: true });
    }
    if (started === jobs) say({ jobs, seconds: (performance.now() - since) / 1000 });
  };
}

async function latency(peer, jobs) {
  let started = () => {};
  await peer.work(async () => started(performance.now()));
  const pickUp = async () => {
    const start = new Promise((done) => (started = done));
    const sent = performance.now();
    await peer.enqueueOne();
    return (await start) - sent;
  };
  for (let nth = 0; nth < WARM_UPS; nth += 1) await pickUp();
  const begin = performance.now();
  const ms = [];
  while (ms.length < jobs && performance.now() - begin < LATENCY_MAX_MS) {
    await sleep(PAUSE_MS);
    ms.push(await pickUp());
  }
  say({ ms });
}

function holding() {
  say({ first: true });
  return new Promise(() => {});
}

// `connect` returns { enqueueBulk(jobs), enqueueOne(), work(handler) }.
async function run({ name, settings, connect }) {
  const [verb, url, count] = process.argv.slice(2);
  if (verb === 'about') {
    const manifest = `${__dirname}/node_modules/${name}/package.json`;
    const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
    return say({ name, version, settings });
  }
  const jobs = Number(count);
  const peer = await connect(url);
  const oneByOne = async () => {
    for (let nth = 0; nth < jobs; nth += 1) await peer.enqueueOne();
  };
  const inBulk = async () => {
    for (let left = jobs; left > 0; left -= BULK) await peer.enqueueBulk(Math.min(left, BULK));
  };
  if (verb === 'drain') return peer.work(counting(jobs));
  if (verb === 'hold') return peer.work(holding);
  if (verb === 'enqueue') await timed(jobs, inBulk);
  else if (verb === 'enqueue-one') await timed(jobs, oneByOne);
  else if (verb === 'latency') await latency(peer, jobs);
  else throw new Error(`no such verb: ${verb}`);
  process.exit(0);
}

function main(peer) {
  run(peer).catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

module.exports = { BULK, CONCURRENCY, main, noop };
