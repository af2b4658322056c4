import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { type AuthMode, needsCertificate } from '../../src/model/user.ts';
import { clientAuthority, type KeyPair, makeOddCertificate, userUri } from '../auth/odd-certificate.ts';
import { line, testPassword } from '../support/wire-client.ts';
import type { Actors } from './actors.ts';
import type { Peer } from './peer.ts';
import { Pulse } from './pulse.ts';
import { againIfSlow, assertSoon, hangMilliseconds } from './slow.ts';
import { judgeLine, type Said } from './verdict.ts';

/** The server that is kept. */
interface Kept {
  readonly mode: AuthMode;
  readonly certs: string;
  connect(options?: ConnectionOptions): Promise<Peer>;
}

/** What opens a connection that is logged in. */
interface Credentials {
  readonly token: string;
  /** Where there must be one. */
  readonly certificate: KeyPair | undefined;
}

/** Together somewhat more than the minute after which whoever did too much may go on. */
const busyMilliseconds = 5000;
const busyAttemptsMax = 15;
const connectAttemptsMax = 3;

const keeperName = 'keeper-of-the-others';
/** Somebody who has never come: enrolment codes are theirs. */
const newcomer = 'newcomer';

/** An administrator whose name no input has: whatever the actors do to themselves, the keeper sets them right again. */
export class Keeper {
  readonly #server: Kept;
  readonly #actors: Actors;
  #peer: Peer | undefined;
  #pulse: Pulse | undefined;
  #asked = 0;

  constructor(server: Kept, actors: Actors) {
    this.#server = server;
    this.#actors = actors;
  }

  /** Comes in by the first administrator's code, and makes the actors and some stock. */
  async settle(code: string | undefined): Promise<void> {
    const first = await this.#logIn((await this.#enroll('admin', code)).credentials);
    const { result } = await this.#ask(first, 'user.add', { user: keeperName, role: 'admin' });
    first.close();
    const { credentials } = await this.#enroll(keeperName, result?.['code']);
    this.#peer = await this.#logIn(credentials);
    for (const user of this.#actors.names) await this.restore(user);
    const lines = ['Maggi', 'Soap', 'Salt'].flatMap((item) =>
      ['main', 'cellar'].map((location) => ({ item, quantity: 100, location })),
    );
    await this.#ask(this.#peer, 'add', { lines, operation: '5b3b1a34-7d1f-4b52-a2a0-6f2b0c5f9a11' });
    this.#pulse = new Pulse(await this.#logIn(credentials));
  }

  /** A connection of one of the actors, who is set right before if that is called for. */
  async connectAs(user: string): Promise<Peer> {
    for (let attempt = 1; ; attempt++) {
      const { has, certificate } = this.#actors.of(user);
      try {
        return await this.#logIn({ token: has.get('<access>') ?? '', certificate });
      } catch (error) {
        if (attempt === connectAttemptsMax) throw new Error(`${user} cannot be set right.`, { cause: error });
        // A handshake that a busy machine was too slow for ends without a word, as does one with a dead certificate.
        if (error instanceof Refused || attempt > 1) await this.restore(user);
      }
    }
  }

  /** Gives somebody a new login, and what they may do back. What of it was not amiss is refused, which is fine. */
  async restore(user: string, attempt = 0): Promise<void> {
    const { role, location } = this.#actors.of(user);
    const asKeeper = this.#present;
    const ask = (method: string, params: object) => this.#ask(asKeeper, method, params);
    await ask('user.add', { user, role });
    await ask('user.enable', { user });
    await ask('user.limit', { user, everywhere: true });
    await ask('user.edit', { user, role });
    if (location !== undefined) {
      await ask('location.add', { location });
      await ask('user.limit', { user, locations: [location] });
    }
    const { result, code } = await ask('user.reset', { user });
    if (!result) throw new Error(`The keeper cannot reset ${user}: ${code}`);
    const enrolled = await this.#enroll(user, result['code']).catch((error: unknown) => {
      if (error instanceof Refused && error.code === 'busy' && attempt < busyAttemptsMax) return undefined;
      throw error;
    });
    if (!enrolled) {
      // Nobody may log in more often than ownChangesPerMinuteMax, and this one did.
      await sleep(busyMilliseconds);
      return this.restore(user, attempt + 1);
    }
    const { grant, credentials } = enrolled;
    this.#actors.equip(user, grant, credentials.certificate);
    // What others might have found of theirs, from the beginning on.
    this.#actors.learn(user, await ask('token.create', { name: 'found', role: 'viewer', user }));
    const peer = await this.#logIn(credentials);
    this.#actors.learn(user, await this.#ask(peer, 'session.list'));
    peer.close();
    const invited = await ask('user.add', { user: newcomer, role: 'viewer' });
    this.#actors.learn(user, invited.result ? invited : await ask('user.reset', { user: newcomer }));
  }

  /** Throws when the server does not answer. */
  async assertAnswered(): Promise<void> {
    const asKeeper = this.#present;
    await againIfSlow(() => this.#ask(asKeeper, 'ping'));
  }

  /** The longest that somebody waits who only asks whether the server is there. */
  longestWaitDuring(what: () => Promise<void>): Promise<number> {
    if (!this.#pulse) throw new Error('Nobody asks whether the server is there.');
    return this.#pulse.longestDuring(what);
  }

  close(): void {
    this.#peer?.close();
    this.#pulse?.close();
  }

  get #present(): Peer {
    if (!this.#peer) throw new Error('Nobody keeps this server.');
    return this.#peer;
  }

  /** A new password by a code, and a certificate where that is needed. More than a few an hour the server would not issue. */
  async #enroll(user: string, code: unknown) {
    const peer = await this.#server.connect();
    const redeemed = await this.#ask(peer, 'enroll', { code });
    const { result: grant, code: why } = await this.#ask(peer, 'enroll', { password: testPassword });
    peer.close();
    if (!grant) throw new Refused(user, redeemed.code ?? why);
    const certificate = needsCertificate(this.#server.mode) ? await this.#certify(user) : undefined;
    return { grant, credentials: { token: String(grant['accessToken']), certificate } };
  }

  /** A certificate from this very moment on: what was issued before a reset is good for nothing. */
  async #certify(user: string): Promise<KeyPair> {
    const authority = await clientAuthority(this.#server.certs);
    const { cert, key } = makeOddCertificate(authority, {
      names: [userUri(user)],
      commonName: user,
      notBefore: Date.now(),
    });
    return { cert, key };
  }

  /** Throws `Refused`. */
  async #logIn({ token, certificate }: Credentials): Promise<Peer> {
    const peer = await this.#server.connect(certificate ?? {});
    try {
      const isKnown = this.#server.mode === 'mutual'; // By the certificate alone.
      const asking = isKnown ? this.#ask(peer, 'whoami') : this.#ask(peer, 'authenticate', { token });
      const { result, code } = await asking;
      if (!result) throw new Refused('Somebody', code);
      return peer;
    } catch (error) {
      peer.close();
      throw error;
    }
  }

  async #ask(peer: Peer, method: string, params: object = {}): Promise<Said> {
    const id = `keeper-${++this.#asked}`;
    const since = performance.now();
    peer.lines.length = 0;
    await peer.write(Buffer.from(line(id, method, params)));
    const isReply = (text: string) => text.includes(`"id":"${id}"`);
    if (!(await peer.until(() => peer.isClosed || peer.lines.some(isReply), hangMilliseconds))) {
      throw new Error(`${method} of somebody else is not answered within ${hangMilliseconds} ms.`);
    }
    const text = peer.lines.find(isReply);
    if (text === undefined) throw new Error(`The connection of somebody else was closed: ${peer.lines.join('\n')}`);
    // Only a server that has just begun loads the code that it works with.
    if (this.#pulse) assertSoon(`${method} of somebody else`, performance.now() - since);
    return judgeLine(text, () => undefined);
  }
}

/** Somebody was refused who is to be let in. */
class Refused extends Error {
  readonly code: string | undefined;

  constructor(user: string, code: string | undefined) {
    super(`${user} is refused: ${code}`);
    this.code = code;
  }
}
