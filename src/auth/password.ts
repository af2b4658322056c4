import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import { Failure } from '../model/failure.ts';
import { passwordCharactersMax, passwordHashQueueMax, passwordHashQueuePerAddressMax } from '../model/limits.ts';
import type { Source } from './source.ts';

export interface PasswordSettings {
  readonly memoryKibibytes: number;
  readonly passes: number;
  readonly charactersMin: number;
}

/** Whose password it is: somebody whom the account knows goes before all strangers. */
type From = Pick<Source, 'address' | 'isKnown'>;

interface Waiting extends From {
  readonly start: () => void;
}

/**
 * Hashes and checks passwords with argon2id (RFC 9106), at most cores − 1 at a time: more would hold every thread of
 * Node's pool and stall all file operations. Others wait in a short queue, then `busy`. Strangers have a queue of their
 * own, and go last: however many guess, whoever is known gets in.
 */
export class PasswordHasher {
  #options: argon2.Options;
  readonly #runningMax = Math.max(1, availableParallelism() - 1);
  #running = 0;
  readonly #known: Waiting[] = [];
  readonly #strangers: Waiting[] = [];
  #dummyHash: string;

  constructor(settings: PasswordSettings) {
    this.#options = optionsOf(settings);
    this.#dummyHash = makeDummyHash(settings);
  }

  /** Hashes with other settings from now on; a hash that was made before is made anew at its user's next login. */
  configure(settings: PasswordSettings): void {
    this.#options = optionsOf(settings);
    this.#dummyHash = makeDummyHash(settings);
  }

  /** A PHC string. Failures: `busy`. */
  hash(password: string, from: From): Promise<string> {
    return this.#run(from, () => argon2.hash(password.normalize('NFC'), this.#options));
  }

  /**
   * Whether the password belongs to the hash; for a null hash false after the same work. Failures: `busy`.
   */
  verify(passwordHash: string | null, password: string, from: From): Promise<boolean> {
    return this.#run(from, async () => {
      const right = await argon2.verify(passwordHash ?? this.#dummyHash, password.normalize('NFC'));
      return right && passwordHash !== null;
    });
  }

  /** Whether a hash was made with weaker settings than today's. */
  isOutdated(passwordHash: string): boolean {
    return argon2.needsRehash(passwordHash, this.#options);
  }

  /** How many hashes are being worked on, and how many wait. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#known.length + this.#strangers.length };
  }

  async #run<T>(from: From, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#runningMax) await this.#wait(from);
    else this.#running++;
    try {
      return await work();
    } finally {
      // The place is handed on, never given back and taken again: nobody can overtake the queue.
      const next = this.#known.shift() ?? this.#strangers.shift();
      if (next) next.start();
      else this.#running--;
    }
  }

  #wait(from: From): Promise<void> {
    const queue = from.isKnown ? this.#known : this.#strangers;
    const ofAddress = queue.filter(({ address }) => address === from.address).length;
    if (queue.length >= passwordHashQueueMax || ofAddress >= passwordHashQueuePerAddressMax) {
      throw new Failure('busy', 'Too many logins at once. Try again in 2 s.', { retryAfter: 2 });
    }
    return new Promise((start) => queue.push({ ...from, start }));
  }
}

function optionsOf({ memoryKibibytes, passes }: PasswordSettings): argon2.Options {
  return { memoryCost: memoryKibibytes, timeCost: passes, parallelism: 1 };
}

/**
 * Nobody's password, in the words of a hash (PHC string format): what is checked for users who have none, so that they take as
 * long as the others. Of chance, because a real hash would cost a start or a reload as much as a login.
 */
export function makeDummyHash({ memoryKibibytes, passes }: PasswordSettings): string {
  const base64 = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${memoryKibibytes},t=${passes},p=1$${base64(16)}$${base64(32)}`;
}

/**
 * Refuses a new password that is too short, too long or easy to guess, also with the words around it: the user's, the
 * product's and the server's name. Failures: `bad-params`, saying what to choose instead.
 */
export async function assertPasswordIsStrong(
  password: string,
  settings: PasswordSettings,
  words: readonly string[],
): Promise<void> {
  const characters = [...password.normalize('NFC')].length;
  const hint = 'Choose four or more unusual words, or let a password manager make one.';
  if (characters < settings.charactersMin || characters > passwordCharactersMax) {
    const range = `${settings.charactersMin} to ${passwordCharactersMax} characters`;
    throw new Failure('bad-params', `The password must have ${range} (got ${characters}).`, { hint });
  }
  const { guessesLog10 } = await import('./password-strength.ts');
  // 10^8 guesses take an attacker with the stolen hashes some weeks on one machine.
  if (guessesLog10(withoutNames(password, words), words) < 8) {
    throw new Failure('bad-params', 'The password is easy to guess: common, repetitive, or made of known names.', {
      hint,
    });
  }
}

/**
 * What of a password is not a known name or a part of one. The estimator alone takes separators for strength: to it
 * `secure-inv-secure-inv` would do.
 */
function withoutNames(password: string, names: readonly string[]): string {
  const parts = names
    .flatMap((name) => [name, ...name.split(/[^\p{L}\p{N}]+/u)])
    .filter((part) => part.length >= 3)
    .map((part) => part.toLowerCase())
    .sort((a, b) => b.length - a.length);
  return parts.reduce((rest, part) => rest.replaceAll(part, ''), password.toLowerCase());
}
