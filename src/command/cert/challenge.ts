import * as v from 'valibot';
import { define } from '../command.ts';
import { empty } from '../field.ts';

/** A nonce to sign with a new key, which only this connection may use, once, within a minute. */
export const certChallenge = define({
  name: 'cert.challenge',
  summary: 'Give a nonce for cert.request to sign.',
  permission: 'principal',
  params: empty,
  result: v.object({ nonce: v.string() }),
  async handle(_params, { identity }) {
    return { nonce: identity.challengeKey() };
  },
});
