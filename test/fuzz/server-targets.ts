import { connect as connectTcp, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import type { Command } from '../../src/command/command.ts';
import { commands } from '../../src/command/index.ts';
import { integer, utf8 } from '../../src/pki/der.ts';
import { forClient, forServer } from '../../src/pki/extension.ts';
import {
  clientAuthority,
  commonName,
  dns,
  email,
  extension,
  makeOddCertificate,
  type Oddity,
  otherName,
  signatures,
  uri,
  userUri,
} from '../auth/odd-certificate.ts';
import { line } from '../support/wire-client.ts';
import { mutate, mutations } from './bytes.ts';
import { Conversation, type State } from './conversation.ts';
import { FuzzedServer, hangMilliseconds } from './fuzzed-server.ts';
import { type Nearness, type Params, paramsOf } from './params.ts';
import type { Peer } from './peer.ts';
import { defineTarget, type Target, type Trial } from './target.ts';
import { assertTight, judgeLine } from './verdict.ts';

const ids = fc.oneof(fc.integer(), fc.string({ maxLength: 64 }), fc.constantFrom(2 ** 53 - 1, '', '\ud800'));

/** A request of a command, with parameters as near to right as is said, as it stands on the wire. */
function requestOf(command: Command, nearness: Nearness): fc.Arbitrary<Buffer> {
  return fc.tuple(ids, paramsOf[nearness](command)).map(([id, params]) => Buffer.from(line(id, command.name, params)));
}

/** What hashes a password, or ends the login of whoever asks: each costs as much as hundreds of others. */
const seldom = new Set(
  ['login', 'enroll', 'passwd', 'logout', 'session.revoke'].concat([
    'user.reset',
    'user.disable',
    'user.edit',
    'user.limit',
    'token.create',
  ]),
);
const anyRequest = fc.oneof(
  ...commands.map((command) => ({
    weight: seldom.has(command.name) ? 1 : 8,
    arbitrary: fc.oneof(
      { weight: 3, arbitrary: requestOf(command, 'valid') },
      { weight: 2, arbitrary: requestOf(command, 'near-valid') },
      requestOf(command, 'invalid'),
    ),
  })),
);
/** Lines about as long as a line may be. */
const longLines = fc
  .constantFrom(4096, 65_536)
  .chain((bytes) => fc.integer({ min: bytes - 2, max: bytes + 2 }))
  .map((bytes) => Buffer.from(`${line(1, 'ping').trimEnd().padEnd(bytes)}\n`));

/** One frame, or what was one before it was mutated. */
const frame = fc.oneof(
  { weight: 4, arbitrary: anyRequest },
  { weight: 8, arbitrary: fc.tuple(anyRequest, mutations).map(([bytes, all]) => mutate(bytes, all)) },
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((text) => Buffer.from(`${text}\n`)),
  longLines,
);
const frames = fc.record({
  bytes: fc.array(frame, { minLength: 1, maxLength: 4 }).map((all) => Buffer.concat(all)),
  cuts: fc.array(fc.nat(400), { maxLength: 4 }),
});

/** The server that is shared, or one of one's own, which is then one's own to close. */
async function openServer(shared: FuzzedServer | undefined) {
  if (shared) return { server: shared, closeServer: async () => undefined };
  const server = await FuzzedServer.open();
  return { server, closeServer: () => server.close() };
}

function framesTarget(state: State): Target {
  return defineTarget(`frames, ${state}`, 50, frames, async (shared) => {
    const { server, closeServer } = await openServer(shared);
    const conversation = new Conversation(server, state, 'ada');
    return {
      server,
      attempt: ({ bytes, cuts }) => conversation.say(bytes, cuts),
      async close() {
        conversation.close();
        await closeServer();
      },
    };
  });
}

/** A request of a command, and who asks. */
export interface Asked {
  readonly command: Command;
  readonly nearness: Nearness;
  readonly user: 'ada' | 'cleo' | undefined;
  readonly params: Params;
}

/** What was tried of every command, and what came of it. */
export class Coverage {
  readonly #reached = new Map<string, Map<string, number>>();

  add({ command, nearness }: Asked, code: string | undefined): void {
    const reached = this.#reached.get(command.name) ?? new Map<string, number>();
    this.#reached.set(command.name, reached);
    for (const what of [nearness, code ?? 'done']) reached.set(what, (reached.get(what) ?? 0) + 1);
  }

  /** How often a command was reached so, or answered so. */
  count(command: Command, what: string): number {
    return this.#reached.get(command.name)?.get(what) ?? 0;
  }

  /** One line for each command. */
  get lines(): readonly string[] {
    return [...this.#reached].map(
      ([name, reached]) => `${name}: ${[...reached].map(([what, times]) => `${what} ${times}`).join(', ')}`,
    );
  }
}

/** Requests of this command, so near to right. */
export function askedOf(command: Command, nearness: Nearness): fc.Arbitrary<Asked> {
  return fc.record({
    command: fc.constant(command),
    nearness: fc.constant(nearness),
    // Once in five by somebody limited to a location, once in ten by nobody.
    user: fc.constantFrom(...(['ada', 'ada', 'ada', 'ada', 'ada', 'ada', 'ada', 'cleo', 'cleo', undefined] as const)),
    params: paramsOf[nearness](command),
  });
}

/** A trial of single requests, each of which is told to `coverage`. */
export async function openAsking(coverage: Coverage, shared?: FuzzedServer): Promise<Trial<Asked>> {
  const { server, closeServer } = await openServer(shared);
  const ada = new Conversation(server, 'logged in', 'ada');
  const cleo = new Conversation(server, 'logged in', 'cleo');
  const nobody = new Conversation(server, 'before login');
  return {
    server,
    async attempt(asked) {
      const conversation = asked.user === undefined ? nobody : asked.user === 'ada' ? ada : cleo;
      const said = await conversation.say(Buffer.from(line('asked', asked.command.name, asked.params)));
      // A key that no object may have ends the connection, under no id.
      const reply = said.find(({ id }) => id === 'asked') ?? said.find(({ id }) => id === null);
      if (!reply) throw new Error('There is no answer.');
      coverage.add(asked, reply.code);
    },
    async close() {
      for (const conversation of [ada, cleo, nobody]) conversation.close();
      await closeServer();
    },
  };
}

function commandsTarget(coverage: Coverage): Target {
  const asked = fc.oneof(
    ...commands.flatMap((command) =>
      (['valid', 'near-valid', 'invalid'] as const).map((nearness) => ({
        weight: seldom.has(command.name) ? 1 : 4,
        arbitrary: askedOf(command, nearness),
      })),
    ),
  );
  return defineTarget('commands', 100, asked, (shared) => openAsking(coverage, shared));
}

/** What a client of ours says first in a handshake. */
async function captureClientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    connect({ socket: wire, servername: '', ALPNProtocols: ['secure-inv/1'] }).on('error', () => undefined);
  });
}

/** A TLS record with anything in it; its length may be another. */
const record = fc
  .record({
    type: fc.oneof(fc.constantFrom(20, 21, 22, 23, 24), fc.nat(255)),
    version: fc.constantFrom(0x0303, 0x0301, 0x0300, 0x0304, 0, 0xffff),
    body: fc.uint8Array({ maxLength: 400 }),
    length: fc.option(fc.constantFrom(0, 1, 16_384, 16_385, 16_640, 16_641, 0xffff)),
  })
  .map(({ type, version, body, length }) => recordOf(type, version, body, length ?? body.length));

function recordOf(type: number, version: number, body: Uint8Array, length = body.length): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(type);
  header.writeUInt16BE(version, 1);
  header.writeUInt16BE(length, 3);
  return Buffer.concat([header, body]);
}

const junk = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
  { weight: 2, arbitrary: fc.array(record, { minLength: 1, maxLength: 3 }).map((all) => Buffer.concat(all)) },
  fc.constantFrom('GET / HTTP/1.1\r\n\r\n', line(1, 'ping'), '\x80\x2e\x01\x00\x02').map((text) => Buffer.from(text)),
);
const beforeTls = fc.oneof(
  fc.record({ kind: fc.constant('instead' as const), junk }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('mutated' as const), mutations, tail: fc.option(junk) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('after' as const), junk, isLoggedIn: fc.boolean() }) },
  fc.record({
    kind: fc.constant('broken' as const),
    body: fc.uint8Array({ minLength: 17, maxLength: 400 }),
    isLoggedIn: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('offer' as const),
    ALPNProtocols: fc.array(fc.constantFrom('secure-inv/1', 'secure-inv/2', 'http/1.1', 'x'.repeat(255)), {
      maxLength: 3,
    }),
    maxVersion: fc.constantFrom('TLSv1.2' as const, 'TLSv1.3' as const),
    servername: fc.constantFrom('', 'localhost', 'x.example.com'),
  }),
);

/** Long for a machine that is busy, and shorter than the time that is given to log in or to shake hands. */
const closeMilliseconds = 4000;

async function closes(socket: Socket): Promise<void> {
  const isOver = () => socket.destroyed || socket.readableEnded;
  if (isOver()) return;
  const closed = new Promise<boolean>((resolve) => {
    for (const end of ['end', 'close']) socket.once(end, () => resolve(true));
    setTimeout(() => resolve(isOver()), closeMilliseconds).unref();
  });
  if (!(await closed)) throw new Error(`The server keeps a broken connection for ${closeMilliseconds} ms.`);
}

/** Writes to a TCP socket, says that this was all, and waits for the server to close it. */
async function sendRaw(port: number, bytes: Uint8Array): Promise<void> {
  // Node sends a FIN at `end` and goes on reading only if it may be half open.
  const socket = connectTcp({ host: '127.0.0.1', port, allowHalfOpen: true });
  const answer: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => answer.push(chunk));
  try {
    socket.end(bytes);
    await closes(socket);
    const all = Buffer.concat(answer);
    assertTight(all.toString('latin1'));
    if (all.length > 0 && ![20, 21, 22, 23].includes(all[0] ?? 0)) throw new Error('What is answered is no TLS.');
  } finally {
    socket.destroy();
  }
}

const handshakes: Target = defineTarget('bytes, before TLS', 50, beforeTls, async (shared) => {
  const { server, closeServer } = await openServer(shared);
  const hello = await captureClientHello();
  const { port } = server.process;
  const after = async (junk: Buffer, isLoggedIn: boolean, isAll: boolean) => {
    const peer = isLoggedIn ? await server.connectAs('ada') : await server.connect();
    try {
      peer.raw.write(junk);
      if (isAll) peer.raw.end();
      await closes(peer.raw);
      for (const text of peer.lines) judgeLine(text, () => undefined);
    } finally {
      peer.close();
    }
  };
  return {
    server,
    async attempt(input) {
      if (input.kind === 'instead') return sendRaw(port, input.junk);
      if (input.kind === 'after') return after(input.junk, input.isLoggedIn, true);
      // A whole record that cannot be decrypted is the end, without a word more from this side.
      if (input.kind === 'broken') return after(recordOf(23, 0x0303, input.body), input.isLoggedIn, false);
      if (input.kind === 'mutated') {
        return sendRaw(port, Buffer.concat([mutate(hello, input.mutations), input.tail ?? Buffer.of()]));
      }
      // A handshake that fails is one way to be refused; one that stands is followed by an answer or the end.
      const peer = await server.connect(input).catch(() => undefined);
      if (!peer) return;
      await peer.write(Buffer.from(line(1, 'ping')));
      if (!(await peer.until(() => peer.isClosed || peer.lines.length > 0, hangMilliseconds)))
        throw new Error('Hangs.');
      peer.close();
    },
    close: closeServer,
  };
});

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('ada', '*', 'ada\0', 'a'.repeat(3000)),
);
const names = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('ada', 'ghost', 'Ada', '', 'ada\0', 'ada,URI:x').map(userUri) },
  anyText.map(uri),
  anyText.map(dns),
  anyText.map(email),
  anyText.map(otherName),
);
const oddities: fc.Arbitrary<Oddity> = fc.record(
  {
    commonName: anyText,
    serial: fc.bigInt({ min: -(2n ** 170n), max: 2n ** 170n }).map(integer),
    isVersion1: fc.boolean(),
    signature: fc.constantFrom(...Object.values(signatures)),
    notBefore: fc.constantFrom(0, Date.UTC(1951, 0, 1), Date.UTC(2049, 11, 31), Date.UTC(9999, 0, 1)),
    notAfter: fc.constantFrom(0, Date.UTC(2050, 0, 1), Date.UTC(9999, 11, 31)),
    names: fc.array(names, { maxLength: 4 }),
    purpose: fc.constantFrom(null, forClient, forServer),
    more: fc.array(
      fc
        .tuple(fc.constantFrom('2.5.29.17', '2.5.29.31', '1.2.3.4', '2.5.29.54'), fc.boolean(), anyText)
        .map(([dotted, critical, text]) => extension(dotted, critical, utf8(text))),
      { maxLength: 2 },
    ),
    subject: anyText.map(commonName),
  },
  { requiredKeys: [] },
);

const certificates: Target = defineTarget(
  'client certificates',
  25,
  fc.record({ oddity: oddities, mutations: fc.option(mutations, { freq: 3 }) }),
  async (shared) => {
    const { server, closeServer } = await openServer(shared);
    const authority = await clientAuthority(server.certs);
    return {
      server,
      async attempt({ oddity, mutations }) {
        const { cert, key } = makeOddCertificate(authority, oddity);
        const peer = await openWith(server, mutations ? mutatePem(cert, mutations) : cert, key);
        if (!peer) return;
        try {
          await peer.write(Buffer.from(line(1, 'whoami')));
          const isAnswered = await peer.until(() => peer.isClosed || peer.lines.length > 0, hangMilliseconds);
          if (!isAnswered) throw new Error('The server says nothing to this certificate.');
          for (const text of peer.lines) judgeLine(text, () => undefined);
        } finally {
          peer.close();
        }
      },
      close: closeServer,
    };
  },
);

/** Undefined when it is this end, or the handshake, that does not take such a certificate. */
async function openWith(server: FuzzedServer, cert: string, key: string): Promise<Peer | undefined> {
  try {
    return await server.connect({ cert, key });
  } catch {
    return undefined;
  }
}

function mutatePem(pem: string, all: Parameters<typeof mutate>[1]): string {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
  return `-----BEGIN CERTIFICATE-----\n${mutate(der, all).toString('base64')}\n-----END CERTIFICATE-----\n`;
}

/** What a server in a process of its own is sent over sockets, in every state that a connection has. */
export const serverTargets = (coverage: Coverage): readonly Target[] => [
  handshakes,
  certificates,
  framesTarget('before login'),
  framesTarget('logged in'),
  framesTarget('watching'),
  commandsTarget(coverage),
];
