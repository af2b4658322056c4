import * as v from 'valibot';
import { define } from '../command.ts';
import { formatTime } from '../field.ts';
import { oneOrAll, ownerAsked, ownerEntries } from '../ownership.ts';
import { formatMinute, leftOut, renderTable } from '../table.ts';

/** Where somebody is logged in: whoever finds a login there that is not theirs can end it. */
export const sessionList = define({
  name: 'session.list',
  summary: 'List your logins, the last used first.',
  permission: 'principal',
  params: v.pipe(v.strictObject(ownerEntries), oneOrAll()),
  result: v.object({
    sessions: v.array(
      v.object({
        id: v.string(),
        user: v.string(),
        createdAt: v.string(),
        lastUsedAt: v.string(),
        expiresAt: v.string(),
        source: v.optional(v.string()),
        certificate: v.optional(v.string()),
        current: v.optional(v.boolean()),
      }),
    ),
  }),
  shell: {
    words: [],
    examples: ['secure-inv session list', 'secure-inv session list --user clerk1', 'secure-inv session list --all'],
    render: ({ sessions }, screen) => {
      if (sessions.length === 0) return 'There are no logins.';
      const headings = ['', 'SESSION', 'USER', 'SINCE', 'LAST RENEWED', 'ENDS', 'FROM'];
      const rows = sessions.map(({ id, user, createdAt, lastUsedAt, expiresAt, source, current }) => [
        current ? '*' : '',
        id,
        user,
        ...[createdAt, lastUsedAt, expiresAt].map((time) => formatMinute(time, screen)),
        source ?? '',
      ]);
      return renderTable(
        headings.map((heading) => ({
          heading,
          whole: heading !== 'USER',
          ...leftOut(heading, 'SINCE', 'FROM', 'ENDS'),
        })),
        rows,
        screen,
      );
    },
  },
  async handle(params, call) {
    const { auth, principal, now } = call;
    const userId = ownerAsked(params, call);
    const shown = auth.accounts
      .liveSessions(auth.tokens, now)
      .filter(({ session }) => userId === undefined || session.userId === userId)
      .sort((one, other) => other.session.refreshedAt - one.session.refreshedAt);
    return {
      sessions: shown.map(({ session: { id, createdAt, refreshedAt, source, certificate }, user, endsAt }) => ({
        id,
        user: user.user,
        createdAt: formatTime(createdAt),
        lastUsedAt: formatTime(refreshedAt),
        expiresAt: formatTime(endsAt),
        ...(source === null ? {} : { source }),
        ...(certificate === null ? {} : { certificate }),
        ...(id === principal.sessionId ? { current: true } : {}),
      })),
    };
  },
});
