import type { Command } from '../../command/command.ts';
import { formatAddress, formatEnrolmentLink } from '../../model/enrolment-link.ts';
import { type Endpoint, fingerprintOf } from '../connect.ts';
import { openScreen } from '../terminal.ts';

/** Prints a result for a program, or for a person. */
export function print(command: Command, result: Record<string, unknown>, json = false, endpoint: Endpoint): void {
  const { host, port, ca } = endpoint;
  const screen = openScreen({
    server: formatAddress(host, port),
    enrolmentLink: (code) => formatEnrolmentLink({ host, port, code, fingerprint: fingerprintOf(ca) }),
  });
  const text = json
    ? JSON.stringify({ ...result, ...command.shell?.complete?.(result, screen) })
    : command.shell?.render(result, screen);
  process.stdout.write(`${text}\n`);
}
