import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const above = new URL('../', import.meta.url);

/** The folder of this package, above src and above dist alike, where what is compiled lies side by side. */
export const packageFolder: string = fileURLToPath(above);

/** This package's version. */
export const version: string = JSON.parse(readFileSync(new URL('package.json', above), 'utf8')).version;
