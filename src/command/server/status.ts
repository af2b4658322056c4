import * as v from 'valibot';
import { define } from '../command.ts';
import { empty, formatTime } from '../field.ts';
import { renderTable } from '../table.ts';

const dayMilliseconds = 86_400_000;

/** How the server is, and what an operator should see to before it bites. */
export const serverStatus = define({
  name: 'server.status',
  summary: 'Show how the server is, when its certificates end, and what to see to.',
  permission: 'server:read',
  params: empty,
  result: v.object({
    version: v.string(),
    authMode: v.string(),
    startedAt: v.string(),
    time: v.string(),
    node: v.string(),
    connections: v.number(),
    config: v.string(),
    lastBackup: v.optional(v.string()),
    certificates: v.array(
      v.object({ file: v.string(), subject: v.optional(v.string()), notAfter: v.string(), daysLeft: v.number() }),
    ),
    warnings: v.array(v.string()),
  }),
  shell: {
    words: [],
    examples: ['secure-inv server status', 'secure-inv server status --json'],
    render: (status, screen) =>
      [
        `secure-inv ${status.version} on Node.js ${status.node}, auth.mode ${status.authMode}.`,
        `Up since ${status.startedAt}; its time is ${status.time}. Connections: ${status.connections}. Configuration: ${status.config}.`,
        status.lastBackup === undefined
          ? 'No backup is known: secure-invd backup FILE makes one.'
          : `Last backup: ${status.lastBackup}.`,
        '',
        renderTable(
          [{ heading: 'FILE' }, { heading: 'ENDS' }, { heading: 'DAYS LEFT', right: true }, { heading: 'SUBJECT' }],
          status.certificates.map(({ file, subject, notAfter, daysLeft }) => [
            file,
            notAfter.slice(0, 10),
            String(daysLeft),
            subject ?? '-',
          ]),
          screen,
        ),
        '',
        ...(status.warnings.length > 0 ? status.warnings.map((warning) => `! ${warning}`) : ['Nothing to see to.']),
      ].join('\n'),
  },
  async handle(_params, { server, now }) {
    const { node, connections, config, lastBackupAt, certificates, warnings } = await server.state();
    return {
      version: server.version,
      authMode: server.authMode,
      startedAt: formatTime(server.startedAt),
      time: formatTime(now),
      node,
      connections,
      config,
      ...(lastBackupAt === null ? {} : { lastBackup: formatTime(lastBackupAt) }),
      certificates: certificates.map(({ file, subject, at }) => ({
        file,
        ...(subject === undefined ? {} : { subject }),
        notAfter: formatTime(at),
        daysLeft: Math.floor((at - now) / dayMilliseconds),
      })),
      warnings: [...warnings],
    };
  },
});
