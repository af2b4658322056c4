import * as v from 'valibot';
import { importPageRowsMax } from '../../model/limits.ts';
import { define } from '../command.ts';
import { importedRow, importNumber, parseRow, whole } from './field.ts';

/** Stages some rows: nothing is counted before all are there and accepted. Its line alone may have a mebibyte. */
export const importPage = define({
  name: 'import.page',
  summary: 'Send some rows of an import.',
  permission: 'stock:import',
  params: v.strictObject({
    import: importNumber,
    page: v.pipe(whole('page', 0), v.description('0 for the first, then 1, 2, …')),
    rows: v.pipe(
      v.array(importedRow),
      v.minLength(1, 'rows must not be empty'),
      v.maxLength(importPageRowsMax, `rows may be at most ${importPageRowsMax} in a page`),
      v.description('the rows'),
    ),
  }),
  result: v.object({ rows: v.number() }),
  async handle({ import: id, page, rows }, { store, principal: { userId, scope }, now }) {
    return { rows: await store.stageRows({ userId, scope }, id, page, rows.map(parseRow), now) };
  },
});
