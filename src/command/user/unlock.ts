import * as v from 'valibot';
import { define } from '../command.ts';
import { user, userName } from '../field.ts';

/** For a user whom others' guesses keep from logging in on a new device; the password stays. */
export const userUnlock = define({
  name: 'user.unlock',
  summary: "Forget a user's failed logins, so that nobody has to wait for them.",
  permission: 'user:write',
  params: v.strictObject({ user: userName }),
  result: user,
  shell: {
    words: ['<user>'],
    examples: ['secure-inv user unlock clerk1'],
    render: ({ user }) => `${user} can log in without waiting.`,
  },
  async handle({ user }, { auth, store, actor, now }) {
    const known = auth.accounts.named(user);
    await store.audit({ ...actor, event: 'user-unlocked', subject: user, detail: null, at: now });
    await auth.throttle.forget(known.id);
    return { user: known.user, role: known.role };
  },
});
