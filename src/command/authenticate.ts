import * as v from 'valibot';
import { definePublic } from './command.ts';
import { formatTime, token, user } from './field.ts';

/** Gives the connection its principal; may be sent in one write with the first commands. */
export const authenticate = definePublic({
  name: 'authenticate',
  summary: 'Show an access token.',
  permission: 'anyone',
  params: v.strictObject({ token }),
  result: v.object({ ...user.entries, expiresAt: v.string() }),
  async handle({ token }, { identity }) {
    const { user, role, expiresAt } = identity.authenticate(token);
    return { user, role, expiresAt: formatTime(expiresAt) };
  },
});
