import { Worker } from 'node:worker_threads';
import type { CheckedBackup } from './backup.ts';
import { type CrossedError, parseError } from './message.ts';
import type { RestoredStore } from './restore.ts';
import type { VerifiedStore } from './store-check.ts';

/** How far a long work is; `all` is known from the beginning. */
export interface Progress {
  readonly step: 'copying' | 'hashing' | 'checking';
  readonly done: number;
  readonly all: number;
  /** The file whose size is what is done, while the one who writes it cannot say so. */
  readonly target?: string;
}

export type OnProgress = (progress: Progress) => void;

/** Each work on a store's files as a whole, and what it returns. */
export interface FileTasks {
  readonly backup: CheckedBackup;
  readonly 'verify-backup': CheckedBackup;
  readonly restore: RestoredStore;
  readonly 'verify-store': VerifiedStore;
}

/** What the worker is started with. */
export interface FileTask {
  readonly name: keyof FileTasks;
  /** The store. */
  readonly path: string;
  /** The backup. */
  readonly file: string;
  /** What it is called while it is made. */
  readonly unfinished?: string;
}

export type FromFileWorker =
  | { readonly progress: Progress }
  | { readonly result: FileTasks[keyof FileTasks] }
  | { readonly refused: CrossedError };

/** Works on files in a thread of its own, so that somebody can be shown how far it is. Failures: those of the work. */
export async function runFileTask<Name extends keyof FileTasks>(
  name: Name,
  about: Omit<FileTask, 'name'>,
  onProgress: OnProgress,
): Promise<FileTasks[Name]> {
  const source = new URL('./file-worker.ts', import.meta.url);
  const url = import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/ts$/, 'cjs'));
  const workerData: FileTask = { name, ...about };
  const worker = new Worker(url, { workerData, execArgv: ['--disable-warning=ExperimentalWarning'] });
  return new Promise((resolve, reject) => {
    worker.on('message', (message: FromFileWorker) => {
      if ('progress' in message) onProgress(message.progress);
      // The worker answers with the result of the work that it was started for.
      else if ('result' in message) resolve(message.result as FileTasks[Name]);
      else reject(parseError(message.refused));
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The work on the files ended without a result.')));
  });
}
