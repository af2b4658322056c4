import * as v from 'valibot';
import { define } from '../command.ts';
import { formatStatus, importNumber, renderRows, statusResult } from './field.ts';

/** How far an import is; also after the client that began it has gone. */
export const importStatus = define({
  name: 'import.status',
  summary: 'Show how far an import is.',
  permission: 'stock:import',
  params: v.strictObject({ import: importNumber }),
  result: statusResult,
  shell: {
    words: ['<import>'],
    examples: ['secure-inv import status 12'],
    render: (status) => {
      const { import: id, name, user, state, rows, done, at, problem } = status;
      const file = name === undefined ? '' : ` of ${name}`;
      const who = `Import ${id}${file} by ${user}, ${at.slice(0, 16).replace('T', ' ')} UTC`;
      const count = done === rows ? renderRows(rows) : `${done.toLocaleString('en')} of ${renderRows(rows)}`;
      const about = `${who}: ${state}, ${count}.`;
      if (state === 'staged') return `${about}\nNothing of it is counted. To import the file: secure-inv import FILE`;
      if (!problem) return about;
      return `${about}\nLine ${problem.line}: ${problem.problem} ${problem.fix}\nThen: secure-inv import accept ${id}`;
    },
  },
  async handle({ import: id }, { store, principal: { userId, scope } }) {
    return formatStatus(await store.importStatus({ userId, scope }, id));
  },
});
