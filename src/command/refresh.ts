import * as v from 'valibot';
import { definePublic } from './command.ts';
import { formatTime, grant, token } from './field.ts';

/** Extends a login without a password; each refresh token is good once. */
export const refresh = definePublic({
  name: 'refresh',
  summary: 'Exchange a refresh token for new tokens.',
  permission: 'anyone',
  params: v.strictObject({ refreshToken: token }),
  result: grant,
  async handle({ refreshToken }, { identity }) {
    const granted = await identity.refresh(refreshToken);
    return { ...granted, expiresAt: formatTime(granted.expiresAt) };
  },
});
