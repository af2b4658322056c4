import { Failure } from '../model/failure.ts';
import type { Call } from './command.ts';

/** What changes something at all locations is not for who may know of some only. Failures: `forbidden`. */
export function assertEverywhere({ principal }: Pick<Call, 'principal'>, why: string): void {
  if (principal.scope === null) return;
  throw new Failure('forbidden', `You are limited to some locations, and ${why}.`, {
    hint: 'Ask a manager who is not limited, or an administrator.',
  });
}
