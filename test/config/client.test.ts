import { homedir } from 'node:os';
import { expect, test } from 'vitest';
import { loadClientEnvironment } from '../../src/config/client.ts';

test('the client keeps its files where the XDG specification says', () => {
  const plain = loadClientEnvironment({ HOME: '/home/clerk' });
  expect(plain.configFolder).toBe('/home/clerk/.config/secure-inv');
  expect(plain.stateFolder).toBe('/home/clerk/.local/state/secure-inv');
  const xdg = loadClientEnvironment({ HOME: '/home/clerk', XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s' });
  expect([xdg.configFolder, xdg.stateFolder]).toEqual(['/c/secure-inv', '/s/secure-inv']);
});

test('folders that are relative or empty are ignored', () => {
  const client = loadClientEnvironment({ HOME: '', XDG_CONFIG_HOME: 'config', XDG_STATE_HOME: '' });
  expect(client.configFolder).toBe(`${homedir()}/.config/secure-inv`);
  expect(client.stateFolder).toBe(`${homedir()}/.local/state/secure-inv`);
});

test('every variable is read, and an empty one counts as not set', () => {
  const env = {
    SECURE_INV_SERVER: 'inv:7443',
    SECURE_INV_CA: 'ca.pem',
    SECURE_INV_CERT: 'c.pem',
    SECURE_INV_KEY: 'k.pem',
    SECURE_INV_TOKEN: 't',
    SECURE_INV_TOKEN_FILE: 'f',
    SECURE_INV_PASSWORD_FILE: 'p',
    SECURE_INV_CONTEXT: '',
  };
  expect(loadClientEnvironment(env)).toMatchObject({
    server: 'inv:7443',
    ca: 'ca.pem',
    cert: 'c.pem',
    key: 'k.pem',
    token: 't',
    tokenFile: 'f',
    passwordFile: 'p',
    context: undefined,
  });
});
