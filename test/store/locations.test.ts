import { expect, onTestFinished, test } from 'vitest';
import { archiveLocation } from '../../src/store/sqlite/locations.ts';
import { migrate } from '../../src/store/sqlite/migrations.ts';
import { Explained } from './explained.ts';

test('what is told of a location that is not empty is read in the order of an index, however much there is', () => {
  const database = new Explained(':memory:');
  onTestFinished(() => database.close());
  migrate(database, 0);
  database.script(`
    PRAGMA foreign_keys = OFF;
    INSERT INTO location (id, name, key) VALUES (2, 'cellar', 'cellar');
    INSERT INTO item (id, name, key, unit) VALUES (1, 'Tea', 'tea', 'pcs'), (2, 'Soap', 'soap', 'pcs');
    INSERT INTO balance (item_id, location_id, quantity, key) VALUES (1, 2, 1000, 'tea'), (2, 2, 2000, 'soap');
  `);
  expect(() => archiveLocation(database, 'cellar', 1)).toThrow('cellar is not empty: 2 Soap, 1 Tea.');
  expect(database.plan.filter((step) => /SORT|B-TREE/.test(step))).toEqual([]);
});
