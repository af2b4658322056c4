import * as v from 'valibot';
import { define } from '../command.ts';
import { formatTime } from '../field.ts';
import { oneOrAll, ownerAsked, ownerEntries } from '../ownership.ts';
import { formatMinute, leftOut, renderTable } from '../table.ts';

/** The keys that machines have: one that nobody uses should go. */
export const tokenList = define({
  name: 'token.list',
  summary: 'List your API tokens, and when each was last used.',
  permission: 'principal',
  params: v.pipe(v.strictObject(ownerEntries), oneOrAll()),
  result: v.object({
    tokens: v.array(
      v.object({
        id: v.string(),
        name: v.string(),
        user: v.string(),
        role: v.string(),
        createdAt: v.string(),
        expiresAt: v.string(),
        lastUsedAt: v.optional(v.string()),
      }),
    ),
  }),
  shell: {
    words: [],
    examples: ['secure-inv token list', 'secure-inv token list --user scanner1', 'secure-inv token list --all'],
    render: ({ tokens }, screen) => {
      if (tokens.length === 0) return 'There are no API tokens.';
      const headings = ['ID', 'NAME', 'USER', 'ROLE', 'SINCE', 'ENDS', 'LAST USED'];
      const rows = tokens.map(({ id, name, user, role, createdAt, expiresAt, lastUsedAt }) => [
        id,
        name,
        user,
        role,
        formatMinute(createdAt, screen),
        formatMinute(expiresAt, screen),
        lastUsedAt === undefined ? 'never' : formatMinute(lastUsedAt, screen),
      ]);
      return renderTable(
        headings.map((heading) => ({
          heading,
          whole: heading !== 'NAME' && heading !== 'USER',
          ...leftOut(heading, 'SINCE', 'ROLE', 'USER'),
        })),
        rows,
        screen,
      );
    },
  },
  async handle(params, call) {
    const { accounts } = call.auth;
    const owner = ownerAsked(params, call);
    const tokens = accounts.apiTokens.list().flatMap(({ id, userId, name, role, createdAt, expiresAt, lastUsedAt }) => {
      const user = accounts.byId(userId);
      if (!user || (owner !== undefined && owner !== userId)) return [];
      const times = { createdAt: formatTime(createdAt), expiresAt: formatTime(expiresAt) };
      const used = lastUsedAt === null ? {} : { lastUsedAt: formatTime(lastUsedAt) };
      return { id, name, user: user.user, role, ...times, ...used };
    });
    return { tokens };
  },
});
