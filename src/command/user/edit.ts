import * as v from 'valibot';
import { define } from '../command.ts';
import { role, user, userName } from '../field.ts';

/** Changes what a user may do, at once. */
export const userEdit = define({
  name: 'user.edit',
  summary: "Change a user's role; it holds from their next request.",
  permission: 'user:write',
  params: v.strictObject({ user: userName, role }),
  result: user,
  shell: {
    words: ['<user>'],
    examples: ['secure-inv user edit clerk1 --role manager'],
    render: ({ user, role }) => `${user} is ${role} now.`,
  },
  async handle({ user, role }, { auth, actor }) {
    const changed = await auth.accounts.setRole(actor, user, role);
    return { user: changed.user, role: changed.role };
  },
});
