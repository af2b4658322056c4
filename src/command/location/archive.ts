import * as v from 'valibot';
import { shellWord } from '../../model/shell-word.ts';
import { define } from '../command.ts';
import { assertEverywhere } from '../everywhere.ts';
import { place } from '../field.ts';

/** Takes an empty location out of use. */
export const locationArchive = define({
  name: 'location.archive',
  summary: 'Take an empty location out of use; its history stays.',
  permission: 'item:write',
  params: v.strictObject({ location: place }),
  result: v.object({ location: v.string() }),
  shell: {
    words: ['<location>'],
    examples: ['secure-inv location archive cellar'],
    render: ({ location }) =>
      `${location} is archived: location list --archived and history show it. To bring it back, add it: secure-inv location add ${shellWord(location)}`,
  },
  async handle({ location }, call) {
    assertEverywhere(call, 'others may use it');
    const { store, actor, now } = call;
    const audit = { ...actor, event: 'location-archived', subject: location, detail: null, at: now } as const;
    const archived = await store.archiveLocation(audit, location, now);
    return { location: archived.name };
  },
});
