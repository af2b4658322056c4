import * as v from 'valibot';
import { define } from '../command.ts';
import { user, userName } from '../field.ts';

/** Lets a disabled user in again, with the password they had. */
export const userEnable = define({
  name: 'user.enable',
  summary: 'Let a disabled user in again.',
  permission: 'user:write',
  params: v.strictObject({ user: userName }),
  result: user,
  shell: {
    words: ['<user>'],
    examples: ['secure-inv user enable clerk1'],
    render: ({ user }) => `${user} may log in again.`,
  },
  async handle({ user }, { auth, actor }) {
    const changed = await auth.accounts.setEnabled(actor, user, true);
    return { user: changed.user, role: changed.role };
  },
});
