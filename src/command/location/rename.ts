import * as v from 'valibot';
import { define } from '../command.ts';
import { assertEverywhere } from '../everywhere.ts';
import { newName, place } from '../field.ts';

/** Gives a location another name; movements that were made there keep the old one. */
export const locationRename = define({
  name: 'location.rename',
  summary: 'Give a location another name; what is there stays.',
  permission: 'item:write',
  params: v.strictObject({ location: place, name: newName }),
  result: v.object({ location: v.string() }),
  shell: {
    words: ['<location>', '<name>'],
    examples: ['secure-inv location rename cellar "Wine cellar"'],
    render: ({ location }) => `The location is called ${location} now. Movements until now keep its old name.`,
  },
  async handle({ location, name }, call) {
    assertEverywhere(call, 'names are the same for everybody');
    const { store, actor, now } = call;
    const audit = { ...actor, event: 'location-renamed', subject: location, detail: name, at: now } as const;
    const renamed = await store.renameLocation(audit, location, name);
    return { location: renamed.name };
  },
});
