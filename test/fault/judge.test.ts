import { describe, expect, test } from 'vitest';
import type { Event, Movement, Remains } from './history.ts';
import { judge } from './judge.ts';

const asked = (operation: string, delta: number, item = 'Soap'): Event => ({ what: 'asked', operation, item, delta });
const told = (operation: string, seq: number, balance: number): Event => ({
  what: 'acknowledged',
  operation,
  seq,
  balance,
});
const refused = (operation: string): Event => ({ what: 'refused', operation });
const look = (number: number): Event => ({ what: 'look', look: number });
const seen = (number: number, seq: number, soap: number): Event => ({
  what: 'seen',
  look: number,
  seq,
  quantities: new Map([['Soap', soap]]),
});

/** What is left when these were counted in this order. */
function left(...changes: readonly (readonly [operation: string, delta: number])[]): Remains {
  let balance = 0;
  const ledger = changes.map(([operation, delta], at): Movement => {
    balance += delta;
    return { seq: at + 1, operation, item: 'Soap', delta, balance, at: '' };
  });
  return { ledger, stock: new Map([['Soap', balance]]) };
}

/** Two adds that overlap, the first with a lost answer, a take, and looks before, between, during and after. */
const history: readonly Event[] = [
  look(1),
  seen(1, 0, 0),
  asked('a', 5),
  look(2),
  asked('b', 3),
  told('b', 2, 8),
  seen(2, 1, 5),
  look(3),
  seen(3, 2, 8),
  asked('a', 5),
  told('a', 1, 5),
  asked('c', -2),
  look(4),
  told('c', 3, 6),
  seen(4, 3, 6),
  asked('never answered', 100),
  asked('d', -50),
  refused('d'),
];
const remains = left(['a', 5], ['b', 3], ['c', -2]);

/** The history with another event in place of one that is in it. */
function instead(of: Event, ...events: readonly Event[]): readonly Event[] {
  const at = history.findIndex((event) => JSON.stringify(event) === JSON.stringify(of) && sameQuantities(event, of));
  if (at === -1) throw new Error('There is no such event.');
  return history.toSpliced(at, 1, ...events);
}

function sameQuantities(a: Event, b: Event): boolean {
  return a.what !== 'seen' || b.what !== 'seen' || a.quantities.get('Soap') === b.quantities.get('Soap');
}

describe('the judge of histories', () => {
  test('finds nothing in a possible one, and counts what it looked at', () => {
    expect(judge(history, remains)).toEqual({
      violations: [],
      operations: 5,
      acknowledged: 3,
      repeated: 1,
      refused: 1,
      looks: 4,
    });
  });

  test('lets what was never answered be there or not', () => {
    expect(judge(history, left(['a', 5], ['b', 3], ['c', -2], ['never answered', 100])).violations).toEqual([]);
  });

  const found: readonly (readonly [string, RegExp, readonly Event[], Remains])[] = [
    ['a lost movement', /c was acknowledged as 3 and is lost/, history, left(['a', 5], ['b', 3])],
    ['a doubled one', /c was counted twice: as 3 and as 4/, history, left(['a', 5], ['b', 3], ['c', -2], ['c', -2])],
    ['one nobody asked for', /x, for which nobody asked/, history, left(['a', 5], ['b', 3], ['c', -2], ['x', 1])],
    ['another quantity', /is -1 Soap, but -2 Soap was asked for/, history, left(['a', 5], ['b', 3], ['c', -1])],
    ['a refused one', /d was refused, and counted as 4/, history, left(['a', 5], ['b', 3], ['c', -2], ['d', -50])],
    ['another number', /b was acknowledged as 2 \(8\), but is 1 \(3\)/, history, left(['b', 3], ['a', 5], ['c', -2])],
    ['two answers', /c was acknowledged as 3 and as 4/, [...history, told('c', 4, 6)], remains],
    ['a change before its time', /c was asked for when 2 was known, but is 1/, history, left(['c', -2], ['b', 3])],
    ['a stock that is no sum', /There are 7 Soap/, history, { ...remains, stock: new Map([['Soap', 7]]) }],
    [
      'stock out of nothing',
      /There are 1 Glue/,
      history,
      { ...remains, stock: new Map([...remains.stock, ['Glue', 1]]) },
    ],
    ['a gap', /Movement 3 of the ledger has the number 4/, history, withLast({ seq: 4 })],
    ['a wrong balance', /leaves 7 Soap, but the deltas add up to 6/, history, withLast({ balance: 7 })],
    ['a stale look', /Look 3 began when 2 was known, and saw only 1/, instead(seen(3, 2, 8), seen(3, 1, 5)), remains],
    ['a look too low', /saw 2 Soap, where 3 to 8 were possible/, instead(seen(3, 2, 8), seen(3, 2, 2)), remains],
    ['a look ahead', /saw 6 Soap, where 0 to 5 were possible/, aheadOfTime(), remains],
    ['a number ahead', /Look 2 saw 3 when nothing above 2 had been/, instead(seen(2, 1, 5), seen(2, 3, 6)), remains],
    [
      'a moment that never was',
      /saw 3 Soap as of 1, when there were 5/,
      instead(seen(2, 1, 5), seen(2, 1, 3)),
      remains,
    ],
    ['looks backwards', /Look 3 began when 2 was known, and saw only 1/, backwards(), left(['a', 5], ['b', 3])],
  ];

  function withLast(wrong: Partial<Movement>): Remains {
    const ledger = remains.ledger.map((movement) => (movement.seq === 3 ? { ...movement, ...wrong } : movement));
    return { ...remains, ledger };
  }

  function aheadOfTime(): readonly Event[] {
    return instead(look(2), look(2), seen(2, 1, 6));
  }

  /** Nothing was acknowledged: only one look knows what another had seen. */
  function backwards(): readonly Event[] {
    return [asked('a', 5), asked('b', 3), look(2), seen(2, 2, 8), look(3), seen(3, 1, 5)];
  }

  test.for(found)('finds %s', ([, violation, events, end]) => {
    expect(judge(events, end).violations).toContainEqual(expect.stringMatching(violation));
  });
});
