import * as v from 'valibot';
import { define } from './command.ts';
import { formatTime, grant, password } from './field.ts';

/** Changes one's own password. Every other login ends; this one goes on with the tokens returned. */
export const passwd = define({
  name: 'passwd',
  summary: 'Change your password; your other logins end.',
  permission: 'principal',
  params: v.strictObject({ current: password, password }),
  result: grant,
  async handle({ current, password }, { identity }) {
    const granted = await identity.changePassword(current, password);
    return { ...granted, expiresAt: formatTime(granted.expiresAt) };
  },
});
