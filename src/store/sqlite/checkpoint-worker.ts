import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { CheckpointOptions, FromCheckpointWorker, ToCheckpointWorker } from './checkpoints.ts';
import { Database } from './database.ts';

const { path } = workerData as CheckpointOptions; // checkpoints.ts is the only one to start this.
const url = pathToFileURL(resolve(path));
url.searchParams.set('mode', 'rw'); // A store that is not there any more is not made anew.

/** While it works, others write more. */
const lapsMax = 10;

/**
 * In laps, each of what was written during the one before, because SQLite syncs the file only with all of the log in it:
 * otherwise whoever brings the last page there waits for the disk. By a connection of its own each time, so that this thread
 * holds no descriptor and no lock while it waits.
 */
function checkpoint(): void {
  const database = new Database(url);
  try {
    for (let lap = 0; lap < lapsMax; lap++) {
      database.checkpointWhatIsFree();
      const { pages, inFile } = database.readLog();
      if (pages === inFile) break;
    }
  } finally {
    database.close();
  }
}

parentPort?.on('message', (message: ToCheckpointWorker) => {
  if (message === 'close') {
    parentPort?.close();
    return;
  }
  try {
    checkpoint();
  } catch {
    // The store cannot be opened just now; all of it is still in the log, for the next time.
  }
  parentPort?.postMessage('done' satisfies FromCheckpointWorker);
});
