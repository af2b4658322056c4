import * as v from 'valibot';
import { may } from '../model/user.ts';
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
  async handle({ user, password, device }, { identity, server }) {
    const granted = await identity.login(user, password, device);
    const notices = may(identity.principal(), 'server:read') ? (await server.state()).warnings : [];
    return {
      ...granted,
      expiresAt: formatTime(granted.expiresAt),
      ...(notices.length > 0 ? { notices: [...notices] } : {}),
    };
  },
});
