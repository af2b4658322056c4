import * as v from 'valibot';
import { define } from '../command.ts';
import { renderTable } from '../table.ts';

/** The places that there are for whoever asks. */
export const locationList = define({
  name: 'location.list',
  summary: 'List the locations where stock is kept.',
  permission: 'stock:read',
  params: v.strictObject({
    archived: v.optional(v.pipe(v.boolean(), v.description('only archived ones, which are not listed otherwise'))),
  }),
  result: v.object({ locations: v.array(v.object({ location: v.string() })), archived: v.optional(v.boolean()) }),
  shell: {
    words: [],
    examples: ['secure-inv location list', 'secure-inv location list --archived'],
    render: ({ locations, archived }, screen) => {
      if (locations.length === 0) {
        return archived ? 'No location is archived.' : 'There is no location for you. Ask an administrator.';
      }
      const rows = locations.map(({ location }) => [location]);
      return renderTable([{ heading: 'LOCATION' }], rows, screen);
    },
  },
  async handle({ archived }, { store, principal }) {
    const locations = await store.locations(principal.scope, archived ? 'archived' : undefined);
    return { locations: locations.map(({ name }) => ({ location: name })), ...(archived ? { archived } : {}) };
  },
});
