import type { Role } from '../../src/model/user.ts';
import type { KeyPair } from '../auth/odd-certificate.ts';
import { claimOf, newKeys, spkiOf } from '../support/key-claim.ts';
import { learnedFrom } from './learned.ts';
import { standIns } from './params.ts';
import type { Said } from './verdict.ts';

/** Somebody on whose behalf a server is fuzzed, and what they have. */
export interface Actor {
  readonly role: Role;
  readonly location: string | undefined;
  readonly has: Map<string, string>;
  /** Where there must be one. */
  certificate: KeyPair | undefined;
}

/** The users in whose name inputs come. */
export class Actors {
  readonly #all = new Map<string, Actor>([
    ['ada', { role: 'admin', location: undefined, has: new Map(), certificate: undefined }],
    ['cleo', { role: 'clerk', location: 'cellar', has: new Map(), certificate: undefined }],
  ]);
  readonly #keys = newKeys();

  get names(): Iterable<string> {
    return this.#all.keys();
  }

  of(user: string): Actor {
    const actor = this.#all.get(user);
    if (!actor) throw new Error(`${user} is nobody who fuzzes.`);
    return actor;
  }

  /** The text with what only the server knows in the place of what stands for it. */
  fill(text: Buffer, user: string): Buffer {
    let filled = text.toString('latin1');
    for (const [standIn, value] of this.of(user).has) {
      filled = filled.replaceAll(standIn, Buffer.from(value).toString('latin1'));
    }
    return Buffer.from(filled, 'latin1');
  }

  /** Remembers of a result what later inputs may show. */
  learn(user: string, { result }: Pick<Said, 'result'>): void {
    if (!result) return;
    const { has } = this.of(user);
    for (const [standIn, value] of learnedFrom(result)) has.set(standIn, value);
    // Whoever has a nonce proves with it that a key is theirs.
    if ('nonce' in result) has.set(standIns.signature, claimOf(result['nonce'], user, this.#keys).signature);
  }

  /** Remembers a new login, and whose key it is that is certified. */
  equip(user: string, grant: Readonly<Record<string, unknown>>, certificate: KeyPair | undefined): void {
    const actor = this.of(user);
    actor.certificate = certificate;
    actor.has.set('<access>', String(grant['accessToken']));
    actor.has.set(standIns.publicKey, spkiOf(this.#keys.publicKey).toString('base64'));
    this.learn(user, { result: grant });
  }
}
