import { createHash, randomBytes } from 'node:crypto';
import { type Actor, type AuditEntry, type AuditEvent, host } from '../model/audit.ts';
import { Failure } from '../model/failure.ts';
import { enrolmentHours, firstEnrolmentMinutes } from '../model/limits.ts';
import { userNamePattern, userNameRule } from '../model/name.ts';
import type { Role } from '../model/user.ts';
import type { Enrolment, SessionRecord, Store, UserRecord } from '../store/store.ts';
import { ApiTokens } from './api-tokens.ts';
import { sessionEnd, type TokenSettings } from './session.ts';

/** A new or reset user, and the code that nobody can read again. */
export interface Invitation {
  readonly user: UserRecord;
  readonly code: string;
  readonly expiresAt: number;
}

/** A session that is good, whose it is, and until when. */
export interface LiveSession {
  readonly session: SessionRecord;
  readonly user: UserRecord;
  readonly endsAt: number;
}

/** A user ends their oldest login with the next one beyond this; a script that logs in at each run stays harmless. */
const sessionsPerUserMax = 100;

/**
 * The users and sessions of the store, held in memory so that every request can be checked against them. What memory
 * says is what the store has committed: each change goes to the store first. Another process may change the store
 * (`secure-invd admin-link`); then everything is read again.
 */
export class Accounts {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #byId = new Map<number, UserRecord>();
  readonly #byName = new Map<string, UserRecord>();
  readonly #sessions = new Map<string, SessionRecord>();
  /** Sessions that have ended here and perhaps not yet in the store. */
  readonly #ended = new Set<string>();
  /** How often memory was changed. */
  #changes = 0;
  #onAccessEnded: () => void = () => undefined;
  readonly apiTokens: ApiTokens;

  private constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
    this.apiTokens = new ApiTokens(store, () => this.#onAccessEnded());
  }

  static async open(store: Store, now: () => number, onError: (error: unknown) => void): Promise<Accounts> {
    const accounts = new Accounts(store, now);
    const load = () => Promise.all([accounts.#load(), accounts.apiTokens.load()]);
    await load();
    store.onOutsideChange(() => void load().then(() => accounts.#onAccessEnded(), onError));
    return accounts;
  }

  /** Calls back when somebody's access may have ended, by whatever: their connections should be judged again. */
  onAccessEnded(listener: () => void): void {
    this.#onAccessEnded = listener;
  }

  byId(id: number): UserRecord | undefined {
    return this.#byId.get(id);
  }

  byName(name: string): UserRecord | undefined {
    return this.#byName.get(name);
  }

  /** The user of this name. Failures: `not-found`. */
  named(name: string): UserRecord {
    const user = this.#byName.get(name);
    if (user) return user;
    throw new Failure('not-found', `No user ${JSON.stringify(name)}.`, { hint: 'See: secure-inv user list' });
  }

  session(id: string): SessionRecord | undefined {
    return this.#sessions.get(id);
  }

  /** The sessions that are good now, with their users and when they end unless they are refreshed before. */
  liveSessions(settings: TokenSettings, now: number): readonly LiveSession[] {
    return [...this.#sessions.values()].flatMap((session) => {
      const user = this.#byId.get(session.userId);
      const endsAt = sessionEnd(session, settings);
      return user && now < endsAt ? { session, user, endsAt } : [];
    });
  }

  list(): readonly UserRecord[] {
    return [...this.#byId.values()];
  }

  /** Whether somebody can administer this server. */
  hasAdministrator(): boolean {
    return this.list().some((user) => user.role === 'admin' && user.enabled && user.passwordHash !== null);
  }

  /** Adds a user who sets a password with the code. Failures: `conflict`. */
  async invite(actor: Actor, user: string, role: Role, lifeMinutes = enrolmentHours * 60): Promise<Invitation> {
    const { code, enrolment } = this.#makeEnrolment(lifeMinutes);
    const audit = this.#entry(actor, 'user-added', user, role);
    const added = await this.#store.addUser(audit, user, role, enrolment, audit.at);
    return { user: this.#keep(added), code, expiresAt: enrolment.expiresAt };
  }

  /**
   * Takes away all that a user had, password, sessions, API tokens and certificates, and gives a code to set a new
   * password. Failures: `not-found`.
   */
  reset(actor: Actor, user: string, lifeMinutes = enrolmentHours * 60): Promise<Invitation> {
    // Certificates say to the second when they were issued. One more is for those that are being made at this moment.
    return this.#reset(actor, user, lifeMinutes, (Math.ceil(this.#now() / 1000) + 1) * 1000);
  }

  async #reset(actor: Actor, user: string, lifeMinutes: number, certificatesFrom: number): Promise<Invitation> {
    const { code, enrolment } = this.#makeEnrolment(lifeMinutes);
    const audit = this.#entry(actor, 'user-reset', user);
    const reset = await this.#store.resetUser(audit, this.named(user).id, enrolment, certificatesFrom);
    this.apiTokens.forgetUser(reset.id);
    return { user: this.#keepWithoutSessions(reset), code, expiresAt: enrolment.expiresAt };
  }

  /**
   * A code for the first administrator, who is added, promoted and enabled if need be: while nobody can administer the
   * server, this name is the way in.
   */
  async inviteAdministrator(user: string): Promise<Invitation> {
    if (!userNamePattern.test(user)) throw new Failure('bad-params', `${userNameRule} (got ${JSON.stringify(user)}).`);
    const known = this.byName(user);
    if (!known) return this.invite(host, user, 'admin', firstEnrolmentMinutes);
    // The old password first: at no moment, and after no crash, may it open what is given next.
    // A certificate that was made for them stays good: nobody has lost one.
    const invitation = await this.#reset(host, user, firstEnrolmentMinutes, 0);
    if (known.scope !== null) await this.setScope(host, user, null);
    if (known.role !== 'admin') await this.setRole(host, user, 'admin');
    if (!known.enabled) await this.setEnabled(host, user, true);
    return invitation;
  }

  /**
   * A new code for an administrator who is shut out, perhaps by being disabled. Failures: `not-found`, `conflict` for
   * somebody who is none.
   */
  async recoverAdministrator(user: string): Promise<Invitation> {
    const { role } = this.named(user);
    if (role !== 'admin') {
      throw new Failure('conflict', `${user} is ${role}, not an administrator.`, {
        hint: `An administrator can change that: secure-inv user edit ${user} --role admin`,
      });
    }
    if (!this.hasAdministrator()) return this.inviteAdministrator(user);
    const invitation = await this.reset(host, user, firstEnrolmentMinutes);
    if (!invitation.user.enabled) await this.setEnabled(host, user, true);
    return invitation;
  }

  /** The user whose unexpired code this is, and nobody else than `user` if that is given; the code is spent. */
  async redeem(source: string, code: string, user: string | null): Promise<UserRecord | undefined> {
    const audit = this.#entry({ ...host, source }, 'link-opened', null);
    const userId = await this.#store.redeemEnrolment(audit, hashCode(code), audit.at, user);
    if (userId === undefined) return undefined;
    await this.#load(); // `admin-link` may have made the code, and the user, a moment ago beside this process.
    return this.byId(userId);
  }

  /** Failures: `not-found`, `conflict` for the last administrator and for making one of somebody limited. */
  async setRole(actor: Actor, user: string, role: Role): Promise<UserRecord> {
    const known = this.named(user);
    const audit = this.#entry(actor, 'user-role-changed', user, `${known.role} to ${role}`);
    return this.#keep(await this.#store.setRole(audit, known.id, role));
  }

  /** Limits a user to the locations of these names; null lifts it. Failures: `not-found`, `conflict` for administrators. */
  async setScope(actor: Actor, user: string, locations: readonly string[] | null): Promise<UserRecord> {
    const audit = this.#entry(actor, 'user-limited', user, locations?.join(', ') ?? 'everywhere');
    return this.#keep(await this.#store.setScope(audit, this.named(user).id, locations));
  }

  /** Failures: `not-found`, `conflict` for the last administrator. */
  async setEnabled(actor: Actor, user: string, enabled: boolean): Promise<UserRecord> {
    const known = this.named(user);
    // Nothing would change, and the sessions of somebody who is enabled already go on.
    if (known.enabled === enabled) return known;
    const audit = this.#entry(actor, enabled ? 'user-enabled' : 'user-disabled', user);
    return this.#keepWithoutSessions(await this.#store.setEnabled(audit, known.id, enabled));
  }

  // What a user has proven holds only while their access has not been ended since: a reset, a new password or a disabled
  // account must win against a login, an enrolment or a hash that is under way. Hence the user as of the proof.

  /** Failures: `conflict` when the user's access was ended since. */
  async setPassword(
    actor: Actor,
    event: 'user-enrolled' | 'password-changed',
    proven: UserRecord,
    passwordHash: string,
  ): Promise<UserRecord> {
    const audit = this.#entry(actor, event, proven.user);
    return this.#keepWithoutSessions(await this.#store.setPassword(audit, proven.id, passwordHash, proven.epoch));
  }

  /** Failures: as `setPassword`. */
  async setPasswordHash(proven: UserRecord, passwordHash: string): Promise<UserRecord> {
    return this.#keep(await this.#store.setPasswordHash(proven.id, passwordHash, proven.epoch));
  }

  /** Failures: as `setPassword`. */
  async addSession(actor: Actor, session: SessionRecord, proven: UserRecord): Promise<void> {
    const audit = this.#entry(actor, 'login', proven.user);
    const ended = await this.#store.addSession(audit, session, sessionsPerUserMax, proven.epoch);
    this.#changes++;
    for (const id of ended) this.#sessions.delete(id);
    this.#sessions.set(session.id, session);
    if (ended.length > 0) this.#onAccessEnded();
  }

  async rotateSession(session: SessionRecord): Promise<boolean> {
    const rotated = await this.#store.rotateSession(session);
    // A session that ended while the store rotated it stays ended.
    if (rotated) this.#changes++;
    if (rotated && this.#sessions.has(session.id)) this.#sessions.set(session.id, session);
    return rotated;
  }

  async endSession(actor: Actor, event: 'logout' | 'session-ended' | 'session-stolen', id: string): Promise<void> {
    const session = this.#sessions.get(id);
    const user = session && this.#byId.get(session.userId);
    // Memory first, and for as long as the store has not said so: nobody is let in who should not be.
    this.#ended.add(id);
    if (this.#sessions.delete(id)) this.#onAccessEnded();
    try {
      await this.#store.endSession(this.#entry(actor, event, user?.user ?? null, `session ${id}`), id);
    } catch (error) {
      // Whoever is told that nothing was changed keeps the login; only a thief must not get one back.
      if (event !== 'session-stolen') {
        this.#ended.delete(id);
        if (session) this.#sessions.set(id, session);
      }
      throw error;
    }
    this.#changes++;
    this.#ended.delete(id);
    this.#sessions.delete(id);
  }

  #entry(actor: Actor, event: AuditEvent, subject: string | null, detail: string | null = null): AuditEntry {
    return { ...actor, event, subject, detail, at: this.#now() };
  }

  #makeEnrolment(lifeMinutes: number): { code: string; enrolment: Enrolment } {
    const code = randomBytes(16).toString('base64url');
    return { code, enrolment: { hash: hashCode(code), expiresAt: this.#now() + lifeMinutes * 60_000 } };
  }

  #keep(user: UserRecord): UserRecord {
    this.#changes++;
    this.#byId.set(user.id, user);
    this.#byName.set(user.user, user);
    return user;
  }

  #keepWithoutSessions(user: UserRecord): UserRecord {
    for (const [id, session] of this.#sessions) {
      if (session.userId === user.id) this.#sessions.delete(id);
    }
    this.#keep(user);
    this.#onAccessEnded();
    return user;
  }

  async #load(): Promise<void> {
    const changes = this.#changes;
    const [users, sessions] = await Promise.all([this.#store.users(), this.#store.sessions(this.#now())]);
    // What was changed meanwhile may be newer than what was read.
    if (changes !== this.#changes) return this.#load();
    this.#byId.clear();
    this.#byName.clear();
    this.#sessions.clear();
    for (const session of sessions) if (!this.#ended.has(session.id)) this.#sessions.set(session.id, session);
    for (const user of users) {
      this.#byId.set(user.id, user);
      this.#byName.set(user.user, user);
    }
  }
}

function hashCode(code: string): Uint8Array {
  return createHash('sha256').update(code).digest();
}
