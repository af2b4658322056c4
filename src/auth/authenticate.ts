import { createHash, randomBytes } from 'node:crypto';
import type { ClientTrust } from '../model/client-trust.ts';
import { Failure } from '../model/failure.ts';
import { clockSkewSeconds, deviceDays, failedLoginsPerConnectionMax } from '../model/limits.ts';
import { type AuthMode, permissionsOf, permissionsOfToken, type Rights, type Role } from '../model/user.ts';
import type { ApiTokenRecord, SessionRecord, Store, UserRecord } from '../store/store.ts';
import type { Accounts } from './accounts.ts';
import type { Allowance } from './allowance.ts';
import { isApiToken } from './api-tokens.ts';
import {
  assertStillTrusted,
  type ClientCertificate,
  certificateRefused,
  judgeCertificate,
  type PresentedCertificate,
  thumbprintOf,
} from './certificate.ts';
import type { ClientIssue } from './client-issue.ts';
import { type KeyClaim, KeyProof } from './key-proof.ts';
import type { KeyRing } from './key-ring.ts';
import { assertPasswordIsStrong, type PasswordHasher, type PasswordSettings } from './password.ts';
import { isTagged, type RefreshedSession, refreshSession, startSession, type TokenSettings } from './session.ts';
import { addressOf, type Source } from './source.ts';
import type { Throttle } from './throttle.ts';
import { formatAccessToken, issuerOf, parseAccessToken, sessionExpired } from './token.ts';

/** Everything that decides who is who on one server. */
export interface Authentication {
  readonly mode: AuthMode;
  readonly accounts: Accounts;
  readonly store: Store;
  /** By what client certificates are judged now. */
  readonly clientTrust: () => ClientTrust;
  /** Who gets a client certificate from this server itself. */
  readonly clientIssue: ClientIssue;
  readonly hasher: PasswordHasher;
  readonly throttle: Throttle;
  readonly allowance: Allowance;
  /** The ring as it is now: asked for at each use, because keys rotate. */
  readonly keys: () => KeyRing;
  readonly passwords: PasswordSettings;
  readonly tokens: TokenSettings;
  /** Words that no password may lean on: the product's, the host's. */
  readonly knownWords: readonly string[];
  readonly now: () => number;
  /** Called when somebody spent an enrolment code and left without setting a password. */
  readonly onEnrolmentAbandoned: () => void;
  /** Called when a refresh token came again that was spent before: from `source`, for this session, which ends. */
  readonly onTheft: (session: SessionRecord, source: string) => void;
}

/** Who is asking, as of this request. */
export interface Principal extends Rights {
  readonly userId: number;
  readonly user: string;
  readonly role: Role;
  /** How they proved it, as the ledger records it. */
  readonly credential: string;
  readonly sessionId: string | null;
  /** The API token that they showed, if it was one. */
  readonly apiToken: Pick<ApiTokenRecord, 'id' | 'name'> | null;
  /** When the access token or API token, or without one the certificate, ends. */
  readonly expiresAt: number;
  readonly certificate: ClientCertificate | null;
}

/** What a login, an enrolment or a refresh gives. */
export interface LoginGrant {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAt: number;
  readonly user: string;
  readonly role: Role;
  readonly device?: string;
}

/** A client certificate that was issued over a connection. */
export interface ClientCertificateGrant {
  /** DER, base64, of the leaf alone. */
  readonly certificate: string;
  readonly user: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly expiresAt: number;
  /** The login that was bound to the certificate before goes on with this, bound to the new one. */
  readonly login?: LoginGrant;
}

interface TokenLogin {
  readonly userId: number;
  readonly sessionId: string;
  readonly epoch: number;
  readonly expiresAt: number;
}

interface ApiTokenLogin {
  readonly userId: number;
  readonly apiTokenId: string;
}

const hint = 'Run: secure-inv login';
const wrongLogin = 'Wrong user or password.';

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

/**
 * What one connection has proven so far. It remembers claims, not permissions: `principal` judges them anew at every
 * request against the live user, session and clock, so nothing is trusted because it was true when the connection began.
 */
export class Identity {
  readonly #auth: Authentication;
  readonly #address: string;
  readonly #certificate: ClientCertificate | null;
  #login: TokenLogin | ApiTokenLogin | null = null;
  #enrolling: UserRecord | null = null;
  /** Whether a password was set here with an enrolment code, and no certificate was issued since. */
  #hasEnrolled = false;
  readonly #keyProof = new KeyProof();
  #failedLogins = 0;
  /** Logins under way here: they may end what this connection rests on, and give it another. */
  #renewals = 0;

  /** Failures: `certificate-refused` when a certificate was shown and is not good. */
  constructor(auth: Authentication, address: string, presented: PresentedCertificate | null) {
    this.#auth = auth;
    this.#address = address;
    this.#certificate = presented && auth.mode !== 'token' ? judgeCertificate(presented, auth.clientTrust()) : null;
    if (this.#certificate) this.#certifiedUser(this.#certificate);
  }

  /** Whether commands may be sent at all: somebody is logged in, however long ago. */
  get isLoggedIn(): boolean {
    return this.#login !== null || (this.#certificate !== null && this.#auth.mode !== 'both');
  }

  /** Whose connection this is: by what was proven here, whether or not it still holds. */
  get userId(): number | undefined {
    if (this.#login) return this.#login.userId;
    return this.#certificate ? this.#auth.accounts.byName(this.#certificate.user)?.id : undefined;
  }

  /** Whether somebody redeemed an enrolment code here and is choosing a password. */
  get isEnrolling(): boolean {
    return this.#enrolling !== null;
  }

  /** Three wrong logins are enough for one connection. */
  get isWornOut(): boolean {
    return this.#failedLogins >= failedLoginsPerConnectionMax;
  }

  /**
   * Refuses what this `auth.mode` does not offer to somebody without (or with) a certificate: the table at the end of
   * protocol.md. Failures: `login-required`.
   */
  assertOffered(command: string): void {
    const { mode } = this.#auth;
    const certificateIsMissing = (mode === 'mutual' || mode === 'both') && this.#certificate === null;
    const isFirstCertificate = this.#hasEnrolled && (command === 'cert.challenge' || command === 'cert.request');
    if (certificateIsMissing && command !== 'hello' && command !== 'enroll' && !isFirstCertificate) {
      throw new Failure('login-required', 'This server asks for a client certificate.', {
        hint: 'Ask the operator for one (npm run gen-certs -- client NAME), then use --cert FILE --key FILE.',
      });
    }
    if (mode === 'mutual' && (command === 'login' || command === 'authenticate' || command === 'refresh')) {
      throw new Failure('login-required', 'This server knows its users by certificate alone.', {
        hint: 'Use --cert FILE --key FILE, without logging in.',
      });
    }
  }

  /** Who is asking now. Failures: `login-required`, `session-expired`, `certificate-refused`. */
  principal(): Principal {
    const certified = this.#certificate && this.#certifiedUser(this.#certificate);
    if (!this.#login) {
      if (!certified || !this.#certificate || this.#auth.mode === 'both') {
        throw new Failure('login-required', 'You are not logged in.', { hint });
      }
      return {
        ...named(certified),
        credential: `certificate:${this.#certificate.serial}`,
        sessionId: null,
        apiToken: null,
        expiresAt: this.#certificate.notAfter,
        certificate: this.#certificate,
      };
    }
    if ('apiTokenId' in this.#login) return this.#machine(this.#login);
    const { sessionId, expiresAt } = this.#login;
    const user = this.#assertLive(this.#login);
    return {
      ...named(user),
      credential: this.#credential(`session:${sessionId}`),
      sessionId,
      apiToken: null,
      expiresAt,
      certificate: this.#certificate,
    };
  }

  #machine({ userId, apiTokenId }: ApiTokenLogin): Principal {
    const { accounts, now } = this.#auth;
    const token = accounts.apiTokens.assertGood(apiTokenId, now());
    const owner = this.#assertEnabled(userId);
    accounts.apiTokens.noteUse(token, now());
    return {
      ...named(owner),
      role: token.role,
      permissions: permissionsOfToken(token.role, owner.role),
      credential: this.#credential(`token:${token.id}`),
      sessionId: null,
      apiToken: token,
      expiresAt: token.expiresAt,
      certificate: this.#certificate,
    };
  }

  #credential(proof: string): string {
    return this.#certificate ? `certificate:${this.#certificate.serial} ${proof}` : proof;
  }

  /** Who is asking, if somebody has proven that and it holds: for what is told about a refusal. */
  known(): Principal | undefined {
    try {
      return this.principal();
    } catch (error) {
      if (error instanceof Failure) return undefined;
      throw error;
    }
  }

  /**
   * Logs in with a password. Unknown, disabled and not enrolled users cost and say the same as a wrong password.
   * Failures: `login-failed`, `busy`.
   */
  async login(name: string, password: string, device: string | undefined): Promise<LoginGrant> {
    const { accounts, hasher, throttle } = this.#auth;
    const source = await this.#sourceOf(name, device);
    const user = accounts.byName(name);
    using attempt = throttle.login(name, user?.id, source);
    const passwordHash = user?.enabled && !attempt.isShutOut ? user.passwordHash : null;
    const right = await hasher.verify(passwordHash, password, source);
    // The hash may have changed during the check, in which case this password is no longer proof of anything.
    const now = user && accounts.byId(user.id);
    if (!right || !now?.enabled || now.passwordHash !== passwordHash || !this.#isCertifiedAs(now)) {
      attempt.fail();
      this.#failedLogins++;
      throw new Failure('login-failed', wrongLogin, {
        hint: `Try again, or ask an administrator for: secure-inv user reset ${name}`,
      });
    }
    attempt.succeed();
    if (now.passwordHash !== null && hasher.isOutdated(now.passwordHash)) {
      await accounts.setPasswordHash(now, await hasher.hash(password, { ...source, isKnown: true }));
    }
    return this.#renew(() => this.#grantNewSession(now, device));
  }

  /** Spends an enrolment code and binds it to this connection. Failures: `login-failed`, `busy`. */
  async redeem(code: string): Promise<UserRecord> {
    const { accounts, throttle } = this.#auth;
    using attempt = throttle.reserveAddress(addressOf(this.#address));
    // Another user's certificate must not spend the code.
    const user = await accounts.redeem(this.#address, code, this.#certificate?.user ?? null);
    if (!user?.enabled) {
      attempt.fail();
      this.#failedLogins++;
      throw new Failure('login-failed', 'This enrolment link was used already, has expired, or never was one.', {
        hint: 'Ask an administrator for a new one: secure-inv user reset NAME (the first administrator finds a new one where the server runs).',
      });
    }
    this.#enrolling = user;
    return user;
  }

  /** Sets the password of the user whose code was redeemed here, and logs in. Failures: `bad-params`, `busy`. */
  async enroll(password: string): Promise<LoginGrant> {
    if (!this.#enrolling) {
      throw new Failure('login-required', 'Redeem an enrolment code on this connection first.', {
        hint: 'Run: secure-inv enroll',
      });
    }
    const grant = await this.#setPassword('user-enrolled', this.#enrolling, password);
    this.#enrolling = null;
    this.#hasEnrolled = true;
    return grant;
  }

  /** A nonce to prove the possession of a new key with. Failures: as `ClientIssue.assertMay`, `principal`. */
  challengeKey(): string {
    const { clientIssue, now } = this.#auth;
    clientIssue.assertMay(this.principal(), this.#hasEnrolled);
    return this.#keyProof.challenge(now());
  }

  /** A certificate of the principal's for that key. Failures: as `challengeKey`, `KeyProof.verify`, `ClientIssue.issue`. */
  async requestCertificate(claim: KeyClaim): Promise<ClientCertificateGrant> {
    const { accounts, clientIssue, store, now } = this.#auth;
    const asking = this.principal();
    const { userId, user, credential } = asking;
    clientIssue.assertMay(asking, this.#hasEnrolled);
    const key = this.#keyProof.verify(claim, user, now());
    const hasEnrolled = this.#hasEnrolled;
    this.#hasEnrolled = false; // Before waiting: an enrolment is good for one certificate.
    // Not from before a reset, even in the second of it: such are refused.
    const issuedAt = Math.max(now(), accounts.byId(userId)?.certificatesFrom ?? 0);
    const issued = await clientIssue.issue(userId, user, key, issuedAt).catch((error: unknown) => {
      this.#hasEnrolled = hasEnrolled;
      throw error;
    });
    // Before it is handed out: what is not written down was not given.
    const actor = { user, credential, source: this.#address };
    const detail = `serial ${issued.serialNumber}`;
    await store.audit({ ...actor, event: 'certificate-issued', subject: user, detail, at: now() });
    // Again: whose access was ended meanwhile gets nothing that outlives it.
    const still = this.principal();
    if (still.userId !== userId) throw loginEnded();
    const login = await this.#rebind(still, thumbprintOf(issued));
    return {
      certificate: issued.raw.toString('base64'),
      user,
      serial: issued.serialNumber.toLowerCase(),
      expiresAt: issued.validToDate.getTime(),
      ...(login ? { login } : {}),
    };
  }

  /** Changes the principal's password; every other login of theirs ends. Failures: `login-failed`, `bad-params`, `busy`. */
  async changePassword(current: string, password: string): Promise<LoginGrant> {
    const principal = this.principal();
    if (principal.apiToken) {
      throw new Failure('forbidden', 'Somebody logged in by an API token cannot change the password.', { hint });
    }
    const user = this.#auth.accounts.byId(principal.userId);
    // Who is logged in is no stranger, and must not find the password by trying either.
    const key = principal.sessionId === null ? this.#certificateKey : `session:${principal.sessionId}`;
    const source = { key, isKnown: true, address: addressOf(this.#address) };
    using attempt = this.#auth.throttle.login(principal.user, principal.userId, source);
    const right = await this.#auth.hasher.verify(user?.passwordHash ?? null, current, source);
    if (!user || !right) {
      attempt.fail();
      this.#failedLogins++;
      throw new Failure('login-failed', 'The current password is wrong.', { hint: 'Nothing was changed. Try again.' });
    }
    attempt.succeed();
    return this.#setPassword('password-changed', user, password, principal.credential);
  }

  /** Logs in with an access or API token, for the same user only. Failures: `login-required`, `session-expired`. */
  authenticate(accessToken: string): Principal {
    const { accounts, keys, store, now } = this.#auth;
    if (isApiToken(accessToken)) {
      const { id: apiTokenId, userId } = accounts.apiTokens.find(accessToken, now());
      this.#assertBearer({ userId, certificate: null });
      this.#login = { userId, apiTokenId };
      return this.principal();
    }
    const token = parseAccessToken(accessToken, keys(), issuerOf(store.id), now());
    this.#assertLive(token);
    this.#assertBearer(token);
    this.#login = token;
    return this.principal();
  }

  /** Exchanges a refresh token and logs in with the new access token. Failures: as `authenticate`, `busy`. */
  async refresh(refreshToken: string): Promise<LoginGrant> {
    const { accounts, keys, throttle, tokens, now } = this.#auth;
    // What strangers fail at the same address must log nobody out, and what is ours or was is no guess.
    using attempt = isTagged(refreshToken, keys()) ? undefined : throttle.reserveAddress(addressOf(this.#address));
    const watch = {
      source: this.#address,
      assertBearer: (session: SessionRecord) => void this.#assertBearer(session),
      onTheft: (session: SessionRecord) => this.#auth.onTheft(session, this.#address),
    };
    try {
      return await this.#renew(async () => {
        const refreshed = await refreshSession(accounts, keys(), tokens, refreshToken, watch, now());
        return this.#grant(this.#assertBearer(refreshed.session), refreshed);
      });
    } catch (error) {
      // A login that has run out is nobody's guess either.
      if (error instanceof Failure && error.code === 'login-required') attempt?.fail();
      throw error;
    }
  }

  /** Ends the session, everywhere; a certificate stays what it is, and an API token is good elsewhere. */
  async logout(): Promise<void> {
    const login = this.#login;
    if (!login) return;
    const { user, credential } = this.principal();
    this.#login = null;
    if (!('sessionId' in login)) return;
    await this.#auth.accounts.endSession({ user, credential, source: this.#address }, 'logout', login.sessionId);
  }

  /**
   * Refuses a connection whose access was ended, or whose certificate is not good any more. A token that is merely past
   * its time is left to the next request, which may be a refresh. Failures: `certificate-refused`, `session-expired`.
   */
  assertNotEnded(): void {
    if (this.#certificate) this.#certifiedUser(this.#certificate);
    if (this.#login && this.#renewals === 0 && this.#isEnded(this.#login)) throw loginEnded();
  }

  /** The connection is gone. */
  close(): void {
    if (this.#enrolling !== null) this.#auth.onEnrolmentAbandoned();
  }

  /** What is known of whoever wants to log in as this user, whether or not there is one. */
  async #sourceOf(name: string, device: string | undefined): Promise<Source> {
    const { accounts, store, now } = this.#auth;
    const address = addressOf(this.#address);
    const hash = device === undefined ? undefined : sha256(device);
    // Nobody has the id 0; the question takes as long.
    if (hash && (await store.hasDevice(accounts.byName(name)?.id ?? 0, hash, now()))) {
      return { key: `device:${Buffer.from(hash).toString('base64url')}`, isKnown: true, address };
    }
    if (this.#certificate?.user === name) return { key: this.#certificateKey, isKnown: true, address };
    return { key: `address:${address}`, isKnown: false, address };
  }

  get #certificateKey(): string {
    return `certificate:${this.#certificate?.thumbprint}`;
  }

  async #setPassword(
    event: 'user-enrolled' | 'password-changed',
    user: UserRecord,
    password: string,
    credential: string | null = null,
  ): Promise<LoginGrant> {
    const { accounts, hasher, passwords, knownWords } = this.#auth;
    await assertPasswordIsStrong(password, passwords, [...knownWords, user.user]);
    const passwordHash = await hasher.hash(password, { address: addressOf(this.#address), isKnown: true });
    const actor = { user: user.user, credential, source: this.#address };
    return this.#renew(async () =>
      this.#grantNewSession(await accounts.setPassword(actor, event, user, passwordHash), undefined),
    );
  }

  /** Gives this connection another login. Failures: `session-expired` when that one was ended meanwhile already. */
  async #renew<T>(login: () => Promise<T>): Promise<T> {
    this.#renewals++;
    try {
      const granted = await login();
      if (this.#login && this.#isEnded(this.#login)) throw loginEnded();
      return granted;
    } finally {
      this.#renewals--;
    }
  }

  /** A login for a new certificate in place of one that is bound to the old: as long as that one, and not a moment more. */
  async #rebind({ userId, sessionId }: Principal, thumbprint: string): Promise<LoginGrant | undefined> {
    const { accounts, keys, tokens, now } = this.#auth;
    const session = sessionId === null ? undefined : accounts.session(sessionId);
    const user = accounts.byId(userId);
    if (!user || !session || session.certificate === null) return undefined;
    const from = { certificate: thumbprint, source: this.#address };
    return this.#renew(async () =>
      this.#grant(user, await startSession(accounts, keys(), tokens, user, from, now(), session.expiresAt)),
    );
  }

  async #grantNewSession(user: UserRecord, device: string | undefined): Promise<LoginGrant> {
    const { accounts, allowance, keys, store, tokens, now } = this.#auth;
    allowance.spend(user.id);
    const known = device !== undefined && (await store.hasDevice(user.id, sha256(device), now()));
    const kept = known ? device : randomBytes(16).toString('base64url');
    const from = { certificate: this.#certificate?.thumbprint ?? null, source: this.#address };
    // In one commit, and so refused together within a second when the store cannot write.
    const [session] = await Promise.all([
      startSession(accounts, keys(), tokens, user, from, now()),
      store.addDevice(user.id, sha256(kept), now() + deviceDays * 86_400_000),
    ]);
    this.#failedLogins = 0;
    return { ...this.#grant(user, session), device: kept };
  }

  #grant(user: UserRecord, { session, refreshToken }: RefreshedSession): LoginGrant {
    const { keys, store, tokens, now } = this.#auth;
    const expiresAt = Math.min(now() + tokens.accessMinutes * 60_000, session.expiresAt);
    const login = { userId: user.id, sessionId: session.id, epoch: user.epoch, expiresAt };
    const token = { ...login, certificate: session.certificate };
    this.#login = login;
    return {
      accessToken: formatAccessToken(token, keys(), issuerOf(store.id), now()),
      refreshToken,
      expiresAt,
      user: user.user,
      role: user.role,
    };
  }

  #assertLive({ userId, sessionId, epoch, expiresAt }: TokenLogin): UserRecord {
    const { accounts, now } = this.#auth;
    if (now() >= expiresAt + clockSkewSeconds * 1000) throw sessionExpired(expiresAt);
    const user = this.#assertEnabled(userId);
    if (user.epoch !== epoch || accounts.session(sessionId)?.userId !== userId) throw loginEnded();
    return user;
  }

  #assertEnabled(userId: number): UserRecord {
    const user = this.#auth.accounts.byId(userId);
    if (!user) throw loginEnded();
    if (user.enabled) return user;
    throw new Failure('login-required', 'This account is disabled.', { hint: 'Ask an administrator.' });
  }

  #isEnded(login: TokenLogin | ApiTokenLogin): boolean {
    const { accounts } = this.#auth;
    const user = accounts.byId(login.userId);
    if (!user?.enabled) return true;
    if ('apiTokenId' in login) return accounts.apiTokens.byId(login.apiTokenId) === undefined;
    return user.epoch !== login.epoch || accounts.session(login.sessionId)?.userId !== user.id;
  }

  #certifiedUser(certificate: ClientCertificate): UserRecord {
    const user = this.#auth.accounts.byName(certificate.user);
    if (!user?.enabled) throw certificateRefused('unknown-user');
    if (certificate.issuedAt < user.certificatesFrom) throw certificateRefused('revoked');
    assertStillTrusted(certificate, this.#auth.clientTrust(), this.#auth.now());
    return user;
  }

  #isCertifiedAs(user: UserRecord): boolean {
    return this.#certificate === null || this.#certificate.user === user.user;
  }

  /** The user of a token, who must be this connection's, by login and by certificate. Failures: `login-required`. */
  #assertBearer({ userId, certificate }: Pick<SessionRecord, 'userId' | 'certificate'>): UserRecord {
    // A bound token is worth nothing without its certificate: RFC 8705 section 3.
    if (certificate !== null && certificate !== this.#certificate?.thumbprint) {
      throw new Failure('login-required', 'This token is bound to another certificate.', { hint });
    }
    const user = this.#assertEnabled(userId);
    if (!this.#isCertifiedAs(user) || (this.#login !== null && this.#login.userId !== userId)) {
      throw new Failure('login-required', 'This token belongs to another user than this connection.', { hint });
    }
    return user;
  }
}

function named({ id, user, role, scope }: UserRecord): Pick<Principal, 'userId' | 'user' | 'role' | keyof Rights> {
  return { userId: id, user, role, permissions: permissionsOf(role), scope };
}

function loginEnded(): Failure {
  return new Failure('session-expired', 'This login was ended.', { hint });
}
