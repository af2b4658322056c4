import * as v from 'valibot';
import { define } from '../command.ts';
import { empty } from '../field.ts';

const outcome = v.picklist(['unchanged', 'changed']);
const described = { unchanged: 'unchanged', changed: 'taken up' };

/** Takes up changed files now, and says at once whether they are good: the server's own look tells only its log. */
export const serverReload = define({
  name: 'server.reload',
  summary: 'Take up changed certificates, token keys and settings now, or learn what is wrong with them.',
  permission: 'server:write',
  params: empty,
  result: v.object({
    certificates: outcome,
    keys: outcome,
    settings: v.array(v.string()),
    warnings: v.array(v.string()),
  }),
  shell: {
    words: [],
    examples: ['secure-inv server reload', 'secure-inv server reload --json'],
    render: ({ certificates, keys, settings, warnings }) =>
      [
        certificates === 'unchanged' && keys === 'unchanged' && settings.length === 0
          ? 'Nothing has changed since the server looked last, which it does twice a second.'
          : `Certificates: ${described[certificates]}. Token keys: ${described[keys]}. Settings: ${settings.join(', ') || 'unchanged'}.`,
        ...warnings.map((warning) => `! ${warning}`),
      ].join('\n'),
  },
  async handle(_params, { server }) {
    const { certificates, keys, settings } = await server.reload();
    return { certificates, keys, settings: [...settings], warnings: [...(await server.state()).warnings] };
  },
});
