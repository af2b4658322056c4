import { setTimeout as sleep } from 'node:timers/promises';
import { type Manner, workOnTheWire } from '../fault/clerk.ts';
import { beginning, type Moment, type Remains } from '../fault/history.ts';
import { judge } from '../fault/judge.ts';
import { Load, type Login } from '../fault/load.ts';
import { readRemains } from '../fault/remains.ts';
import type { LoadedServer, Machine } from '../load/loaded-server.ts';
import type { Audience } from './reader.ts';

/** Of each shift. */
const problemsMax = 10;
const stepMilliseconds = 50;
/** Somebody who reads is never so far behind, and a killed server not so long away. */
const catchUpMilliseconds = 10_000;

/**
 * Clerks who work in shifts: when one is over, what they and the readers saw is held against what came into the ledger
 * meanwhile, and forgotten. So a run may be as long as anybody likes.
 */
export class Shifts {
  readonly problems: string[] = [];
  readonly sums = { acknowledged: 0, repeated: 0, refused: 0, looks: 0, movements: 0 };
  readonly #server: LoadedServer;
  readonly #reader: Machine;
  readonly #chance: () => number;
  #since: Moment = beginning;
  #load: Load;

  constructor(server: LoadedServer, reader: Machine, chance: () => number) {
    this.#server = server;
    this.#reader = reader;
    this.#chance = chance;
    this.#load = this.#begin();
  }

  /** Of the shift that is on. */
  get load(): Load {
    return this.#load;
  }

  async work(
    logins: readonly Login[],
    manner: Manner,
    audience: Audience,
    { goesOn, seconds }: { readonly goesOn: () => boolean; readonly seconds: number },
  ): Promise<void> {
    while (goesOn() && this.problems.length === 0) {
      this.#load = this.#begin();
      const working = logins.map((login) =>
        workOnTheWire(this.#load, login, manner).catch((error: unknown) => void this.problems.push(String(error))),
      );
      const over = performance.now() + seconds * 1000;
      while (goesOn() && performance.now() < over) await sleep(stepMilliseconds);
      this.#load.end();
      await Promise.all(working);
      await this.#judge(await this.#read(), audience);
    }
  }

  /** Ends a shift before its time: after a failure the clerks would look for the server for ever. */
  abandon(): void {
    this.#load.abandon();
  }

  #begin(): Load {
    return new Load(this.#reader.token, () => this.#server.process, this.#chance, this.#since.seq);
  }

  /** Also of a server that is just being killed. */
  async #read(): Promise<Remains> {
    const giveUpAt = performance.now() + catchUpMilliseconds;
    for (;;) {
      try {
        return await readRemains(this.#server.process, this.#reader.token, this.#since);
      } catch (error) {
        if (performance.now() > giveUpAt) throw error;
        await sleep(stepMilliseconds);
      }
    }
  }

  async #judge(remains: Remains, audience: Audience): Promise<void> {
    const { violations, acknowledged, repeated, refused, looks } = judge(this.#load.history, remains);
    this.problems.push(...violations.slice(0, problemsMax));
    const movements = remains.ledger.length;
    this.sums.acknowledged += acknowledged;
    this.sums.repeated += repeated;
    this.sums.refused += refused;
    this.sums.looks += looks;
    this.sums.movements += movements;
    const seq = this.#since.seq + movements;
    if (!(await audience.reaches(seq, catchUpMilliseconds))) {
      this.problems.push(`A watcher has ${audience.seq} of ${seq} movements.`);
    }
    this.problems.push(...audience.judge(remains.ledger));
    this.#since = { seq, stock: remains.stock };
  }
}
