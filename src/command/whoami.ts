import * as v from 'valibot';
import { define } from './command.ts';
import { empty, formatTime, renderPlaces } from './field.ts';

/** Who the server takes the caller for. */
export const whoami = define({
  name: 'whoami',
  summary: 'Show who you are to the server, and what you may do.',
  permission: 'principal',
  params: empty,
  result: v.object({
    user: v.string(),
    role: v.string(),
    permissions: v.array(v.string()),
    locations: v.optional(v.array(v.string())),
    expiresAt: v.string(),
    certificate: v.optional(v.object({ serial: v.string(), thumbprint: v.string(), notAfter: v.string() })),
  }),
  shell: {
    words: [],
    examples: ['secure-inv whoami', 'secure-inv whoami --json'],
    render: ({ user, role, permissions, locations, expiresAt, certificate }) =>
      [
        `${user} (${role}): ${permissions.join(', ')}`,
        ...(locations ? [`Only at: ${renderPlaces(locations)}`] : []),
        certificate
          ? `By certificate ${certificate.serial.toUpperCase()}, good until ${certificate.notAfter}.`
          : `By login; the access token is renewed after ${expiresAt}.`,
      ].join('\n'),
  },
  async handle(_params, { principal, store }) {
    const { user, role, permissions, scope, expiresAt, certificate } = principal;
    const shown = certificate && {
      serial: certificate.serial,
      thumbprint: certificate.thumbprint,
      notAfter: formatTime(certificate.notAfter),
    };
    return {
      user,
      role,
      permissions: [...permissions],
      ...(scope === null ? {} : { locations: (await store.locations(scope)).map(({ name }) => name) }),
      expiresAt: formatTime(expiresAt),
      ...(shown ? { certificate: shown } : {}),
    };
  },
});
