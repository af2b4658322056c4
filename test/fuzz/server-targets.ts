import fc from 'fast-check';
import type { Command } from '../../src/command/command.ts';
import { commands } from '../../src/command/index.ts';
import type { AuthMode } from '../../src/model/user.ts';
import { line } from '../support/wire-client.ts';
import { mutate, mutations } from './bytes.ts';
import { certificates } from './certificate-target.ts';
import { Conversation } from './conversation.ts';
import { type FuzzedServer, openServer, type State } from './fuzzed-server.ts';
import { handshakes } from './handshake-target.ts';
import { type Nearness, type Params, paramsOf } from './params.ts';
import { secrets } from './secret-target.ts';
import { defineTarget, type Target, type Trial } from './target.ts';

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

function framesTarget(state: State, mode?: AuthMode): Target {
  const name = `frames, ${state}${mode === undefined ? '' : `, ${mode}`}`;
  return defineTarget(name, 50, frames, async (shared) => {
    const { server, closeServer } = await openServer(shared, mode);
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
  const nobody = new Conversation(server, 'before login', 'ada');
  return {
    server,
    async attempt(asked) {
      const conversation = asked.user === undefined ? nobody : asked.user === 'ada' ? ada : cleo;
      const said = await conversation.say(Buffer.from(line('asked', asked.command.name, asked.params)));
      // A key that no object may have ends the connection, under no id.
      const reply = said.find(({ id }) => id === 'asked') ?? said.find(({ id }) => id === null);
      if (!reply) throw new Error('There is no answer.');
      coverage.add(asked, reply.code);
      // Perhaps an input took from her what only an administrator may do: without it nothing more would come of most.
      const isForbidden = asked.nearness === 'valid' && reply.code === 'forbidden';
      if (asked.user === 'ada' && isForbidden) await server.restore('ada');
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

/** What a server in a process of its own is sent over sockets, in every state that a connection has. */
export const serverTargets = (coverage: Coverage): readonly Target[] => [
  handshakes,
  certificates,
  secrets,
  framesTarget('before login'),
  framesTarget('logged in'),
  framesTarget('watching'),
  commandsTarget(coverage),
];

/** The same where users are known by certificate, alone or with a login: what a connection may do before is less there. */
export const certifiedTargets = (mode: 'mutual' | 'both'): readonly Target[] => [
  framesTarget('before login', mode),
  framesTarget('logged in', mode),
];
