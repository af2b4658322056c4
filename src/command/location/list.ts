import * as v from 'valibot';
import { define } from '../command.ts';
import { empty } from '../field.ts';
import { renderTable } from '../table.ts';

/** The places that there are for whoever asks. */
export const locationList = define({
  name: 'location.list',
  summary: 'List the locations where stock is kept.',
  permission: 'stock:read',
  params: empty,
  result: v.object({ locations: v.array(v.object({ location: v.string() })) }),
  shell: {
    words: [],
    examples: ['secure-inv location list'],
    render: ({ locations }, screen) =>
      locations.length === 0
        ? 'There is no location for you. Ask an administrator.'
        : renderTable(
            [{ heading: 'LOCATION' }],
            locations.map(({ location }) => [location]),
            screen,
          ),
  },
  async handle(_params, { store, principal }) {
    const locations = await store.locations(principal.scope);
    return { locations: locations.map(({ name }) => ({ location: name })) };
  },
});
