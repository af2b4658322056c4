import { v7 } from 'uuid';
import type * as v from 'valibot';
import { add } from '../../command/add.ts';
import { checkParams } from '../../command/check.ts';
import type { Command } from '../../command/command.ts';
import { take } from '../../command/take.ts';
import { view } from '../../command/view.ts';
import { whoami } from '../../command/whoami.ts';
import { Failure, failures } from '../../model/failure.ts';
import { parseName } from '../../model/name.ts';
import { OperationQueue } from '../queue.ts';
import { callKept } from '../queue-sender.ts';
import { InputEnd, openLineReader } from '../terminal.ts';
import { print } from './answer.ts';
import type { OperationParams } from './operation.ts';
import { parseNumber } from './pairs.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell, subcommand } from './shell.ts';

const choices = '\n1. Add Item to Inventory\n2. View Inventory\n3. Exit\n';

/** What a scanner types and nobody answers a choice with: a number of 6 digits or more, or a SKU such as AB-1234. */
const codePattern = /^(\d{6,}|(?=.*\d)[A-Za-z0-9][A-Za-z0-9._/-]{5,})$/;
/** So many pieces are not counted by hand, and a scanner fires at the wrong prompt, too. */
const barcodePattern = /^\d{6,}$/;

/** `menu`: the numbered menu of the original exercise, for people who want prompts, and for whoever scans. */
export function addMenu(shell: Shell): void {
  subcommand(shell.program, ['menu'], 'Work with a numbered menu, or scan one code after the other.')
    .addHelpText('after', examplesText(['secure-inv menu']))
    .action(async () => {
      await withSession(shell, async (session, endpoint, owner) => {
        const reader = openLineReader();
        const queue = owner && new OperationQueue(shell.options().stateFolder, owner);
        const desk: Desk = {
          ask: (prompt) => reader.ask(prompt),
          async showAll() {
            print(view, await session.call(view, {}), false, endpoint);
          },
          async look(item) {
            const { items } = await session.call(view, { items: [item] });
            return items[0];
          },
          async change(command, params) {
            print(command, await callKept(session, queue, command, params), false, endpoint);
          },
        };
        try {
          await session.call(whoami, {}); // Who is not logged in learns it before typing anything.
          await loop(desk);
        } catch (error) {
          if (!(error instanceof InputEnd)) throw error;
        } finally {
          reader.close();
        }
      });
    });
}

/** Whom the menu asks, and what it can do for them. */
interface Desk {
  ask(prompt: string): Promise<string>;
  showAll(): Promise<void>;
  look(item: string): Promise<v.InferOutput<typeof view.result>['items'][number] | undefined>;
  change(command: Command, params: OperationParams): Promise<void>;
}

async function loop(desk: Desk): Promise<void> {
  for (;;) {
    process.stdout.write(choices);
    const choice = (await desk.ask('Enter your choice: ')).trim();
    if (choice === '3') return;
    try {
      if (choice === '1') await addItem(desk);
      else if (choice === '2') await desk.showAll();
      else if (codePattern.test(choice)) await changeScanned(desk, choice);
      else process.stdout.write('Invalid choice. Try again.\n');
    } catch (error) {
      // What another try can mend is said here; without a login or a server there is no going on.
      if (!(error instanceof Failure) || ![1, 4, 5].includes(failures[error.code].exit)) throw error;
      process.stdout.write(`${error.message}\n`);
    }
  }
}

async function addItem(desk: Desk): Promise<void> {
  const item = parseName(await desk.ask('Enter item name: ')); // A bad name is told before the quantity is asked.
  const operation = v7();
  await untilGood(desk, 'Enter quantity: ', (answer) => {
    return desk.change(add, checked(add, { item, quantity: parseQuantity(answer), operation }));
  });
}

/** What is scanned is looked up first, so that a code nobody knows costs no quantity. */
async function changeScanned(desk: Desk, code: string): Promise<void> {
  const found = await desk.look(code);
  if (!found) return;
  process.stdout.write(`${found.item}: ${found.quantity} ${found.unit} in stock.\n`);
  const operation = v7();
  await untilGood(desk, 'Enter quantity (3 adds, -3 takes, nothing leaves it): ', async (answer) => {
    if (answer === '') return;
    const isTaken = answer.startsWith('-');
    const command = isTaken ? take : add;
    const quantity = parseQuantity(isTaken ? answer.slice(1) : answer);
    await desk.change(command, checked(command, { item: found.item, quantity, operation }));
  });
}

async function untilGood(desk: Desk, prompt: string, act: (answer: string) => Promise<void>): Promise<void> {
  for (;;) {
    const answer = (await desk.ask(prompt)).trim();
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
