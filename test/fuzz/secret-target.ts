import fc from 'fast-check';
import { line } from '../support/wire-client.ts';
import { mutate, mutations } from './bytes.ts';
import { Conversation } from './conversation.ts';
import { openServer } from './fuzzed-server.ts';
import { defineTarget, type Target } from './target.ts';

/** Each secret with the request that it is for; a device's only tells one address from another. */
const shown = [
  { secret: '<access>', method: 'authenticate', field: 'token' },
  { secret: '<api>', method: 'authenticate', field: 'token' },
  { secret: '<refresh>', method: 'refresh', field: 'refreshToken' },
  { secret: '<code>', method: 'enroll', field: 'code' },
] as const;

const untagged = /^([\w-]{16}\.[\w-]{43})\.[\w-]{22}$/;

/** One of these in the place of another, or changed, or with a part of another token. */
const inputs = fc.record({
  shown: fc.constantFrom(...shown),
  from: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.constantFrom('<access>', '<api>', '<refresh>')),
  mutations: fc.option(mutations, { freq: 6 }),
  /** The part of a token, between dots, that is another user's. */
  swapped: fc.option(fc.nat(2), { freq: 3 }),
});

/** Real secrets before login, nearly right: whatever differs from the one that was given opens nothing. */
export const secrets: Target = defineTarget('secrets, before login', 40, inputs, async (shared) => {
  const { server, closeServer } = await openServer(shared);
  const conversation = new Conversation(server, 'before login', 'ada');
  const textOf = (secret: string, user: string) => server.fill(Buffer.from(secret), user).toString('latin1');
  return {
    server,
    async attempt({ shown: { secret, method, field }, from, mutations, swapped }) {
      const real = textOf(secret, 'ada');
      const parts = textOf(from ?? secret, 'ada').split('.');
      const others = textOf(from ?? secret, 'cleo').split('.');
      const joined = parts.map((part, at) => (at === swapped ? (others[at] ?? part) : part)).join('.');
      const sent = mutations ? mutate(Buffer.from(joined), mutations).toString('latin1') : joined;
      const [reply] = await conversation.say(Buffer.from(line('shown', method, { [field]: sent })));
      const given = shown.flatMap((one) => ['ada', 'cleo'].map((user) => textOf(one.secret, user)));
      // Refresh tokens from before they had tags are still taken: the same secret without its last part.
      const known = [real, ...given].flatMap((text) => [text, text.replace(untagged, '$1')]);
      if (reply?.result && !known.includes(sent)) throw new Error(`${method} takes what nobody was given.`);
    },
    async close() {
      conversation.close();
      await closeServer();
    },
  };
});
