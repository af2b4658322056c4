import * as v from 'valibot';
import { Failure } from '../../model/failure.ts';
import { define } from '../command.ts';
import { publicId } from '../field.ts';
import { assertIsPerson, mayEnd } from '../ownership.ts';

/** Ends an API token; whoever works with it is cut off at once. */
export const tokenRevoke = define({
  name: 'token.revoke',
  summary: 'End an API token; its connections are closed at once.',
  permission: 'principal',
  params: v.strictObject({ id: v.pipe(publicId, v.description('the token, as token list shows it')) }),
  result: v.object({ id: v.string(), name: v.string() }),
  shell: {
    words: ['<id>'],
    examples: ['secure-inv token revoke 9dKc3vQ0aXh7Rw2e'],
    render: ({ name }) => `API token "${name}" has ended.`,
  },
  async handle({ id }, call) {
    const { principal, auth, actor, now } = call;
    const { apiTokens } = auth.accounts;
    // A machine may throw its own key away.
    const isOwn = principal.apiToken?.id === id || principal.permissions.includes('user:write');
    if (!isOwn) assertIsPerson(call, 'end others');
    const token = apiTokens.byId(id);
    if (!token || !mayEnd(token.userId, call)) {
      throw new Failure('not-found', `No API token ${JSON.stringify(id)}.`, { hint: 'See: secure-inv token list' });
    }
    auth.allowance.spend(principal.userId);
    const owner = auth.accounts.byId(token.userId)?.user ?? null;
    await apiTokens.revoke(actor, owner, id, now);
    return { id, name: token.name };
  },
});
