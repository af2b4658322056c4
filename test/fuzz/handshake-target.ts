import { connect as connectTcp, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { line } from '../support/wire-client.ts';
import { mutate, mutations } from './bytes.ts';
import { openServer, type State } from './fuzzed-server.ts';
import { answerMillisecondsMax, assertSoon, hangMilliseconds, Slow } from './slow.ts';
import { defineTarget, type Target } from './target.ts';
import { assertTight, judgeLine } from './verdict.ts';

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
const states = fc.constantFrom<State>('before login', 'logged in', 'watching');
const tlsInputs = fc.oneof(
  fc.record({ kind: fc.constant('instead' as const), junk }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('mutated' as const), mutations, tail: fc.option(junk) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('after' as const), junk, state: states }) },
  fc.record({
    kind: fc.constant('broken' as const),
    body: fc.uint8Array({ minLength: 17, maxLength: 400 }),
    state: states,
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

async function closes(socket: Socket): Promise<void> {
  const isOver = () => socket.destroyed || socket.readableEnded;
  if (isOver()) return;
  const closed = new Promise<boolean>((resolve) => {
    for (const end of ['end', 'close']) socket.once(end, () => resolve(true));
    setTimeout(() => resolve(isOver()), answerMillisecondsMax).unref();
  });
  if (!(await closed)) throw new Slow('To end a broken connection', answerMillisecondsMax);
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

/** Bytes in the place of TLS, or in the midst of it. */
export const handshakes: Target = defineTarget('bytes, before TLS', 50, tlsInputs, async (shared) => {
  const { server, closeServer } = await openServer(shared);
  const hello = await captureClientHello();
  const { port } = server.process;
  const after = async (junk: Buffer, state: State, isAll: boolean) => {
    const peer = await server.connectIn(state, 'ada');
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
      if (input.kind === 'after') return after(input.junk, input.state, true);
      // A whole record that cannot be decrypted is the end, without a word more from this side.
      if (input.kind === 'broken') return after(recordOf(23, 0x0303, input.body), input.state, false);
      if (input.kind === 'mutated') {
        return sendRaw(port, Buffer.concat([mutate(hello, input.mutations), input.tail ?? Buffer.of()]));
      }
      // A handshake that fails is one way to be refused; one that stands is followed by an answer or the end.
      const since = performance.now();
      const peer = await server.connect(input).catch(() => undefined);
      await peer?.write(Buffer.from(line(1, 'ping')));
      await peer?.until(() => peer.isClosed || peer.lines.length > 0, hangMilliseconds);
      peer?.close();
      assertSoon('A handshake and its answer', performance.now() - since);
    },
    close: closeServer,
  };
});
