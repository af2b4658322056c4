import { v7 } from 'uuid';
import { add } from '../../command/add.ts';
import { checkParams } from '../../command/check.ts';
import type { Command } from '../../command/command.ts';
import { view } from '../../command/view.ts';
import { whoami } from '../../command/whoami.ts';
import { Failure, failures } from '../../model/failure.ts';
import { parseName } from '../../model/name.ts';
import { InputEnd, type LineReader, openLineReader } from '../terminal.ts';
import { parseNumber } from './pairs.ts';
import { print } from './remote.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell, subcommand } from './shell.ts';

const choices = '\n1. Add Item to Inventory\n2. View Inventory\n3. Exit\n';

/** `menu`: the numbered menu of the original exercise, for people who want prompts. */
export function addMenu(shell: Shell): void {
  subcommand(shell.program, ['menu'], 'Work with a numbered menu.')
    .addHelpText('after', examplesText(['secure-inv menu']))
    .action(async () => {
      await withSession(shell, async (session, endpoint) => {
        const reader = openLineReader();
        const call = async (command: Command, params: Record<string, unknown>) =>
          print(command, await session.call(command, params), false, endpoint);
        try {
          await session.call(whoami, {}); // Who is not logged in learns it before typing anything.
          await loop(reader, call);
        } catch (error) {
          if (!(error instanceof InputEnd)) throw error;
        } finally {
          reader.close();
        }
      });
    });
}

type Call = (command: Command, params: Record<string, unknown>) => Promise<void>;

async function loop(reader: LineReader, call: Call): Promise<void> {
  for (;;) {
    process.stdout.write(choices);
    const choice = (await reader.ask('Enter your choice: ')).trim();
    if (choice === '3') return;
    try {
      if (choice === '1') await addItem(reader, call);
      else if (choice === '2') await call(view, {});
      else process.stdout.write('Invalid choice. Try again.\n');
    } catch (error) {
      // What another try can mend is said here; without a login or a server there is no going on.
      if (!(error instanceof Failure) || ![1, 4, 5].includes(failures[error.code].exit)) throw error;
      process.stdout.write(`${error.message}\n`);
    }
  }
}

async function addItem(reader: LineReader, call: Call): Promise<void> {
  const item = parseName(await reader.ask('Enter item name: ')); // A bad name is told before the quantity is asked.
  const operation = v7();
  for (;;) {
    const params = { item, quantity: parseNumber((await reader.ask('Enter quantity: ')).trim()), operation };
    try {
      checkParams(add, params);
      return await call(add, params);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'bad-params') throw error;
      process.stdout.write(`${error.message} Try again.\n`);
    }
  }
}
