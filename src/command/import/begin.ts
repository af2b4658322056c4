import * as v from 'valibot';
import { importNameCharactersMax } from '../../model/limits.ts';
import { printable } from '../../model/printable.ts';
import { define } from '../command.ts';
import { importNumber, rowCount } from './field.ts';

/** Announces a file, so that the rows of its pages have something to belong to. */
export const importBegin = define({
  name: 'import.begin',
  summary: 'Begin to import a file; its rows come as pages.',
  permission: 'stock:import',
  params: v.strictObject({
    name: v.optional(
      v.pipe(
        v.string(),
        v.maxLength(importNameCharactersMax),
        v.description('what the file is called'),
        v.transform(printable),
      ),
    ),
    digest: v.pipe(
      v.string(),
      v.regex(/^[0-9a-f]{64}$/, 'digest must be a SHA-256 in lower-case hex'),
      v.description('the SHA-256 of the file in hex, by which it is recognized'),
    ),
    rows: rowCount,
    again: v.optional(v.pipe(v.boolean(), v.description('the file may have been imported before'))),
  }),
  result: v.object({ import: importNumber }),
  async handle({ name = null, digest, rows, again = false }, { store, principal, now }) {
    const { userId, scope } = principal;
    const intent = { name, digest: Buffer.from(digest, 'hex'), rows, again, userId, scope };
    return { import: await store.beginImport(intent, now) };
  },
});
