import { randomBytes } from 'node:crypto';
import { Failure } from '../../model/failure.ts';
import type {
  ImportAcceptance,
  Importer,
  ImportIntent,
  ImportProblem,
  ImportRow,
  ImportStatus,
} from '../../model/import.ts';
import { importCommitRowsMax, importSliceMilliseconds, importStagedMinutes, quantityMax } from '../../model/limits.ts';
import type { Scope } from '../../model/user.ts';
import type { ImportCheck as CheckedSlice, ImportSlice } from '../store.ts';
import type { Database } from './database.ts';
import { ImportCheck } from './import-check.ts';
import type { ImportGuard } from './import-guard.ts';
import {
  assertNotImported,
  findImport,
  firstRow,
  type ImportRecord,
  makeRoom,
  nextImport,
  ownImport,
  ownOpenImport,
  ownStagedImport,
  unknownImport,
} from './import-records.ts';
import { ImportRoll } from './import-roll.ts';
import { deleteRows, insertRow, readRows } from './import-rows.ts';
import type { Stock } from './stock.ts';

/** Between two looks at the clock: a row takes microseconds, and half a millisecond with long names and every mistake. */
const rowsAtOnce = 8;
/** Who does not go on looking for so long has left. */
const lookIdleMilliseconds = 5000;

/** Files that become movements: the table of imports, and the rows that are not counted yet. */
export class Imports {
  readonly #database: Database;
  readonly #stock: Stock;
  readonly #guard: ImportGuard;
  readonly #roll: ImportRoll;
  #lookedAt = 0;

  constructor(database: Database, stock: Stock, guard: ImportGuard) {
    this.#database = database;
    this.#stock = stock;
    this.#roll = new ImportRoll(database, stock);
    this.#guard = guard;
  }

  /** As `Store.beginImport`. */
  begin({ name, digest, rows, again, userId, scope }: ImportIntent, now: number): number {
    // Whoever is limited is told of another's import only when they would else count the file once more.
    if (!again) assertNotImported(this.#database, digest, { userId, scope }, scope === null ? 'anybody' : 'themselves');
    makeRoom(this.#database, userId, rows);
    const sql = `INSERT INTO import (user_id, name, digest, again, rows, seed, state, at)
      VALUES (?, ?, ?, ?, ?, ?, 'staged', ?) RETURNING id`;
    const seed = randomBytes(16);
    return this.#database.one<{ id: number }>(sql, userId, name, digest, again ? 1 : 0, rows, seed, now).id;
  }

  /** As `Store.stageRows`. */
  stage(importer: Importer, importId: number, page: number, rows: readonly ImportRow[], now: number): number {
    const record = ownStagedImport(this.#database, importer, importId);
    if (page < record.pages) return record.done; // It came before, and its answer was lost.
    if (page > record.pages) {
      throw new Failure('bad-params', `page must be ${record.pages}: pages come in turn (got ${page}).`);
    }
    const staged = record.done + rows.length;
    if (staged > record.rows) {
      throw new Failure('bad-params', `rows are more than the ${record.rows} that import.begin announced.`);
    }
    for (const [at, row] of rows.entries()) insertRow(this.#database, importId, record.done + at, row);
    this.#database.run('UPDATE import SET pages = ?, done = ?, at = ? WHERE id = ?', page + 1, staged, now, importId);
    return staged;
  }

  /** As `Store.checkImport`. */
  check(importer: Importer, importId: number, from: number): CheckedSlice {
    const record = ownOpenImport(this.#database, importer, importId);
    const look = this.#lookFrom(record, importer, from);
    const problems = this.#lookAtSome(look);
    if (!look.isWhole) return { next: look.next, problems };
    if (look.problems > 0) this.#guard.look = undefined;
    return { next: null, problems };
  }

  /** As `Store.acceptImport`. */
  accept({ credential, source, ...importer }: ImportAcceptance, importId: number, now: number): ImportStatus {
    const record = ownImport(this.#database, importer, importId);
    if (record.state === 'staged' || record.state === 'stopped') {
      const look = this.#lookAtWhole(importer, importId);
      if (record.state === 'staged' && record.again === 0) {
        assertNotImported(this.#database, record.digest, importer, 'anybody');
      }
      if (look.isOverElsewhere) this.#refuseTooMany();
      if (record.state === 'staged') this.#database.run('UPDATE import SET done = 0 WHERE id = ?', importId);
      this.#database.run(
        `UPDATE import SET state = 'accepted', at = ?, credential = ?, source = ?, scope = ?, most = ?, problem = NULL
         WHERE id = ?`,
        now,
        credential,
        source,
        JSON.stringify(importer.scope),
        look.most,
        importId,
      );
      this.#guard.accept(look);
    }
    return this.status(importer, importId);
  }

  /** As `Store.importStatus`. */
  status({ userId, scope }: Importer, importId: number): ImportStatus {
    const record = findImport(this.#database, importId);
    if (!record || record.state === 'forgotten' || (scope !== null && record.user_id !== userId)) {
      throw unknownImport(importId);
    }
    const { name, user, state, rows, done, at, problem } = record;
    return {
      import: importId,
      name,
      user,
      state,
      rows,
      done,
      at,
      problem: problem === null ? null : (JSON.parse(problem) as ImportProblem), // `roll` wrote it.
      looked: this.#lookedOf(record),
    };
  }

  /** As `Store.rollImports`, inside a transaction. Anything that is thrown spoils the transaction. */
  roll(now: number): ImportSlice {
    const accepted = nextImport(this.#database, 'accepted');
    this.#database.expectMany(accepted !== undefined);
    this.#stock.expectMany(accepted !== undefined);
    if (accepted && !this.#lookAgain(accepted)) return { more: true, stopped: null };
    if (accepted) {
      const { isAtEnd, ...slice } = this.#roll.forward(accepted, now);
      if (isAtEnd) this.#guard.release();
      return slice;
    }
    const forgotten = nextImport(this.#database, 'forgotten');
    if (forgotten) return { more: sweep(this.#database, forgotten), stopped: null };
    // A look that only wanted to know leaves nothing behind; it takes memory for each item.
    if (performance.now() - this.#lookedAt > lookIdleMilliseconds) this.#guard.look = undefined;
    const before = now - importStagedMinutes * 60_000;
    const late = this.#database.run(`UPDATE import SET state = 'forgotten' WHERE state = 'staged' AND at < ?`, before);
    return { more: late > 0, stopped: null };
  }

  /** A commit took so long. */
  noteCommit(milliseconds: number): void {
    this.#roll.noteCommit(milliseconds);
  }

  /** Forgets what memory says, because the file may say otherwise. */
  drop(): void {
    this.#guard.drop();
  }

  #lookedOf({ id, state }: ImportRecord): number | null {
    const { look } = this.#guard;
    return look?.importId === id && (state === 'staged' || state === 'stopped') ? look.next : null;
  }

  /** Looks for one slice's time. */
  #lookAtSome(look: ImportCheck): readonly ImportProblem[] {
    const problems: ImportProblem[] = [];
    const until = performance.now() + importSliceMilliseconds;
    for (;;) {
      const rows = readRows(this.#database, look.importId, look.next, rowsAtOnce);
      for (const row of rows) problems.push(...look.look(row));
      look.isWhole = rows.length < rowsAtOnce;
      this.#lookedAt = performance.now();
      if (look.isWhole || this.#lookedAt > until) return problems;
    }
  }

  /** The look that goes on with row `from`; with the first one a new look begins. */
  #lookFrom(record: ImportRecord, { scope }: Importer, from: number): ImportCheck {
    if (this.#guard.accepted) throw anotherIsCounted();
    const { look } = this.#guard;
    const isAnother = look !== undefined && look.importId !== record.id && !look.isWhole;
    if (isAnother && performance.now() - this.#lookedAt < lookIdleMilliseconds) {
      throw new Failure('busy', 'Another import is being looked at.', { retryAfter: 2 });
    }
    if (from === 0) {
      this.#guard.look = new ImportCheck(this.#database, record.id, scope, firstRow(record));
      return this.#guard.look;
    }
    if (look?.importId !== record.id || look.next !== from || look.isSpoiled || !isSame(look.scope, scope)) {
      throw mustBeginAgain();
    }
    return look;
  }

  /** The look that found nothing wrong, when what it found is still so. */
  #lookAtWhole({ scope }: Importer, importId: number): ImportCheck {
    if (this.#guard.accepted) throw anotherIsCounted();
    const { look } = this.#guard;
    const isGood = look?.importId === importId && look.isWhole && !look.isSpoiled;
    if (!isGood || !isSame(look.scope, scope)) throw mustBeginAgain();
    return look;
  }

  /**
   * As of an operation: last, and without saying which. Whoever is limited would else learn from a dry run, which adds
   * nothing, how much there is elsewhere.
   */
  #refuseTooMany(): never {
    this.#guard.look = undefined;
    const most = quantityMax.toLocaleString('en');
    throw new Failure('conflict', `An item may have at most ${most} in all locations, and one would have more.`, {
      hint: 'Correct the quantities.',
    });
  }

  /** After a restart the guard must know what the rows depend on before it can let others change anything. */
  #lookAgain(record: ImportRecord): boolean {
    if (this.#guard.look?.isWhole) return true;
    const scope = JSON.parse(record.scope ?? 'null') as Scope; // `accept` wrote it.
    this.#guard.look ??= new ImportCheck(this.#database, record.id, scope, record.done);
    this.#lookAtSome(this.#guard.look);
    return false;
  }
}

/** Drops some rows of an import that is forgotten, and last the import itself. */
function sweep(database: Database, { id }: ImportRecord): boolean {
  if (deleteRows(database, id, Number.MAX_SAFE_INTEGER, importCommitRowsMax) === 0) {
    database.run('DELETE FROM import WHERE id = ?', id);
  }
  return true;
}

function isSame(one: Scope, other: Scope): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function mustBeginAgain(): Failure {
  return new Failure('busy', 'The rows must be looked at again.', { retryAfter: 1 });
}

function anotherIsCounted(): Failure {
  return new Failure('busy', 'Another import is being counted.', { retryAfter: 2 });
}
