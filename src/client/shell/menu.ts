import { v7 } from 'uuid';
import { add } from '../../command/add.ts';
import { checkParams } from '../../command/check.ts';
import type { Command } from '../../command/command.ts';
import { take } from '../../command/take.ts';
import { Failure, failures } from '../../model/failure.ts';
import { canonicalKey, parseName } from '../../model/name.ts';
import { isPassing } from '../call.ts';
import { parseNumber } from '../number.ts';
import { OperationQueue } from '../queue.ts';
import { InputEnd, openLineReader } from '../terminal.ts';
import { Desk, isAway, type Stock } from './desk.ts';
import type { OperationParams } from './operation.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell, subcommand } from './shell.ts';

const choices = '\n1. Add Item to Inventory\n2. View Inventory\n3. Exit\n';

/** What can only be scanned: a number of 6 digits or more, or a SKU such as AB-1234. Whether anything else is a code, the server knows. */
const codePattern = /^(\d{6,}|(?=.*\d)[A-Za-z0-9][A-Za-z0-9._/-]{5,})$/;
/** So many pieces are not counted by hand, and a scanner fires at the wrong prompt, too. */
const barcodePattern = /^\d{6,}$/;

/** `menu`: the numbered menu of the original exercise, for people who want prompts, and for whoever scans. */
export function addMenu(shell: Shell): void {
  subcommand(shell.program, ['menu'], 'Work with a numbered menu, or scan one code after the other.')
    .option(
      '--at <location>',
      'where things are added and taken (default: main, or the one place that you are limited to)',
    )
    .addHelpText('after', examplesText(['secure-inv menu', 'secure-inv menu --at shelf']))
    .action(async ({ at }: { at?: string }) => {
      const place = at === undefined ? undefined : parseName(at, 'location');
      await withSession(shell, async (session, endpoint, owner) => {
        const reader = openLineReader();
        const desk = new Desk(session, endpoint, owner && new OperationQueue(shell.options().stateFolder, owner));
        const ask = (prompt: string) => reader.ask(prompt);
        try {
          await greet(desk, place);
          await loop(desk, ask);
        } catch (error) {
          if (!(error instanceof InputEnd)) throw error;
        } finally {
          reader.close();
          await sayKept(desk);
        }
      });
    });
}

type Ask = (prompt: string) => Promise<string>;

/** Who is not logged in learns it before typing anything. */
async function greet(desk: Desk, place: string | undefined): Promise<void> {
  try {
    await desk.open(place);
  } catch (error) {
    if (!isAway(error)) throw error;
    const next = desk.keeps ? 'What you add or take is kept, and sent when it is back.' : 'Try again when it is back.';
    process.stdout.write(`${error.message} ${next}\n`);
  }
}

async function sayKept(desk: Desk): Promise<void> {
  const { waiting, refused } = await desk.kept();
  if (waiting > 0) {
    const what = waiting === 1 ? '1 change waits' : `${waiting} changes wait`;
    process.stderr.write(`secure-inv: ${what} for the server. When it is back: secure-inv queue send\n`);
  }
  if (refused > 0) {
    const what = refused === 1 ? '1 change was refused and is' : `${refused} changes were refused and are`;
    process.stderr.write(`secure-inv: ${what} kept. See: secure-inv queue\n`);
  }
}

async function loop(desk: Desk, ask: Ask): Promise<void> {
  for (;;) {
    process.stdout.write(choices);
    const choice = (await ask('Enter your choice: ')).trim();
    if (choice === '3') return;
    try {
      if (choice === '1') await addItem(desk, ask);
      else if (choice === '2') await showAll(desk, ask);
      else await changeScanned(desk, ask, choice);
    } catch (error) {
      // What another try can mend is said here; without a login there is no going on.
      if (!isPassing(error) && !(error instanceof Failure && [1, 4, 5].includes(failures[error.code].exit)))
        throw error;
      const { code, message, details } = error;
      process.stdout.write(`${message}${code === 'unconfirmed' && details.hint ? ` ${details.hint}` : ''}\n`);
    }
  }
}

async function showAll(desk: Desk, ask: Ask): Promise<void> {
  for (let cursor = await desk.show(undefined); cursor !== undefined; cursor = await desk.show(cursor)) {
    const answer = await ask('There is more. Enter shows it, anything else goes back: ');
    if (answer.trim() !== '') return;
  }
}

async function addItem(desk: Desk, ask: Ask): Promise<void> {
  const item = parseName(await ask('Enter item name: ')); // A bad name is told before the quantity is asked.
  const operation = v7();
  await untilGood(ask, 'Enter quantity: ', (answer) => {
    return desk.change(add, checked(add, { item, quantity: parseQuantity(answer), operation }));
  });
}

/** What is scanned is looked up first, so that a code nobody knows costs no quantity. While the server is away it is taken as it is. */
async function changeScanned(desk: Desk, ask: Ask, code: string): Promise<void> {
  const found = await look(desk, code);
  if (!found) return void process.stdout.write('Invalid choice. Try again.\n');
  process.stdout.write(`${found.about}\n`);
  const operation = v7();
  await untilGood(ask, 'Enter quantity (3 adds, -3 takes, nothing leaves it): ', async (answer) => {
    if (answer === '') return;
    const isTaken = answer.startsWith('-');
    const command = isTaken ? take : add;
    const quantity = parseQuantity(isTaken ? answer.slice(1) : answer);
    await desk.change(command, checked(command, { item: found.item, quantity, operation }));
  });
}

/** The item of a name or code, and what to say of it; undefined for what is neither. Failures: `not-found` for a code. */
async function look(desk: Desk, code: string): Promise<{ readonly item: string; readonly about: string } | undefined> {
  if (code === '') return undefined;
  const isCode = codePattern.test(code);
  try {
    const found = await desk.look(code);
    return { item: found.item, about: describeStock(found, desk.place) };
  } catch (error) {
    // What does not look like a code may be one that an item has, and else was a slip of the hand.
    if (!isCode && error instanceof Failure && (error.code === 'not-found' || error.code === 'bad-params'))
      return undefined;
    if (error instanceof Failure && error.code === 'not-found') {
      const option = /^\d+$/.test(code) ? '--barcode' : '--sku';
      throw new Failure('not-found', `${error.message} To make it known: secure-inv item add NAME ${option} ${code}`);
    }
    if (!isCode || !desk.keeps || !isAway(error)) throw error;
    return { item: parseName(code), about: `${error.message} ${code} was not looked up.` };
  }
}

/** What there is where one works, and in all if some is elsewhere. */
function describeStock({ item, quantity, unit, locations }: Stock, place: string): string {
  const here = locations.find(({ location }) => canonicalKey(location) === canonicalKey(place))?.quantity ?? 0;
  return here === quantity
    ? `${item}: ${quantity} ${unit} in stock.`
    : `${item}: ${here} ${unit} at ${place}, ${quantity} in all.`;
}

async function untilGood(ask: Ask, prompt: string, act: (answer: string) => Promise<void>): Promise<void> {
  for (;;) {
    const answer = (await ask(prompt)).trim();
    try {
      return await act(answer);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'bad-params') throw error;
      process.stdout.write(`${error.message} Try again.\n`);
    }
  }
}

/** A number as it was typed. Failures: `bad-params` for a code that was scanned where a quantity is asked. */
function parseQuantity(answer: string): number | string {
  if (!barcodePattern.test(answer)) return parseNumber(answer);
  throw new Failure('bad-params', `${answer} looks like a scanned code, and a quantity is asked.`);
}

function checked(command: Command, params: OperationParams): OperationParams {
  checkParams(command, params);
  return params;
}
