import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Attack, Tally } from './attack.ts';

/** An attack that goes on until it is ended. */
export interface Attackers {
  readonly tally: Tally;
  end(): Promise<void>;
}

/** Begins an attack in a process of its own. */
export function attack(order: Attack): Attackers {
  const child = startModule(new URL('./attacker.ts', import.meta.url));
  let tally: Tally = { dialed: 0, reached: 0, connections: 0, most: 0, done: 0 };
  child.on('message', (told: Tally) => {
    tally = told;
  });
  child.send(order);
  return {
    get tally() {
      return tally;
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error('The attacker gave up.');
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Starts a module as a process that can be talked to and ends with this one. */
export function startModule(module: URL): ChildProcess {
  return fork(module, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}
