import * as v from 'valibot';
import { Failure } from '../../model/failure.ts';
import type { Importer, ImportProblem } from '../../model/import.ts';
import { importProblemsMax } from '../../model/limits.ts';
import { printable } from '../../model/printable.ts';
import { assertMay } from '../../model/user.ts';
import type { Store } from '../../store/store.ts';
import { define, type Screen } from '../command.ts';
import { operation } from '../field.ts';
import { renderTable } from '../table.ts';
import { formatStatus, importNumber, importProblem, renderRows, statusResult } from './field.ts';

const looksMax = 4;

/**
 * Looks at a staged import as a whole, and accepts it if nothing is wrong: from then on the server counts it, whatever
 * happens to the client. Also goes on with one that has stopped.
 */
export const importAccept = define({
  name: 'import.accept',
  summary: 'Go on with an import that has stopped, once what stopped it is mended.',
  permission: 'stock:import',
  params: v.strictObject({
    import: importNumber,
    dryRun: v.optional(v.pipe(v.boolean(), v.description('only look for problems'))),
    operation,
  }),
  result: v.object({
    ...statusResult.entries,
    /** The first of them, by line. */
    problems: v.array(importProblem),
    problemsTotal: v.number(),
  }),
  shell: {
    words: ['<import>'],
    options: { dryRun: 'dry-run' },
    examples: ['secure-inv import accept 12'],
    render: ({ import: id, rows, problems, problemsTotal, state }, screen) => {
      if (problems.length > 0) return renderProblems(problems, screen);
      const count = renderRows(rows);
      if (problemsTotal === 0 && state === 'accepted')
        return `Import ${id} goes on: ${count}. See: secure-inv import status ${id}`;
      return `Import ${id} is ${state}: ${count}, and nothing is wrong.`;
    },
  },
  async handle({ import: id, dryRun = false }, { store, identity, source, server, now }) {
    // Judged anew before each step: a look at a million rows takes minutes, in which access may end.
    const importer = () => {
      const principal = identity.principal();
      assertMay(principal, 'stock:import');
      const { userId, scope, credential } = principal;
      return { userId, scope, credential };
    };
    const before = await store.importStatus(importer(), id);
    const isOpen = before.state === 'staged' || before.state === 'stopped';
    return unlessBusy(async () => {
      const { problems, total } = isOpen ? await lookAtAll(store, importer, id) : { problems: [], total: 0 };
      if (dryRun || total > 0) return { ...formatStatus(before), problems, problemsTotal: total };
      const accepted = await store.acceptImport({ ...importer(), source }, id, now);
      server.rollImports();
      return { ...formatStatus(accepted), problems: [], problemsTotal: 0 };
    });
  },
});

/** Others may change what a row depends on while rows are looked at: then the look begins again, but not for ever. */
async function unlessBusy<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let left = looksMax - 1; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0 || !(error instanceof Failure) || error.code !== 'busy') throw error;
    }
  }
}

/** Slice by slice, so that others are served in between. */
async function lookAtAll(store: Store, importer: () => Importer, id: number) {
  const problems: ImportProblem[] = [];
  let total = 0;
  for (let from: number | null = 0; from !== null; ) {
    const slice = await store.checkImport(importer(), id, from);
    problems.push(...slice.problems.slice(0, importProblemsMax - problems.length));
    total += slice.problems.length;
    from = slice.next;
  }
  return { problems, total };
}

/** Everything that is wrong with a file, for people: where a table would cut it, in lines that the terminal breaks. */
export function renderProblems(
  problems: readonly ImportProblem[],
  screen: Screen,
  place: 'Line' | 'Element' = 'Line',
): string {
  const rows = problems.map(({ line, problem, fix }) => [String(line), problem, fix]);
  const columns = [{ heading: place.toUpperCase(), right: true }, { heading: 'PROBLEM' }, { heading: 'FIX' }];
  const table = renderTable(columns, rows, { ...screen, columns: Number.POSITIVE_INFINITY });
  if (renderTable(columns, rows, screen) === table) return table;
  return rows.map(([line, ...what]) => printable(`${place} ${line}: ${what.join(' ')}`)).join('\n');
}
