import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Actor } from '../model/audit.ts';
import { Failure } from '../model/failure.ts';
import { apiTokensPerUserMax, apiTokenUseSeconds } from '../model/limits.ts';
import type { Role } from '../model/user.ts';
import type { ApiTokenRecord, Store, UserRecord } from '../store/store.ts';
import { makePublicId } from './public-id.ts';

/** What is asked for when a token is made. */
export interface ApiTokenWish {
  readonly owner: UserRecord;
  readonly name: string;
  readonly role: Role;
  readonly expiresAt: number;
}

const prefix = 'sinv_';
const pattern = /^sinv_([\w-]{16})\.([\w-]{43})$/;
const hint = 'Ask its owner for a new one: secure-inv token create NAME --role ROLE';

/** Whether a text is meant to be an API token: it begins so that a scanner for leaked secrets finds it. */
export function isApiToken(text: string): boolean {
  return text.startsWith(prefix);
}

/**
 * The API tokens of the store, held in memory because every request of a machine is checked against them. As with the
 * accounts, the store is changed first.
 */
export class ApiTokens {
  readonly #store: Store;
  readonly #onEnded: () => void;
  readonly #byId = new Map<string, ApiTokenRecord>();
  /** How often memory was changed. */
  #changes = 0;

  /** `onEnded` is called when a token that was good is so no more. Nothing is known before `load`. */
  constructor(store: Store, onEnded: () => void) {
    this.#store = store;
    this.#onEnded = onEnded;
  }

  /** Reads everything again: the store may have been changed beside this process. */
  async load(): Promise<void> {
    const changes = this.#changes;
    const tokens = await this.#store.apiTokens();
    // What was changed meanwhile may be newer than what was read.
    if (changes !== this.#changes) return this.load();
    this.#byId.clear();
    for (const token of tokens) this.#byId.set(token.id, token);
  }

  byId(id: string): ApiTokenRecord | undefined {
    return this.#byId.get(id);
  }

  list(): readonly ApiTokenRecord[] {
    return [...this.#byId.values()];
  }

  /** Makes a token; only this answer holds its text. Failures: `conflict`. */
  async create(actor: Actor, wish: ApiTokenWish, now: number): Promise<{ record: ApiTokenRecord; token: string }> {
    const { owner, name, role, expiresAt } = wish;
    const secret = randomBytes(32).toString('base64url');
    const id = makePublicId();
    const made = {
      id,
      userId: owner.id,
      name,
      role,
      hash: sha256(secret),
      createdAt: now,
      expiresAt,
      lastUsedAt: null,
    };
    const detail = `${role} ${JSON.stringify(name)}, token ${id}`;
    const audit = { ...actor, event: 'token-created', subject: owner.user, detail, at: now } as const;
    const expired = await this.#store.addApiToken(audit, made, apiTokensPerUserMax, owner.epoch);
    this.#changes++;
    for (const gone of expired) this.#byId.delete(gone);
    this.#byId.set(id, made);
    return { record: made, token: `${prefix}${id}.${secret}` };
  }

  async revoke(actor: Actor, owner: string | null, id: string, now: number): Promise<void> {
    // Memory first: between here and the commit nobody is let in who should not be.
    this.#forget([id]);
    const audit = { ...actor, event: 'token-revoked', subject: owner, detail: `token ${id}`, at: now } as const;
    await this.#store.removeApiToken(audit, id);
    // And once more, in case everything was read again meanwhile.
    this.#forget([id]);
  }

  /** The store has removed these tokens with their user's access. */
  forgetUser(userId: number): void {
    this.#forget(this.list().flatMap((token) => (token.userId === userId ? token.id : [])));
  }

  /** The token of this text, if it is good now. Failures: `login-required`, `session-expired`. */
  find(text: string, now: number): ApiTokenRecord {
    const [, id = '', secret = ''] = pattern.exec(text) ?? [];
    const token = this.#byId.get(id);
    if (!token || !timingSafeEqual(sha256(secret), token.hash)) {
      throw new Failure('login-required', 'This API token was revoked, or never was one.', { hint });
    }
    return this.assertGood(token.id, now);
  }

  /** The token as it is now. Failures: `session-expired` when it was revoked or is past its time. */
  assertGood(id: string, now: number): ApiTokenRecord {
    const token = this.#byId.get(id);
    if (!token) throw new Failure('session-expired', 'This API token was revoked.', { hint });
    if (now < token.expiresAt) return token;
    const time = new Date(token.expiresAt).toISOString().slice(0, 16).replace('T', ' ');
    throw new Failure('session-expired', `This API token expired at ${time} UTC.`, { hint });
  }

  /** Remembers that a token was used, at most once a minute; a use that is not written down refuses nobody. */
  noteUse(token: ApiTokenRecord, now: number): void {
    if (token.lastUsedAt !== null && now - token.lastUsedAt < apiTokenUseSeconds * 1000) return;
    this.#changes++;
    this.#byId.set(token.id, { ...token, lastUsedAt: now });
    void this.#store.noteApiTokenUse(token.id, now).catch(() => undefined);
  }

  #forget(ids: readonly string[]): void {
    this.#changes++;
    const gone = ids.filter((id) => this.#byId.delete(id));
    if (gone.length > 0) this.#onEnded();
  }
}

function sha256(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest();
}
