import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

// Imported by the server before its own program: at a signal it tells, in a file beside its configuration, how much of its
// heap is in use when all that is not has been collected. What is told without a collection goes up and down by more than
// a leak loses in hours.

if (isMainThread) {
  const file = join(dirname(process.argv[process.argv.indexOf('--config') + 1] ?? ''), 'heap');
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  process.on('SIGUSR2', () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    writeFileSync(file, String(heapUsed + external));
  });
}
