import * as v from 'valibot';
import { define } from '../command.ts';
import { user, userName } from '../field.ts';

/** Shuts a user out, also where they are connected; their history stays. */
export const userDisable = define({
  name: 'user.disable',
  summary: 'Shut a user out, from their next request on.',
  permission: 'user:write',
  params: v.strictObject({ user: userName }),
  result: user,
  shell: {
    words: ['<user>'],
    examples: ['secure-inv user disable clerk1'],
    render: ({ user }) => `${user} is shut out. To undo it: secure-inv user enable ${user}`,
  },
  async handle({ user }, { auth, actor }) {
    const changed = await auth.accounts.setEnabled(actor, user, false);
    return { user: changed.user, role: changed.role };
  },
});
