import { Failure } from '../../model/failure.ts';
import { canonicalKey } from '../../model/name.ts';
import { quantityThousandthsMax, type Thousandths } from '../../model/quantity.ts';
import type { Database } from './database.ts';
import type { ImportCheck } from './import-check.ts';
import type { Step } from './plan.ts';

/** An import whose rows are being counted. */
interface Accepted {
  readonly id: number;
  /** The most that it adds to one item. */
  readonly most: Thousandths;
}

/**
 * Keeps true what an import was found to fit. While it is looked at, a change of what its rows depend on makes the look
 * begin again; once it is accepted such a change is refused until all of it is counted. So no accepted import fails half
 * way. One import at a time, or the second would be looked at against half of the first.
 */
export class ImportGuard {
  readonly #database: Database;
  /** Null: none is accepted. Undefined: the file must be asked. */
  #accepted: Accepted | null | undefined;
  /** The look at the accepted import, or at one that may become so; absent or not whole after a restart. */
  look: ImportCheck | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The import that is being counted. */
  get accepted(): Accepted | undefined {
    if (this.#accepted === undefined) {
      const sql = `SELECT id, most FROM import WHERE state = 'accepted' AND state IN ('staged', 'accepted', 'forgotten')`;
      this.#accepted = this.#database.get<Accepted>(sql) ?? null;
    }
    return this.#accepted ?? undefined;
  }

  /** The looked-at import is accepted, inside the transaction that says so. */
  accept({ importId, most }: ImportCheck): void {
    this.#accepted = { id: importId, most };
  }

  /** The accepted import is counted, or has stopped. */
  release(): void {
    this.#accepted = null;
    this.look = undefined;
  }

  /** Forgets what memory says, because the file may say otherwise. */
  drop(): void {
    this.#accepted = undefined;
    this.look = undefined;
  }

  /** Movements of others: they leave room, and make no item that the import makes. Failures: `busy`. */
  assertMayMove(steps: readonly Step[]): void {
    if (!this.accepted && !this.look) return;
    const most = this.accepted?.most ?? this.look?.most ?? 0;
    for (const { item, delta, isLeg, created } of steps) {
      if (created) this.#assertApart(undefined, [canonicalKey(item.name)]);
      const isInTheWay = !isLeg && delta > 0 && item.total > quantityThousandthsMax - most;
      if (isInTheWay) this.#refuseOrSpoil();
    }
  }

  /** The edit of an item, with all keys that mean it before or after. Failures: `busy`. */
  assertMayEdit(itemId: number | undefined, keys: readonly string[]): void {
    if (this.accepted || this.look) this.#assertApart(itemId, keys);
  }

  /** A location gets another name, or is not there any more. Failures: `busy`. */
  assertMayChangeLocations(): void {
    if (this.accepted || this.look) this.#refuseOrSpoil();
  }

  #assertApart(itemId: number | undefined, keys: readonly string[]): void {
    const isKnown = this.look !== undefined && (!this.accepted || this.look.isWhole);
    if (!isKnown || this.look?.dependsOn(itemId, keys)) this.#refuseOrSpoil();
  }

  #refuseOrSpoil(): void {
    if (this.accepted) {
      throw new Failure('busy', 'An import is being counted, and must not be stopped half way by this change.', {
        retryAfter: 2,
        hint: 'It is done soon: try again then.',
      });
    }
    if (this.look) this.look.isSpoiled = true;
  }
}
