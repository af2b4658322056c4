import * as v from 'valibot';
import { type AuditRecord, auditEvents } from '../model/audit.ts';
import { closest } from '../model/closest.ts';
import { Failure } from '../model/failure.ts';
import { pageRowsDefault } from '../model/limits.ts';
import { define } from './command.ts';
import { cursor, formatTime, limit, parseSpan, since, until, userName } from './field.ts';
import { leftOut, renderTable } from './table.ts';

export const auditRecord = v.object({
  id: v.number(),
  at: v.string(),
  event: v.string(),
  user: v.optional(v.string()),
  subject: v.optional(v.string()),
  source: v.optional(v.string()),
  credential: v.optional(v.string()),
  detail: v.optional(v.string()),
  count: v.number(),
});

/** What happened besides stock: logins, refusals, and who gave or took access. */
export const audit = define({
  name: 'audit',
  summary: 'Show logins, refusals and changes of access: newest first.',
  permission: 'audit:read',
  params: v.strictObject({
    event: v.optional(
      v.pipe(
        v.picklist(auditEvents, ({ input }) => {
          const meant = typeof input === 'string' ? closest(input, auditEvents) : undefined;
          return `The log has no such event${meant ? `; did you mean ${meant}?` : '.'} All are named by: secure-inv audit --help.`;
        }),
        v.description(`one of ${auditEvents.join(', ')}`),
      ),
    ),
    user: v.optional(v.pipe(userName, v.description('only what this user did, or what was done about them'))),
    source: v.optional(v.pipe(v.string(), v.maxLength(64), v.description('only what came from this IP address'))),
    since: v.optional(since),
    until: v.optional(until),
    after: v.optional(
      v.pipe(
        v.number('after must be the id of a record'),
        v.integer('after must be the id of a record'),
        v.minValue(0, 'after must be the id of a record'),
        v.description('only records after the one with this id, oldest first'),
      ),
    ),
    limit: v.optional(limit),
    cursor: v.optional(cursor),
  }),
  result: v.object({ records: v.array(auditRecord), cursor: v.optional(v.string()) }),
  shell: {
    words: [],
    examples: [
      'secure-inv audit',
      'secure-inv audit --event login-refused --since 2026-05-03',
      'secure-inv audit --follow --json',
    ],
    render: ({ records, cursor }, screen) => {
      if (records.length === 0) return 'No record fits.';
      const rows = records.map(({ id, at, event, user, subject, source, detail, count }) => [
        String(id),
        at.slice(0, 19).replace('T', ' '),
        event,
        user ?? '',
        subject === user ? '' : (subject ?? ''),
        source ?? '',
        [detail ?? '', count > 1 ? `${count} times` : ''].filter(Boolean).join(', '),
      ]);
      const headings = ['ID', 'TIME (UTC)', 'EVENT', 'BY', 'ABOUT', 'FROM', 'DETAIL'];
      // Whoever looks into an incident compares times to the second, also on a terminal.
      const columns = headings.map((heading) => ({
        heading,
        right: heading === 'ID',
        whole: ['TIME (UTC)', 'EVENT', 'FROM'].includes(heading),
        ...leftOut(heading, 'ID', 'DETAIL', 'FROM'),
      }));
      const more = cursor === undefined ? '' : `\n${screen.dim(`More: --cursor ${cursor}`)}`;
      return renderTable(columns, rows, screen) + more;
    },
  },
  async handle({ since, until, limit = pageRowsDefault, ...filters }, { store, principal }) {
    if (principal.scope !== null) {
      throw new Failure('forbidden', 'The audit log tells of all locations, and you are limited to some.', {
        hint: 'Ask an administrator, or an auditor who is not limited.',
      });
    }
    const page = await store.auditRecords({
      ...filters,
      limit,
      ...parseSpan({ since, until }),
    });
    return {
      records: page.records.map(formatRecord),
      ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
    };
  },
});

function formatRecord(record: AuditRecord): v.InferOutput<typeof auditRecord> {
  const { id, at, event, count, user, subject, source, credential, detail } = record;
  return {
    id,
    at: formatTime(at),
    event,
    ...(user === null ? {} : { user }),
    ...(subject === null ? {} : { subject }),
    ...(source === null ? {} : { source }),
    ...(credential === null ? {} : { credential }),
    ...(detail === null ? {} : { detail }),
    count,
  };
}
