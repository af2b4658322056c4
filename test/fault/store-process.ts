import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Store } from '../../src/store/store.ts';

type Method = Exclude<keyof Store, 'id' | 'onOutsideChange' | 'onGrowth'>;

/** What the process is told to do. */
export interface Told {
  readonly id: number;
  readonly method: Method;
  readonly args: readonly unknown[];
}

type Answer = { readonly id: number; readonly result?: unknown; readonly refused?: string };

/** What a call returned, or the code of its refusal. */
export type Outcome<M extends Method> = { result: Awaited<ReturnType<Store[M]>> } | { refused: string };

/** A store in a process of its own, whose files can be made to fail and which can be killed. */
export interface StoreProcess {
  ask<M extends Method>(method: M, ...args: Parameters<Store[M]>): Promise<Outcome<M>>;
  /** kill -9, and the end of it. */
  kill(): Promise<void>;
}

/** Failures: an Error with the output of a process that could not open the store. */
export async function startStore(path: string, env: NodeJS.ProcessEnv = process.env): Promise<StoreProcess> {
  const child: ChildProcess = fork(new URL('./store-child.ts', import.meta.url), [path], {
    env,
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'exit');
  const waiting = new Map<number, (answer: Answer) => void>();
  const opened = once(child, 'message');
  await Promise.race([
    opened,
    ended.then(() => {
      throw new Error(output);
    }),
  ]);
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  void ended.then(() => {
    for (const answer of waiting.values()) answer({ id: 0, refused: 'killed' });
  });
  let last = 0;
  return {
    ask<M extends Method>(method: M, ...args: Parameters<Store[M]>): Promise<Outcome<M>> {
      const told: Told = { id: ++last, method, args };
      return new Promise((resolve) => {
        // The process answers with what this very method returned.
        waiting.set(told.id, ({ id: _, ...outcome }) => resolve(outcome as Outcome<M>));
        child.send(told);
      });
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
