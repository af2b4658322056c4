import { describe, expect, test } from 'vitest';
import { type Event, type Leg, type Movement, placeOf, type Refusal, type Remains, type Shift } from './history.ts';
import { judge } from './judge.ts';

const leg = (delta: number, item = 'Soap', location = 'main') => ({ item, location, delta });
const change = (operation: string, kind: Shift['kind'], ...legs: readonly Leg[]): Event => ({
  what: 'asked',
  operation,
  kind,
  legs,
});
const asked = (operation: string, delta: number, item = 'Soap') =>
  change(operation, delta > 0 ? 'add' : 'take', leg(delta, item));
const counted = (operation: string, quantity: number, ifSeq?: number): Event => ({
  what: 'asked',
  operation,
  kind: 'count',
  item: 'Soap',
  location: 'main',
  quantity,
  ifSeq,
});
const undone = (operation: string, undone: string, seq: number): Event => ({
  what: 'asked',
  operation,
  kind: 'undo',
  undone,
  seq,
});
const told = (operation: string, ...numbers: readonly (readonly [seq: number, balance: number])[]): Event => ({
  what: 'acknowledged',
  operation,
  told: numbers.map(([seq, balance]) => ({ seq, balance })),
});
const refused = (operation: string, code: Refusal = 'out-of-stock'): Event => ({ what: 'refused', operation, code });
const look = (number: number, location?: string): Event => ({ what: 'look', look: number, location });
const seen = (number: number, seq: number, soap: number, cellar?: number): Event => ({
  what: 'seen',
  look: number,
  seq,
  quantities: new Map([['Soap at main', soap], ...(cellar === undefined ? [] : [['Soap at cellar', cellar] as const])]),
});

/** What is left when these legs were counted in this order. */
function leftOf(...legs: readonly (readonly [operation: string, leg: Leg, undoes?: number])[]): Remains {
  const stock = new Map<string, number>();
  const ledger = legs.map(([operation, leg, undoes], at): Movement => {
    const balance = (stock.get(placeOf(leg)) ?? 0) + leg.delta;
    stock.set(placeOf(leg), balance);
    return { seq: at + 1, operation, ...leg, balance, at: '', ...(undoes === undefined ? {} : { undoes }) };
  });
  return { ledger, stock };
}

const left = (...changes: readonly (readonly [operation: string, delta: number])[]) =>
  leftOf(...changes.map(([operation, delta]) => [operation, leg(delta)] as const));

/** Two adds that overlap, the first with a lost answer, a take, and looks before, between, during and after. */
const history: readonly Event[] = [
  look(1),
  seen(1, 0, 0),
  asked('a', 5),
  look(2),
  asked('b', 3),
  told('b', [2, 8]),
  seen(2, 1, 5),
  look(3),
  seen(3, 2, 8),
  asked('a', 5),
  told('a', [1, 5]),
  asked('c', -2),
  look(4),
  told('c', [3, 6]),
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
  return (
    a.what !== 'seen' || b.what !== 'seen' || a.quantities.get('Soap at main') === b.quantities.get('Soap at main')
  );
}

describe('the judge of histories', () => {
  test('finds nothing in a possible one, and counts what it looked at', () => {
    expect(judge(history, remains)).toEqual({
      violations: [],
      operations: 5,
      acknowledged: 3,
      counts: 0,
      undos: 0,
      repeated: 1,
      refused: 1,
      looks: 4,
    });
  });

  test('lets what was never answered be there or not', () => {
    expect(judge(history, left(['a', 5], ['b', 3], ['c', -2], ['never answered', 100])).violations).toEqual([]);
  });

  test('takes a refusal for right when there was too little at a moment while it was asked', () => {
    const emptied = left(['a', 5], ['b', 3], ['c', -2], ['e', -6], ['f', 9]);
    const during = [asked('e', -6), asked('f', 9), asked('g', -5), refused('g'), told('e', [4, 0]), told('f', [5, 9])];
    expect(judge([...history, ...during], emptied).violations).toEqual([]);
    expect(judge([...history, asked('x', -1, 'Glue'), refused('x', 'not-found')], remains).violations).toEqual([]);
  });

  /** A move of two lines, of which the clerk of the cellar sees a half, and a take of two lines that lacks the second. */
  const moving: readonly Event[] = [
    change('a', 'add', leg(9), leg(4, 'Glue')),
    told('a', [1, 9], [2, 4]),
    look(1),
    look(2, 'cellar'),
    change('m', 'move', leg(-3), leg(3, 'Soap', 'cellar'), leg(-1), leg(1, 'Soap', 'cellar')),
    told('m', [3, 6], [4, 3], [5, 5], [6, 4]),
    {
      what: 'seen',
      look: 1,
      seq: 2,
      quantities: new Map([
        ['Soap at main', 9],
        ['Glue at main', 4],
      ]),
    },
    { what: 'seen', look: 2, seq: 6, quantities: new Map([['Soap at cellar', 4]]) },
    change('t', 'take', leg(-1), leg(-5, 'Glue')),
    refused('t'),
  ];
  const moved = leftOf(
    ['a', leg(9)],
    ['a', leg(4, 'Glue')],
    ['m', leg(-3)],
    ['m', leg(3, 'Soap', 'cellar')],
    ['m', leg(-1)],
    ['m', leg(1, 'Soap', 'cellar')],
  );

  test('finds nothing in moves between places that some see only a part of', () => {
    expect(judge(moving, moved).violations).toEqual([]);
  });

  /** A count by who had seen the first movement, an undo of two lines and one of the count; then what is done no more. */
  const correcting: readonly Event[] = [
    change('a', 'add', leg(9), leg(4, 'Glue')),
    told('a', [1, 9], [2, 4]),
    counted('c', 7, 1),
    look(1),
    told('c', [3, 7]),
    undone('uc', 'c', 3),
    told('uc', [4, 9]),
    asked('b', 5),
    told('b', [5, 14]),
    undone('ua', 'a', 2),
    { what: 'seen', look: 1, seq: 3, quantities: quantities(7, 4) },
    look(2),
    told('ua', [6, 0], [7, 5]),
    { what: 'seen', look: 2, seq: 7, quantities: quantities(5, 0) },
    change('a', 'add', leg(9), leg(4, 'Glue')),
    told('a', [1, 9], [2, 4]),
    undone('ub', 'a', 1),
    refused('ub', 'conflict'),
    counted('late', 5, 4),
    refused('late', 'conflict'),
    asked('t', -5),
    told('t', [8, 0]),
    undone('much', 'b', 5),
    refused('much'),
  ];
  const corrections: readonly (readonly [operation: string, leg: Leg, undoes?: number])[] = [
    ['a', leg(9)],
    ['a', leg(4, 'Glue')],
    ['c', leg(-2)],
    ['uc', leg(2), 3],
    ['b', leg(5)],
    ['ua', leg(-4, 'Glue'), 2],
    ['ua', leg(-9), 1],
    ['t', leg(-5)],
  ];
  const corrected = leftOf(...corrections);

  function quantities(soap: number, glue: number): ReadonlyMap<string, number> {
    return new Map([
      ['Soap at main', soap],
      ['Glue at main', glue],
    ]);
  }

  test('finds nothing in counts and undos, also of what is asked for again, and calls none of that a lost answer', () => {
    expect(judge(correcting, corrected)).toMatchObject({ violations: [], counts: 1, undos: 2, repeated: 0 });
  });

  test('takes a count or an undo that was never answered for there or not', () => {
    const open = [...correcting, undone('uo', 't', 8), counted('co', 3), look(3), seen(3, 8, 0)];
    expect(judge(open, corrected).violations).toEqual([]);
    const done = leftOf(...corrections, ['uo', leg(5), 8], ['co', leg(-2)]);
    expect(judge(open, done).violations).toEqual([]);
  });

  /** What came after a moment with 8 pieces of soap, of which one was at the cellar, told by a sum. */
  const since = { seq: 10, stock: new Map([...quantities(7, 0), ['Soap at cellar', 1]]) };
  const later: readonly Event[] = [
    look(1),
    asked('t', -3),
    told('t', [11, 4]),
    {
      what: 'seen',
      look: 1,
      seq: 10,
      quantities: new Map([
        ['Soap at main', 7],
        ['Soap at cellar', 1],
      ]),
    },
    look(2),
    asked('much', -5),
    refused('much'),
    counted('c', 9, 11),
    told('c', [12, 9]),
    {
      what: 'seen',
      look: 2,
      seq: 12,
      quantities: new Map([
        ['Soap at main', 9],
        ['Soap at cellar', 1],
      ]),
    },
  ];
  const laterOn = (first: number): Remains => ({
    since,
    ledger: [
      { ...leg(-3), seq: first, operation: 't', balance: 4, at: '' },
      { ...leg(5), seq: first + 1, operation: 'c', balance: 9, at: '' },
    ],
    stock: new Map([...quantities(9, 0), ['Soap at cellar', 1]]),
  });

  test('judges a part of a history by what there was before', () => {
    expect(judge(later, laterOn(11)).violations).toEqual([]);
  });

  /** The ledger with other movements in the place of one and those behind it. */
  const correctedBut = (from: number, ...instead: typeof corrections) =>
    leftOf(...corrections.slice(0, from - 1), ...instead);
  const first = (events: number) => correcting.slice(0, events);

  const found: readonly (readonly [string, RegExp, readonly Event[], Remains])[] = [
    ['a lost movement', /c was acknowledged as 3 \(6\) and is lost/, history, left(['a', 5], ['b', 3])],
    ['a doubled one', /c was counted twice: as 3 and as 4/, history, left(['a', 5], ['b', 3], ['c', -2], ['c', -2])],
    ['one nobody asked for', /x, for which nobody asked/, history, left(['a', 5], ['b', 3], ['c', -2], ['x', 1])],
    [
      'another quantity',
      /is -1 Soap at main, but -2 Soap at main was asked for/,
      history,
      left(['a', 5], ['b', 3], ['c', -1]),
    ],
    ['a refused one', /d was refused, and counted as 4/, history, left(['a', 5], ['b', 3], ['c', -2], ['d', -50])],
    ['another number', /b was acknowledged as 2 \(8\), but is 1 \(3\)/, history, left(['b', 3], ['a', 5], ['c', -2])],
    ['two answers', /c was acknowledged as 4 \(6\), but is 3/, [...history, told('c', [4, 6])], remains],
    [
      'a wrong first answer',
      /as 3 \(999\), but is 3 \(6\)/,
      instead(told('c', [3, 6]), told('c', [3, 999]), told('c', [3, 6])),
      remains,
    ],
    ['a change before its time', /c was asked for when 2 was known, but is 1/, history, left(['c', -2], ['b', 3])],
    ['a stock that is no sum', /There are 7 Soap/, history, { ...remains, stock: new Map([['Soap at main', 7]]) }],
    [
      'stock out of nothing',
      /There are 1 Glue at main/,
      history,
      { ...remains, stock: new Map([...remains.stock, ['Glue at main', 1]]) },
    ],
    ['a gap', /Movement 3 of the ledger has the number 4/, history, withLast({ seq: 4 })],
    ['a wrong balance', /leaves 7 Soap at main, but the deltas add up to 6/, history, withLast({ balance: 7 })],
    ['a stale look', /Look 3 began when 2 was known, and saw only 1/, instead(seen(3, 2, 8), seen(3, 1, 5)), remains],
    [
      'a look too low',
      /saw 2 Soap at main, where 3 to 8 were possible/,
      instead(seen(3, 2, 8), seen(3, 2, 2)),
      remains,
    ],
    ['a look ahead', /saw 6 Soap at main, where 0 to 5 were possible/, aheadOfTime(), remains],
    ['a number ahead', /Look 2 saw 3 when nothing above 2 had been/, instead(seen(2, 1, 5), seen(2, 3, 6)), remains],
    [
      'a moment that never was',
      /saw 3 Soap at main as of 1, when there were 5/,
      instead(seen(2, 1, 5), seen(2, 1, 3)),
      remains,
    ],
    [
      'a false refusal',
      /e was refused as out-of-stock, which it was at no moment of 3 to 3/,
      falselyRefused('out-of-stock'),
      remains,
    ],
    ['an item denied', /e was refused as not-found, which it was at no moment/, falselyRefused('not-found'), remains],
    [
      'a refused add',
      /e was refused as not-found/,
      [...history, asked('e', 1, 'Glue'), refused('e', 'not-found')],
      remains,
    ],
    [
      'half an operation',
      /Movement 3, 4, 5 is .*, but .* was asked for/,
      moving,
      { ...moved, ledger: moved.ledger.slice(0, 5) },
    ],
    ['legs apart', /m was counted twice: as 3, 4 and as 6, 7/, moving, torn()],
    ['a look amid', /Look 1 saw 4, which is amid an operation/, [...moving.slice(0, 6), seen(1, 4, 6, 3)], moved],
    ['a look amid from there', /Look 2 saw 4, which is amid/, [...moving.slice(0, 6), seenFromCellar(4, 3)], moved],
    [
      'a late look from there',
      /Look 3 began when 6 was known, and saw only 0/,
      [...moving, look(3, 'cellar'), seen(3, 0, 0)],
      moved,
    ],
    ['a look elsewhere', /Look 2 saw Soap at main from cellar/, [...moving.slice(0, 6), seen(2, 6, 5, 4)], moved],
    ['a lost count', /c was acknowledged as 3 \(7\) and is lost/, first(5), correctedBut(3)],
    [
      'a count counted twice',
      /c was counted twice: as 3 and as 4/,
      first(5),
      correctedBut(3, ['c', leg(-2)], ['c', leg(0)]),
    ],
    [
      'a wrong count',
      /leaves 8 Soap at main, but 7 Soap at main were counted/,
      first(4),
      correctedBut(3, ['c', leg(-1)]),
    ],
    ['a count elsewhere', /leaves 7 Glue at main, but 7 Soap/, first(4), correctedBut(3, ['c', leg(3, 'Glue')])],
    [
      'a count of what has moved',
      /Movement 4 counts Soap at main as of 1, but it had moved by 3/,
      [...first(3), asked('x', -1)],
      correctedBut(3, ['x', leg(-1)], ['c', leg(-1)]),
    ],
    ['a lost undo', /uc was acknowledged as 4 \(9\) and is lost/, first(7), correctedBut(4)],
    [
      'an undo applied twice',
      /uc was counted twice: as 4 and as 5/,
      first(7),
      correctedBut(4, ['uc', leg(2), 3], ['uc', leg(2), 3]),
    ],
    [
      'two undos of one',
      /Movement 3 was undone twice: by 4 and by 5/,
      [...first(7), undone('again', 'c', 3)],
      correctedBut(4, ['uc', leg(2), 3], ['again', leg(2), 3]),
    ],
    ['an undo of another', /uc takes back "2", where it was to be "3"/, first(6), correctedBut(4, ['uc', leg(2), 2])],
    ['an undo that says of nothing', /uc takes back "", where/, first(6), correctedBut(4, ['uc', leg(2)])],
    ['an add that undoes', /b takes back "3", where it was to be ""/, correcting, marked(5, 3)],
    ['another undo', /Movement 4 is 1 Soap at main, but 2 Soap/, first(6), correctedBut(4, ['uc', leg(1), 3])],
    ['half an undo', /ua takes back "2", where it was to be "2 1"/, first(10), correctedBut(7)],
    [
      'an undo in the wrong order',
      /ua takes back "1 2", where it was to be "2 1"/,
      first(10),
      correctedBut(6, ['ua', leg(-9), 1], ['ua', leg(-4, 'Glue'), 2]),
    ],
    [
      'an add that is counted again when it was undone',
      /a was counted twice: as 1, 2 and as 9, 10/,
      correcting,
      leftOf(...corrections, ['a', leg(9)], ['a', leg(4, 'Glue')]),
    ],
    [
      'an answer that is another when it was undone',
      /a was refused after it was acknowledged/,
      [...correcting, asked('a', 9), refused('a', 'conflict')],
      corrected,
    ],
    [
      'an undo denied',
      /x was refused as conflict, which it was at no moment/,
      [...correcting, undone('x', 'b', 5), refused('x', 'conflict')],
      corrected,
    ],
    [
      'a count denied',
      /x was refused as conflict, which it was at no moment/,
      [...correcting, counted('x', 2, 8), refused('x', 'conflict')],
      corrected,
    ],
    [
      'a look without a count',
      /Look 2 saw 9 Soap at main, where 7 to 7 were possible/,
      [...first(5), look(2), seen(2, 3, 9)],
      leftOf(...corrections.slice(0, 3)),
    ],
    ['a gap since', /Movement 11 of the ledger has the number 12/, later, laterOn(12)],
    [
      'what was there before denied',
      /x was refused as not-found, which it was at no moment/,
      [...later, counted('x', 1), refused('x', 'not-found')],
      laterOn(11),
    ],
    [
      'a piece denied that was there before',
      /x was refused as out-of-stock, which it was at no moment/,
      [...later, change('x', 'take', leg(-1, 'Soap', 'cellar')), refused('x')],
      laterOn(11),
    ],
    [
      'a look into what was before',
      /Look 3 began when 10 was known, and saw only 9/,
      [look(3), seen(3, 9, 7, 1), ...later],
      laterOn(11),
    ],
    ['looks backwards', /Look 3 began when 2 was known, and saw only 1/, backwards(), left(['a', 5], ['b', 3])],
  ];

  function withLast(wrong: Partial<Movement>): Remains {
    const ledger = remains.ledger.map((movement) => (movement.seq === 3 ? { ...movement, ...wrong } : movement));
    return { ...remains, ledger };
  }

  function marked(seq: number, undoes: number): Remains {
    const ledger = corrected.ledger.map((movement) => (movement.seq === seq ? { ...movement, undoes } : movement));
    return { ...corrected, ledger };
  }

  function aheadOfTime(): readonly Event[] {
    return instead(look(2), look(2), seen(2, 1, 6));
  }

  function falselyRefused(code: Refusal): readonly Event[] {
    return [...history, asked('e', -6), refused('e', code)];
  }

  function torn(): Remains {
    const legs = moved.ledger.map(
      (movement) => [movement.operation, leg(movement.delta, movement.item, movement.location)] as const,
    );
    return leftOf(...legs.toSpliced(4, 0, ['x', leg(1)]));
  }

  function seenFromCellar(seq: number, soap: number): Event {
    return { what: 'seen', look: 2, seq, quantities: new Map([['Soap at cellar', soap]]) };
  }

  /** Nothing was acknowledged: only one look knows what another had seen. */
  function backwards(): readonly Event[] {
    return [asked('a', 5), asked('b', 3), look(2), seen(2, 2, 8), look(3), seen(3, 1, 5)];
  }

  test.for(found)('finds %s', ([, violation, events, end]) => {
    expect(judge(events, end).violations).toContainEqual(expect.stringMatching(violation));
  });
});
