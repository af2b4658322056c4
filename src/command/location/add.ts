import * as v from 'valibot';
import { shellWord } from '../../model/shell-word.ts';
import { define } from '../command.ts';
import { assertEverywhere } from '../everywhere.ts';
import { place } from '../field.ts';

/** Makes a place where stock can be kept, or brings an archived one back; nothing else does, so a typo never makes one. */
export const locationAdd = define({
  name: 'location.add',
  summary: 'Add a location where stock is kept.',
  permission: 'item:write',
  params: v.strictObject({ location: place }),
  result: v.object({ location: v.string() }),
  shell: {
    words: ['<location>'],
    examples: ['secure-inv location add cellar', 'secure-inv location add "Shelf 12"'],
    render: ({ location }) =>
      `Added the location ${location}. To put something there, say: --at ${shellWord(location)}`,
  },
  async handle({ location }, call) {
    assertEverywhere(call, 'a new one would not be among them');
    const { store, actor, now } = call;
    const audit = { ...actor, event: 'location-added', subject: location, detail: null, at: now } as const;
    const { name } = await store.addLocation(audit, location);
    return { location: name };
  },
});
