import * as v from 'valibot';
import { may } from '../model/user.ts';
import type { Store } from '../store/store.ts';
import { definePublic } from './command.ts';
import { formatTime, grant, password, userName } from './field.ts';

/** Proves a user by password; the connection is theirs afterwards. */
export const login = definePublic({
  name: 'login',
  summary: 'Log in with user and password.',
  permission: 'anyone',
  params: v.strictObject({
    user: userName,
    password,
    device: v.optional(v.pipe(v.string(), v.maxLength(64), v.description('the secret of an earlier login here'))),
  }),
  result: grant,
  async handle({ user, password, device }, { identity, server, store }) {
    const granted = await identity.login(user, password, device);
    const warnings = may(identity.principal(), 'server:read') ? (await server.state()).warnings : [];
    const notices = [...(await theftsOf(user, store)), ...warnings];
    return {
      ...granted,
      expiresAt: formatTime(granted.expiresAt),
      ...(notices.length > 0 ? { notices } : {}),
    };
  },
});

/** Whose login was ended by a theft learns it here: the thief, or whoever came second, was the one to be told then. */
async function theftsOf(user: string, store: Store): Promise<readonly string[]> {
  const [logins, thefts] = await Promise.all([
    store.auditRecords({ event: 'login', user, limit: 2 }),
    store.auditRecords({ event: 'session-stolen', user, limit: 1 }),
  ]);
  const [, before] = logins.records; // The first is this one.
  const [theft] = thefts.records;
  if (!theft || (before && theft.id < before.id)) return [];
  const time = formatTime(theft.at).slice(0, 16).replace('T', ' ');
  const what = 'a login of yours was ended, because its refresh token was used a second time';
  return [
    `On ${time} UTC ${what}, from ${theft.source ?? 'an unknown address'}. If that was not you, change your password: secure-inv passwd`,
  ];
}
