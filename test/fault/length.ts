/** Whether the faults are to be tried at length: `npm run test:fault`. */
export const isLong = process.env['SECURE_INV_FAULT'] === 'long';

/** How often a fault is tried: in every test run, and at length. */
export function times(short: number, long: number): number {
  return isLong ? long : short;
}
