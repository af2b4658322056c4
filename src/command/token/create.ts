import * as v from 'valibot';
import { Failure } from '../../model/failure.ts';
import { apiTokenDaysDefault, apiTokenDaysMax } from '../../model/limits.ts';
import { isRoleWithin, roleNames } from '../../model/user.ts';
import { define } from '../command.ts';
import { formatTime, role, tokenName, userName } from '../field.ts';
import { assertIsPerson, ownerAsked } from '../ownership.ts';

const daysRule = `days must be a whole number from 1 to ${apiTokenDaysMax}`;
const days = v.pipe(
  v.number(daysRule),
  v.integer(daysRule),
  v.minValue(1, daysRule),
  v.maxValue(apiTokenDaysMax, daysRule),
  v.description(`for how many days it is good, at most ${apiTokenDaysMax} (default: ${apiTokenDaysDefault})`),
);

/** Gives a machine a key to a user's account: named, limited to a role, and never without an end. */
export const tokenCreate = define({
  name: 'token.create',
  summary: 'Make an API token with which a machine works without logging in.',
  permission: 'principal',
  params: v.strictObject({ name: tokenName, role, days: v.optional(days), user: v.optional(userName) }),
  result: v.object({
    token: v.string(),
    id: v.string(),
    name: v.string(),
    user: v.string(),
    role: v.string(),
    expiresAt: v.string(),
  }),
  shell: {
    words: ['<name>'],
    examples: [
      'secure-inv token create dock-scanner --role clerk',
      'secure-inv token create export --role viewer --days 30 --user reports --json',
    ],
    render: ({ token, id, name, user, role, expiresAt }, { server }) =>
      [
        `API token "${name}" of ${user} (${role}), good until ${expiresAt}. It is shown this once:`,
        `  ${token}`,
        'On the machine, paste it into a file that only the machine can read, then Enter and Ctrl-D:',
        '  (umask 077 && cat > api-token)',
        'Bring it the authority to trust, which this prints here:',
        '  secure-inv context authority > server-ca.pem',
        'Then this works there, in the folder with both files:',
        `  SECURE_INV_SERVER=${server} SECURE_INV_CA=server-ca.pem SECURE_INV_TOKEN_FILE=api-token secure-inv view`,
        `To end it: secure-inv token revoke ${id}`,
      ].join('\n'),
  },
  async handle({ name, role, days = apiTokenDaysDefault, user }, call) {
    const { auth, now } = call;
    assertIsPerson(call, 'make API tokens');
    const owner = auth.accounts.byId(ownerAsked({ user }, call) ?? call.principal.userId);
    if (!owner?.enabled) {
      throw new Failure('conflict', `${user} is disabled.`, { hint: `To undo it: secure-inv user enable ${user}` });
    }
    if (!isRoleWithin(role, owner.role)) {
      const allowed = roleNames.filter((one) => isRoleWithin(one, owner.role)).join(', ');
      throw new Failure('forbidden', `A token may do no more than its user, and ${owner.user} is ${owner.role}.`, {
        hint: `Give it one of these roles: ${allowed}.`,
      });
    }
    auth.allowance.spend(call.principal.userId);
    const wish = { owner, name, role, expiresAt: now + days * 86_400_000 };
    const { record, token } = await auth.accounts.apiTokens.create(call.actor, wish, now);
    return { token, id: record.id, name, user: owner.user, role, expiresAt: formatTime(record.expiresAt) };
  },
});
