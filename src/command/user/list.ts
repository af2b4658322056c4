import * as v from 'valibot';
import { isWithin } from '../../model/user.ts';
import { define } from '../command.ts';
import { empty, formatTime, renderPlaces } from '../field.ts';
import { renderTable } from '../table.ts';

/** Everybody who has, had or will have access. */
export const userList = define({
  name: 'user.list',
  summary: 'List the users, their roles, whether they can log in, and where.',
  permission: 'user:write',
  params: empty,
  result: v.object({
    users: v.array(
      v.object({
        user: v.string(),
        role: v.string(),
        state: v.string(),
        createdAt: v.string(),
        locations: v.optional(v.array(v.string())),
      }),
    ),
  }),
  shell: {
    words: [],
    examples: ['secure-inv user list'],
    render: ({ users }, screen) =>
      renderTable(
        [
          { heading: 'USER' },
          { heading: 'ROLE' },
          { heading: 'STATE' },
          { heading: 'SINCE', leave: 1 },
          { heading: 'LOCATIONS', leave: 2 },
        ],
        users.map(({ user, role, state, createdAt, locations }) => [
          user,
          role,
          state,
          createdAt.slice(0, 10),
          renderPlaces(locations),
        ]),
        screen,
      ),
  },
  async handle(_params, { auth, store }) {
    const all = await store.locations(null);
    return {
      users: auth.accounts.list().map(({ user, role, enabled, passwordHash, scope, createdAt }) => ({
        user,
        role,
        state: !enabled ? 'disabled' : passwordHash === null ? 'invited' : 'active',
        createdAt: formatTime(createdAt),
        ...(scope && { locations: all.filter(({ id }) => isWithin(scope, id)).map(({ name }) => name) }),
      })),
    };
  },
});
