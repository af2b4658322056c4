import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, type Worker } from 'node:worker_threads';

// Imported by the server before its own program: at a signal it tells, in a file beside its configuration, how its memory is
// divided. V8 takes and keeps tens of MiB for what is new, by how busy it is and how large the machine: no leak shows in that.

/** In bytes. */
export interface Division {
  /** What the main thread's heap holds when all that is not used has been collected. */
  readonly live: number;
  /** What the other threads' heaps hold, with what is not collected yet. */
  readonly threads: number;
  /** What is resident and of no heap. */
  readonly beside: number;
}

if (isMainThread) {
  const file = join(dirname(process.argv[process.argv.indexOf('--config') + 1] ?? ''), 'heap');
  const workers = new Set<Worker>();
  subscribe('worker_threads', (message) => {
    const { worker } = message as { worker: Worker }; // As Node.js documents this channel.
    workers.add(worker);
    worker.once('exit', () => workers.delete(worker));
  });
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  process.on('SIGUSR2', async () => {
    const { rss, heapTotal } = process.memoryUsage();
    const heaps = await Promise.all([...workers].map((worker) => worker.getHeapStatistics()));
    const sum = (of: 'used_heap_size' | 'total_heap_size') => heaps.reduce((total, heap) => total + heap[of], 0);
    collect();
    const { heapUsed, external } = process.memoryUsage();
    const division: Division = {
      live: heapUsed + external,
      threads: sum('used_heap_size'),
      beside: rss - heapTotal - sum('total_heap_size'),
    };
    writeFileSync(file, JSON.stringify(division));
  });
}
