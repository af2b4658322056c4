import * as v from 'valibot';
import { define } from '../command.ts';
import { empty, formatTime } from '../field.ts';
import { renderTable } from '../table.ts';

/** Everybody who has, had or will have access. */
export const userList = define({
  name: 'user.list',
  summary: 'List the users, their roles and whether they can log in.',
  permission: 'user:write',
  params: empty,
  result: v.object({
    users: v.array(v.object({ user: v.string(), role: v.string(), state: v.string(), createdAt: v.string() })),
  }),
  shell: {
    words: [],
    examples: ['secure-inv user list'],
    render: ({ users }, screen) =>
      renderTable(
        [{ heading: 'USER' }, { heading: 'ROLE' }, { heading: 'STATE' }, { heading: 'SINCE' }],
        users.map(({ user, role, state, createdAt }) => [user, role, state, createdAt.slice(0, 10)]),
        screen,
      ),
  },
  async handle(_params, { auth }) {
    return {
      users: auth.accounts.list().map(({ user, role, enabled, passwordHash, createdAt }) => ({
        user,
        role,
        state: !enabled ? 'disabled' : passwordHash === null ? 'invited' : 'active',
        createdAt: formatTime(createdAt),
      })),
    };
  },
});
