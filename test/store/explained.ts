import { Database } from '../../src/store/sqlite/database.ts';

/** A connection that writes down how SQLite finds what it is asked for. */
export class Explained extends Database {
  readonly plan: string[] = [];

  override all<Row>(sql: string, ...values: (string | number | null)[]): Row[] {
    const steps = super.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
    this.plan.push(...steps.map(({ detail }) => detail));
    return super.all(sql, ...values);
  }
}
