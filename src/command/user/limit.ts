import * as v from 'valibot';
import { define } from '../command.ts';
import { places, renderPlaces, user, userName } from '../field.ts';

/** Confines a user to some locations: every other one stops existing for them. */
export const userLimit = define({
  name: 'user.limit',
  summary: 'Limit a user to some locations; it holds from their next request.',
  permission: 'user:write',
  params: v.pipe(
    v.strictObject({
      user: userName,
      locations: v.optional(places),
      everywhere: v.optional(v.pipe(v.boolean(), v.description('lift the limit'))),
    }),
    v.check(
      ({ locations, everywhere }) => (locations === undefined) === (everywhere === true),
      'Give locations, or everywhere (--everywhere), and not both.',
    ),
  ),
  result: v.object({ ...user.entries, locations: v.optional(v.array(v.string())) }),
  shell: {
    words: ['<user>', '[locations...]'],
    examples: ['secure-inv user limit clerk1 main cellar', 'secure-inv user limit clerk1 --everywhere'],
    render: ({ user, locations }) =>
      locations ? `${user} is limited to: ${renderPlaces(locations)}.` : `${user} is not limited to locations now.`,
  },
  async handle({ user, locations = null }, { auth, store, actor }) {
    const { role, scope } = await auth.accounts.setScope(actor, user, locations);
    const limit = scope && { locations: (await store.locations(scope)).map(({ name }) => name) };
    return { user, role, ...limit };
  },
});
