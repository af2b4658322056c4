import { Failure } from '../../model/failure.ts';
import { deliveryBytesMax, lineBytesMax, operationLinesMax } from '../../model/limits.ts';
import { parseName } from '../../model/name.ts';
import { parseQuantity, quantityRule } from '../../model/quantity.ts';
import { fixOfNumber, parseNumber } from '../number.ts';
import { readInput } from '../terminal.ts';

type Params = Readonly<Record<string, unknown>>;

const quoteHint = 'Put a name of several words in quotes: "Basmati rice" 12';

/** Room for the rest of the request beside its parameters. */
const envelopeBytes = 256;

/**
 * The parameters of one pair of an item and a quantity, or of several, which are lines; `-` reads the lines from standard
 * input. `own` are the parameters that belong to each line. Failures: `bad-params`, naming the line.
 */
export async function readPairs(words: readonly string[], own: readonly string[], given: Params): Promise<Params> {
  const isInput = words.length === 1 && words[0] === '-';
  const pairs = isInput ? parseDelivery(await readInput(deliveryBytesMax)) : pairsOf(words);
  const [first] = pairs;
  if (pairs.length === 1 && !isInput) return { ...first, ...given };
  const each = Object.entries(given).filter(([name]) => own.includes(name));
  const others = Object.entries(given).filter(([name]) => !own.includes(name));
  const lines = pairs.map((pair) => ({ ...pair, ...Object.fromEntries(each) }));
  const params = { lines, ...Object.fromEntries(others) };
  assertFits(params);
  return params;
}

interface Pair {
  readonly item: string;
  /** Text where it is no number, which the command's schema refuses. */
  readonly quantity: number | string;
}

function pairsOf(words: readonly string[]): readonly Pair[] {
  if (words.some((word, at) => word === '-' && at % 2 === 0)) {
    throw new Failure('bad-params', '- stands alone: it reads items and quantities from standard input.', {
      hint: 'Leave out the other words, or name an item.',
    });
  }
  if (words.length === 1) {
    throw new Failure('bad-params', "Missing required argument 'quantity'.", { hint: 'Give an item and a quantity.' });
  }
  if (words.length % 2 === 1) {
    throw new Failure('bad-params', `Give pairs of an item and a quantity (got ${words.length} words).`, {
      hint: quoteHint,
    });
  }
  if (words.length === 2) return [{ item: words[0] ?? '', quantity: parseNumber(words[1] ?? '') }];
  return words.flatMap((item, at) => {
    if (at % 2 === 1) return [];
    return parsePair(item, words[at + 1] ?? '', `Pair ${at / 2 + 1}`, quoteHint);
  });
}

/** Lines such as `Basmati rice 12`; empty ones and comments are skipped. */
function parseDelivery(text: string): readonly Pair[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const pairs = lines.flatMap((line, at) => parseLine(line.trim(), at + 1));
  if (pairs.length === 0) {
    throw new Failure('bad-params', 'There are no lines on standard input.', { hint: 'Each line: ITEM QUANTITY' });
  }
  if (pairs.length > operationLinesMax) {
    throw new Failure('bad-params', `An operation may have at most ${operationLinesMax} lines (got ${pairs.length}).`, {
      hint: 'Divide them into several operations.',
    });
  }
  return pairs;
}

function parseLine(line: string, number: number): Pair | [] {
  if (line === '' || /^#(\s|$)/.test(line)) return []; // There are #8 screws.
  const [, item, quantity] = /^(.*\S)\s+(\S+)$/u.exec(line) ?? [];
  if (item === undefined || quantity === undefined) {
    throw new Failure('bad-params', `Line ${number}: there is no quantity.`, {
      hint: line.startsWith('#') ? 'A comment begins with # and a space.' : 'Each line: ITEM QUANTITY',
    });
  }
  return parsePair(unquoted(item, number), quantity, `Line ${number}`);
}

/** Names are quoted on a command line, so people quote them here, too. Failures: `bad-params` for a quote without its end. */
function unquoted(item: string, line: number): string {
  const single = /^'([^']+)'$/u.exec(item)?.[1];
  if (single !== undefined) return single;
  if (item.startsWith('"')) {
    const inner = /^"((?:[^"]|"")+)"$/u.exec(item)?.[1];
    if (inner !== undefined) return inner.replaceAll('""', '"');
    throw new Failure('bad-params', `Line ${line}: the quote at the beginning has no end.`, {
      hint: 'A name in quotes has each quote of its own twice: "19"" rack" 4',
    });
  }
  if (!item.endsWith(',')) return item;
  throw new Failure('bad-params', `Line ${line}: there is a comma behind the item.`, {
    hint: 'Each line: ITEM QUANTITY. For a CSV file: secure-inv import; a name with a comma at its end goes in quotes.',
  });
}

/** One of several pairs, judged here because only here it has a number: `where` begins what is said of it. */
function parsePair(item: string, quantity: string, where: string, hint?: string): Pair {
  const value = parseNumber(quantity);
  if (typeof value === 'string') {
    throw new Failure('bad-params', `${where}: ${quantityRule} (got ${JSON.stringify(quantity.slice(0, 80))}).`, {
      hint: fixOfNumber(quantity) ?? hint,
    });
  }
  try {
    parseQuantity(value);
    return { item: parseName(item), quantity: value };
  } catch (error) {
    throw error instanceof Failure ? new Failure(error.code, `${where}: ${error.message}`) : error;
  }
}

/** Said here: the server only closes the connection on whoever sends too long a line. */
function assertFits(params: Params): void {
  const bytes = Buffer.byteLength(JSON.stringify(params)) + envelopeBytes;
  if (bytes <= lineBytesMax) return;
  throw new Failure('bad-params', `These lines are too long for one operation (${bytes} bytes of ${lineBytesMax}).`, {
    hint: 'Divide them into several operations.',
  });
}
