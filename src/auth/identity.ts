import { Failure } from '../model/failure.ts';
import { failedLoginsPerConnectionMax } from '../model/limits.ts';
import type { SessionRecord, UserRecord } from '../store/store.ts';
import { isApiToken } from './api-tokens.ts';
import type { Authentication } from './authentication.ts';
import { type ClientCertificate, judgeCertificate, type PresentedCertificate, thumbprintOf } from './certificate.ts';
import { type KeyClaim, KeyProof } from './key-proof.ts';
import { assertCertified, assertEnabled, assertLive, isEnded, type Login, loginEnded } from './liveness.ts';
import { grantLogin, hashDevice, type LoginGrant, type NewLogin, rebindLogin, startLogin } from './login.ts';
import { assertOffered } from './mode.ts';
import { assertPasswordIsStrong } from './password.ts';
import { isEnough, type Principal, principalOf } from './principal.ts';
import { isTagged, refreshSession } from './session.ts';
import { addressOf, type Source } from './source.ts';
import { issuerOf, parseAccessToken } from './token.ts';

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

const hint = 'Run: secure-inv login';

/**
 * What one connection has proven so far. It remembers claims, not permissions: `principal` judges them anew at every
 * request against the live user, session and clock, so nothing is trusted because it was true when the connection began.
 */
export class Identity {
  readonly #auth: Authentication;
  readonly #address: string;
  readonly #certificate: ClientCertificate | null;
  #login: Login | null = null;
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
    if (this.#certificate) assertCertified(auth, this.#certificate);
  }

  /** Whether commands may be sent at all: somebody is logged in, however long ago. */
  get isLoggedIn(): boolean {
    return this.#login !== null || isEnough(this.#certificate, this.#auth.mode);
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

  /** Refuses what this `auth.mode` does not offer here. Failures: `login-required`. */
  assertOffered(command: string): void {
    const hasCertificate = this.#certificate !== null;
    assertOffered(command, this.#auth.mode, { hasCertificate, hasEnrolled: this.#hasEnrolled });
  }

  /** Who is asking now. Failures: `login-required`, `session-expired`, `certificate-refused`. */
  principal(): Principal {
    return principalOf(this.#auth, this.#login, this.#certificate);
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
      throw new Failure('login-failed', 'Wrong user or password.', {
        hint: `Try again, or ask an administrator for: secure-inv user reset ${name}`,
      });
    }
    attempt.succeed();
    if (now.passwordHash !== null && hasher.isOutdated(now.passwordHash)) {
      await accounts.setPasswordHash(now, await hasher.hash(password, { ...source, isKnown: true }));
    }
    return this.#renew(() => this.#start(now, device));
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
    assertLive(this.#auth, token);
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
        return grantLogin(this.#auth, this.#assertBearer(refreshed.session), refreshed);
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
    if (this.#certificate) assertCertified(this.#auth, this.#certificate);
    if (this.#login && this.#renewals === 0 && isEnded(this.#auth.accounts, this.#login)) throw loginEnded();
  }

  /** The connection is gone. */
  close(): void {
    if (this.#enrolling !== null) this.#auth.onEnrolmentAbandoned();
  }

  /** What is known of whoever wants to log in as this user, whether or not there is one. */
  async #sourceOf(name: string, device: string | undefined): Promise<Source> {
    const { accounts, store, now } = this.#auth;
    const address = addressOf(this.#address);
    const hash = device === undefined ? undefined : hashDevice(device);
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
      this.#start(await accounts.setPassword(actor, event, user, passwordHash), undefined),
    );
  }

  /** Gives this connection another login. Failures: `session-expired` when that one was ended meanwhile already. */
  async #renew(open: () => Promise<NewLogin>): Promise<LoginGrant> {
    this.#renewals++;
    try {
      const { login, grant } = await open();
      this.#login = login;
      if (isEnded(this.#auth.accounts, login)) throw loginEnded();
      return grant;
    } finally {
      this.#renewals--;
    }
  }

  async #rebind({ userId, sessionId }: Principal, thumbprint: string): Promise<LoginGrant | undefined> {
    const { accounts } = this.#auth;
    const session = sessionId === null ? undefined : accounts.session(sessionId);
    const user = accounts.byId(userId);
    if (!user || !session || session.certificate === null) return undefined;
    const from = { certificate: thumbprint, source: this.#address };
    return this.#renew(() => rebindLogin(this.#auth, user, from, session));
  }

  async #start(user: UserRecord, device: string | undefined): Promise<NewLogin> {
    const from = { certificate: this.#certificate?.thumbprint ?? null, source: this.#address };
    const started = await startLogin(this.#auth, user, from, device);
    this.#failedLogins = 0;
    return started;
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
    const user = assertEnabled(this.#auth.accounts, userId);
    if (!this.#isCertifiedAs(user) || (this.#login !== null && this.#login.userId !== userId)) {
      throw new Failure('login-required', 'This token belongs to another user than this connection.', { hint });
    }
    return user;
  }
}
