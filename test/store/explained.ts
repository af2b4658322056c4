import { Database } from '../../src/store/sqlite/database.ts';

/** A connection that writes down how SQLite finds what it is asked for. */
export class Explained extends Database {
  readonly plan: string[] = [];
  /** The same, by query. */
  readonly plans = new Map<string, readonly string[]>();

  override all<Row>(sql: string, ...values: (string | number | null)[]): Row[] {
    const steps = super.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
    const plan = steps.map(({ detail }) => detail);
    this.plan.push(...plan);
    this.plans.set(sql, plan);
    return super.all(sql, ...values);
  }
}
