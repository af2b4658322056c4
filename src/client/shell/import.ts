import { setTimeout as sleep } from 'node:timers/promises';
import { Option } from 'commander';
import { v7 } from 'uuid';
import type * as v from 'valibot';
import { problemsIn } from '../../command/check.ts';
import { importAccept, renderProblems } from '../../command/import/accept.ts';
import { importBegin } from '../../command/import/begin.ts';
import { importColumns, importedRow, renderRows } from '../../command/import/field.ts';
import { importPage } from '../../command/import/page.ts';
import { importStatus } from '../../command/import/status.ts';
import { closest } from '../../model/closest.ts';
import { Failure, failures } from '../../model/failure.ts';
import type { ImportProblem } from '../../model/import.ts';
import { importNameCharactersMax, importProblemsMax, importRowsMax } from '../../model/limits.ts';
import { printable } from '../../model/printable.ts';
import type { ClientSession } from '../call.ts';
import { openProgress } from '../progress.ts';
import { openScreen } from '../terminal.ts';
import type { FileRow, ImportFile, ImportFormat } from './import-file.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell, say, subcommand } from './shell.ts';

/** Others are served between two pages, so short ones keep them from waiting. */
const pageRows = 100;
const lookMilliseconds = 250;
/** Others' imports of a million rows each may come first. */
const turnMilliseconds = 600_000;
/** A server that restarts is back in less. */
const patienceMilliseconds = 60_000;

interface Options {
  readonly dryRun?: boolean;
  readonly again?: boolean;
  readonly format?: ImportFormat;
}

/** `import FILE`: the rows of a file come in, all of them or none. */
export function addImport(shell: Shell): void {
  subcommand(shell.program, ['import'], 'Add what a CSV or JSON file lists, all of it or nothing.')
    .argument('<file>', `a file with the columns ${importColumns.join(', ')}; - is standard input`)
    .option('--dry-run', 'only look for problems: nothing is changed')
    .option('--again', 'import it although this very file was imported before')
    .addOption(
      new Option('--format <format>', "what the file is (default: by its name's ending)").choices([
        'csv',
        'json',
        'jsonl',
      ]),
    )
    .addHelpText(
      'after',
      examplesText([
        'secure-inv import delivery.csv --dry-run',
        'secure-inv import delivery.csv',
        'secure-inv export | secure-inv --server other:7443 import -',
      ]),
    )
    .action(async (path: string, options: Options) => {
      const { readImportFile, rowsOf } = await import('./import-file.ts'); // Every other command starts without it.
      const file = await readImportFile(path, options.format);
      await importFile(shell, file, () => rowsOf(file), options);
    });
}

async function importFile(
  shell: Shell,
  file: ImportFile,
  rows: () => Iterable<FileRow>,
  options: Options,
): Promise<void> {
  const own = new Problems();
  let count = 0;
  for (const row of rows()) if (wireRow(row, own)) count++;
  if (count + own.total === 0) throw new Failure('bad-params', 'The file has no rows below its header.');
  if (count > importRowsMax) {
    const most = importRowsMax.toLocaleString('en');
    throw new Failure('bad-params', `The file has ${renderRows(count)}; an import may have at most ${most}.`);
  }
  if (count === 0) throw refused(shell, own);
  await withSession(shell, async (session) => {
    const { import: id } = await session.call(importBegin, {
      ...(file.name === undefined ? {} : { name: file.name.slice(0, importNameCharactersMax) }),
      digest: file.digest,
      rows: count,
      ...(options.again ? { again: true } : {}),
    });
    await sendRows(session, id, rows, count);
    const isDry = options.dryRun === true || own.total > 0;
    const accepted = await accept(session, id, isDry);
    own.add(accepted.problems, accepted.problemsTotal);
    if (own.total > 0) throw refused(shell, own);
    if (isDry) {
      say(shell, `Nothing is wrong: ${renderRows(count)} could be imported. Nothing was changed.`, {
        rows: count,
        problems: [],
        problemsTotal: 0,
      });
      return;
    }
    const status = await follow(session, id, count);
    say(
      shell,
      `Imported ${renderRows(count)}${file.name === undefined ? '' : ` of ${printable(file.name)}`} (import ${id}).`,
      status,
    );
  });
}

/** The first problems by line, and how many there are. */
class Problems {
  #first: ImportProblem[] = [];
  total = 0;

  add(problems: readonly ImportProblem[], total = problems.length): void {
    this.#first = [...this.#first, ...problems].sort((a, b) => a.line - b.line).slice(0, importProblemsMax);
    this.total += total;
  }

  get first(): readonly ImportProblem[] {
    return this.#first;
  }
}

type WireRow = v.InferInput<typeof importedRow>;

/** The row as it travels; what is wrong with it by itself is put down. */
function wireRow(row: FileRow, problems?: Problems): WireRow | undefined {
  if ('problem' in row) {
    problems?.add([row]);
    return undefined;
  }
  const given = { ...row.fields, line: row.line };
  const found = problemsIn(importedRow, given);
  if (found.length > 0) {
    problems?.add(
      found.map(({ field, problem }) => ({
        line: row.line,
        problem: problem.replace(/^There is no parameter /, 'There is no column '), // So it is called in a file.
        fix: fixOf(field, row.fields[field]),
      })),
    );
    return undefined;
  }
  return given as unknown as WireRow; // The schema found nothing wrong.
}

function fixOf(field: string, given: unknown): string {
  if (!importColumns.includes(field)) {
    const meant = closest(field, importColumns);
    return meant ? `Did you mean ${meant}?` : `A row may have ${importColumns.join(', ')}.`;
  }
  if (given === undefined) return 'Fill it in.';
  if (field === 'quantity' || field === 'lowAt') {
    const comma = typeof given === 'string' && /^(\d+),(\d+)$/.exec(given);
    return comma ? `Write ${comma[1]}.${comma[2]} (with a point).` : 'Write a number such as 200 or 12.5.';
  }
  return field === 'precision' ? 'Write 0, 1, 2 or 3.' : 'Correct it.';
}

async function sendRows(
  session: ClientSession,
  id: number,
  rows: () => Iterable<FileRow>,
  count: number,
): Promise<void> {
  const progress = openProgress('rows sent', count);
  try {
    let page = 0;
    let sent = 0;
    let waiting: WireRow[] = [];
    const flush = async () => {
      if (waiting.length === 0) return;
      await session.call(importPage, { import: id, page: page++, rows: waiting });
      sent += waiting.length;
      waiting = [];
      progress.show(sent);
    };
    for (const row of rows()) {
      const checked = wireRow(row);
      if (checked) waiting.push(checked);
      if (waiting.length === pageRows) await flush();
    }
    await flush();
  } finally {
    progress.clear();
  }
}

/** Accepts the import, or only looks at it, after those that are being counted. */
async function accept(session: ClientSession, id: number, dryRun: boolean) {
  const giveUpAt = performance.now() + turnMilliseconds;
  for (let isTold = false; ; isTold = true) {
    try {
      return await session.call(importAccept, { import: id, ...(dryRun ? { dryRun } : {}), operation: v7() });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.code === 'unconfirmed') {
        throw new Failure('unconfirmed', 'The answer was lost: whether the import was accepted is not known.', {
          hint: `Run: secure-inv import status ${id}`,
        });
      }
      if (error.code !== 'busy' || performance.now() > giveUpAt) throw error;
      if (!isTold) process.stderr.write(`${error.message} Waiting for it.\n`);
    }
  }
}

/** Waits for an accepted import, which goes on also without this client. Failures: `conflict` when it stops. */
async function follow(
  session: ClientSession,
  id: number,
  count: number,
): Promise<v.InferOutput<typeof importStatus.result>> {
  const progress = openProgress('rows counted', count);
  const leave = () => {
    progress.clear();
    process.stderr.write(`The server goes on by itself. See: secure-inv import status ${id}\n`);
    process.exit(130); // As a shell tells of Ctrl-C.
  };
  process.once('SIGINT', leave);
  try {
    let answeredAt = performance.now();
    for (let wait = 10; ; wait = Math.min(lookMilliseconds, 2 * wait)) {
      try {
        const status = await session.call(importStatus, { import: id });
        if (status.state === 'done') return status;
        if (status.state === 'stopped') throw stopped(id, status.problem);
        answeredAt = performance.now();
        progress.show(status.done);
      } catch (error) {
        const isPassing = error instanceof Failure && (error.code === 'unreachable' || failures[error.code].exit === 7);
        if (!isPassing) throw error;
        if (performance.now() - answeredAt > patienceMilliseconds) {
          const hint = `The import was accepted: the server goes on when it is back. See: secure-inv import status ${id}`;
          throw new Failure(error.code, error.message, { hint });
        }
      }
      await sleep(wait);
    }
  } finally {
    process.off('SIGINT', leave);
    progress.clear();
  }
}

function stopped(id: number, problem: ImportProblem | undefined): Failure {
  const why = problem ? ` at line ${problem.line}: ${problem.problem} ${problem.fix}` : '.';
  return new Failure('conflict', `Import ${id} has stopped${why}`, {
    hint: `What came before is counted. Once it is mended: secure-inv import accept ${id}`,
  });
}

/** Shows what is wrong where results go, and returns the refusal. */
function refused(shell: Shell, problems: Problems): Failure {
  const { first, total } = problems;
  const screen = openScreen();
  const text = shell.options().json
    ? JSON.stringify({ problems: first, problemsTotal: total })
    : renderProblems(first, screen);
  process.stdout.write(`${text}\n`);
  const count = total === 1 ? 'is 1 problem' : `are ${total.toLocaleString('en')} problems`;
  const shown = first.length < total ? ` (the first ${first.length} are shown)` : '';
  return new Failure('bad-params', `There ${count}${shown}; nothing was imported.`, {
    hint: 'Correct the file and import it again: secure-inv import FILE --dry-run only looks.',
  });
}
