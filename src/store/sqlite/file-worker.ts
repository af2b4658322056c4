import { parentPort, workerData } from 'node:worker_threads';
import { Failure } from '../../model/failure.ts';
import { makeBackup, openForReading, verifyBackup } from './backup.ts';
import { forgetDamage, readDamage } from './damage-note.ts';
import type { FileTask, FileTasks, FromFileWorker, Progress } from './file-task.ts';
import { formatError } from './message.ts';
import { restoreBackup } from './restore.ts';
import { checkStore, type VerifiedStore } from './store-check.ts';

const progressMilliseconds = 100;

function send(message: FromFileWorker): void {
  parentPort?.postMessage(message);
}

let toldAt = Number.NEGATIVE_INFINITY;

function onProgress(progress: Progress): void {
  if (progress.target === undefined && performance.now() - toldAt < progressMilliseconds) return;
  toldAt = performance.now();
  send({ progress });
}

function run({ name, path, file, unfinished = `${file}.unfinished` }: FileTask): FileTasks[keyof FileTasks] {
  switch (name) {
    case 'backup':
      return makeBackup(path, { file, unfinished }, onProgress);
    case 'verify-backup':
      return verifyBackup(file, onProgress);
    case 'restore':
      return restoreBackup(path, file, onProgress);
    case 'verify-store':
      return verifyStore(path);
  }
}

/** What is found while this looks stays noted: it may be behind what was looked at. */
function verifyStore(path: string): VerifiedStore {
  const database = openForReading(path);
  try {
    const mended = readDamage(path);
    const checked = checkStore(database, (done, all) => onProgress({ step: 'checking', done, all }));
    if (mended !== undefined) forgetDamage(path);
    return { ...checked, mended };
  } finally {
    database.close();
  }
}

/** What Node and SQLite say, with what it was about. */
function explain(error: unknown, { name, path, file }: FileTask): unknown {
  const isOfTheSystem = error instanceof Error && ('errcode' in error || 'errno' in error);
  if (error instanceof Failure || !isOfTheSystem) return error;
  const about = name === 'verify-store' ? path : file;
  return new Failure('storage', `${about}: ${error.message}.`, {
    hint: 'Check the disk, and who may read and write there.',
  });
}

const task = workerData as FileTask; // file-task.ts is the only one to start this.
try {
  send({ result: run(task) });
} catch (error) {
  send({ refused: formatError(explain(error, task)) });
}
