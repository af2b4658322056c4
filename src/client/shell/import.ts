import { Option } from 'commander';
import { renderProblems } from '../../command/import/accept.ts';
import { importColumns, renderRows } from '../../command/import/field.ts';
import { Failure } from '../../model/failure.ts';
import { printable } from '../../model/printable.ts';
import { assertImportable, type ImportProgress, ImportRefusal, type ImportStatus, importRows } from '../import.ts';
import { type FileRow, RowCheck } from '../import-rows.ts';
import { openProgress, type Progress } from '../progress.ts';
import { openScreen } from '../terminal.ts';
import type { ImportFile, ImportFormat } from './import-file.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell, say, subcommand } from './shell.ts';

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
      const { isOneLine, readImportFile, rowsOf } = await import('./import-file.ts'); // Every other command starts without it.
      const file = await readImportFile(path, options.format);
      const place = isOneLine(file) ? 'Element' : 'Line';
      await importFile(shell, file, () => rowsOf(file), place, options);
    });
}

async function importFile(
  shell: Shell,
  file: ImportFile,
  rows: () => Iterable<FileRow>,
  place: 'Line' | 'Element',
  { dryRun, again }: Options,
): Promise<void> {
  const check = new RowCheck();
  for (const row of rows()) check.look(row);
  if (check.rows === 0)
    throw new Failure(
      'bad-params',
      file.format === 'csv' ? 'The file has no rows below its header.' : 'The file has no rows.',
    );
  const { digest, name } = file;
  const progress = new ShownProgress(check.sent, dryRun === true);
  try {
    assertImportable(check);
    await withSession(shell, async (session) => {
      const plan = { name, digest, check, rows, dryRun, again, onProgress: progress.show };
      const status = await importRows(session, plan);
      progress.clear();
      sayDone(shell, file, check.rows, dryRun ? undefined : status);
    });
  } catch (error) {
    progress.clear();
    throw error instanceof ImportRefusal ? refused(shell, error, place) : error;
  }
}

function sayDone(shell: Shell, { name }: ImportFile, count: number, status: ImportStatus | undefined): void {
  if (!status) {
    const nothing = { rows: count, problems: [], problemsTotal: 0 };
    say(shell, `Nothing is wrong: ${renderRows(count)} could be imported. Nothing was changed.`, nothing);
    return;
  }
  const of = name === undefined ? '' : ` of ${printable(name)}`;
  say(shell, `Imported ${renderRows(count)}${of} (import ${status.import}).`, status);
}

const words = { sending: 'sent', checking: 'checked', counting: 'counted' } as const;

/** How far an import is, on standard error: a bar for each phase, and what it waits for. */
class ShownProgress {
  readonly #total: number;
  readonly #isDry: boolean;
  #bar: Progress | undefined;
  #last: ImportProgress | undefined;

  constructor(total: number, isDry: boolean) {
    this.#total = total;
    this.#isDry = isDry;
  }

  readonly show = (progress: ImportProgress): void => {
    const { phase, rows, waitsFor } = progress;
    if (phase !== this.#last?.phase) {
      this.#bar?.clear();
      this.#bar = openProgress(`rows ${words[phase]}`, this.#total);
      if (!this.#last) process.once('SIGINT', this.#leave);
    }
    this.#last = progress;
    if (waitsFor !== undefined) {
      this.#bar?.clear();
      process.stderr.write(`${printable(waitsFor)} Waiting for it.\n`);
    }
    this.#bar?.show(rows);
  };

  readonly clear = (): void => {
    this.#bar?.clear();
    process.off('SIGINT', this.#leave);
  };

  /** Ctrl-C: the bar goes, and people read how it stands. */
  readonly #leave = (): void => {
    this.#bar?.clear();
    process.stderr.write(`${this.#describe()}\n`);
    process.exit(130); // As a shell tells of Ctrl-C.
  };

  #describe(): string {
    const { import: id, phase, rows } = this.#last ?? {};
    if (phase === 'counting') return `The server goes on by itself. See: secure-inv import status ${id}`;
    if (phase === 'checking' && !this.#isDry) return `It may have been accepted. See: secure-inv import status ${id}`;
    const sent =
      phase === 'sending' ? `: ${rows?.toLocaleString('en')} of ${renderRows(this.#total)} had been sent` : '';
    return `Nothing was imported${sent}.`;
  }
}

/** Shows what is wrong where results go, and returns the refusal. */
function refused(shell: Shell, refusal: ImportRefusal, place: 'Line' | 'Element'): Failure {
  const { code, message, problems, problemsTotal } = refusal;
  const screen = openScreen();
  const text = shell.options().json
    ? JSON.stringify({ problems, problemsTotal })
    : renderProblems(problems, screen, place);
  process.stdout.write(`${text}\n`);
  return new Failure(code, message, {
    hint: 'Correct the file and import it again: secure-inv import FILE --dry-run only looks.',
  });
}
