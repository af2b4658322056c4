import { define } from './command.ts';
import { empty } from './field.ts';

/** Ends the session; its tokens are worthless from then on. */
export const logout = define({
  name: 'logout',
  summary: 'End this login; its tokens are worthless from then on.',
  permission: 'principal',
  params: empty,
  result: empty,
  async handle(_params, { identity }) {
    await identity.logout();
    return {};
  },
});
