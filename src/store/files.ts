import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { type FileTasks, type OnProgress, type Progress, runFileTask } from './sqlite/file-task.ts';

const lookMilliseconds = 200;

/** What a backup is called until it is one. */
export function unfinishedName(file: string): string {
  return `${file}.${randomUUID()}`;
}

/**
 * A backup of the store that a URL names, made beside its server. Whoever ends the process deletes `unfinished`. Failures:
 * `conflict`, `not-found`, `storage`.
 */
export function backUpStore(
  url: string,
  file: string,
  onProgress: OnProgress,
  unfinished = unfinishedName(file),
): Promise<FileTasks['backup']> {
  return watching(onProgress, (told) => runFileTask('backup', { path: pathOf(url), file, unfinished }, told));
}

/** Looks at all of a backup. Failures: `not-found`, `bad-params`, `storage`. */
export function verifyBackup(file: string, onProgress: OnProgress): Promise<FileTasks['verify-backup']> {
  return runFileTask('verify-backup', { path: '', file }, onProgress);
}

/** Makes the store that a URL names of a backup. Failures: as `verifyBackup`, `conflict` when there is one. */
export function restoreStore(url: string, file: string, onProgress: OnProgress): Promise<FileTasks['restore']> {
  return runFileTask('restore', { path: pathOf(url), file }, onProgress);
}

/** Looks at all of a store, also beside its server. Failures: `storage` naming what is wrong. */
export function verifyStore(url: string, onProgress: OnProgress): Promise<FileTasks['verify-store']> {
  return runFileTask('verify-store', { path: pathOf(url), file: '' }, onProgress);
}

function pathOf(url: string): string {
  const path = /^sqlite:(.+)$/.exec(url)?.[1];
  if (path === undefined) throw new Failure('bad-params', `store must be sqlite:PATH (got ${JSON.stringify(url)}).`);
  return path;
}

/** While SQLite writes a file, its size is the only news of it. */
async function watching<T>(onProgress: OnProgress, work: (told: OnProgress) => Promise<T>): Promise<T> {
  let watched: Progress | undefined;
  const timer = setInterval(() => {
    const { target } = watched ?? {};
    if (!watched || target === undefined) return;
    const { all, step } = watched;
    stat(target).then(
      ({ size }) => watched && onProgress({ step, all, done: Math.min(size, all) }),
      () => undefined, // It has its name by now.
    );
  }, lookMilliseconds);
  try {
    return await work((progress) => {
      watched = progress.target === undefined ? undefined : progress;
      onProgress(progress);
    });
  } finally {
    clearInterval(timer);
  }
}
