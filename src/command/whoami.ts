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
    token: v.optional(v.string()),
    certificate: v.optional(v.object({ serial: v.string(), thumbprint: v.string(), notAfter: v.string() })),
  }),
  shell: {
    words: [],
    examples: ['secure-inv whoami', 'secure-inv whoami --json'],
    render: ({ user, role, permissions, locations, expiresAt, token, certificate }) => {
      const byLogin = `By login; the access token is renewed after ${expiresAt}.`;
      const otherwise = token === undefined ? byLogin : `By API token "${token}", good until ${expiresAt}.`;
      return [
        `${user} (${role}): ${permissions.join(', ') || 'nothing any more'}`,
        ...(locations ? [`Only at: ${renderPlaces(locations)}`] : []),
        certificate && token === undefined
          ? `By certificate ${certificate.serial.toUpperCase()}, good until ${certificate.notAfter}.`
          : otherwise,
      ].join('\n');
    },
  },
  async handle(_params, { principal, store }) {
    const { user, role, permissions, scope, expiresAt, apiToken, certificate } = principal;
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
      ...(apiToken ? { token: apiToken.name } : {}),
      ...(shown ? { certificate: shown } : {}),
    };
  },
});
