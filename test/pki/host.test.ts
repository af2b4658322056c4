import { expect, test } from 'vitest';
import { parseHost, parseHosts } from '../../src/pki/host.ts';

test.each([
  ['*.example.com', 'is a wildcard'],
  ['my_host', 'has an underscore'],
  ['fe80::1%eth0', 'has a zone'],
  ['bücher.example', 'is not ASCII'],
  ['', 'is not a host name'],
  ['example.com.', 'is not a host name'],
  ['-a.example', 'is not a host name'],
  ['a b', 'is not a host name'],
  ['a\0.example', 'is not a host name'],
  ['https://example.com', 'is not a host name'],
  ['[::1]', 'is not a host name'],
  ['1.2.3', 'ends in a number'],
  ['256.1.1.1', 'ends in a number'],
  [`${'a'.repeat(64)}.example`, 'is not a host name'],
  [`${'abcdefg.'.repeat(32)}example`, 'is longer than 253'],
])('the host %j is refused: it %s', (text, problem) => {
  expect(() => parseHost(text)).toThrow(problem);
});

test('names are compared in lower case and addresses in their shortest form', () => {
  const names = parseHosts(['Inv.Example.COM', 'inv.example.com', 'LOCALHOST', '0:0::1', '2001:DB8:0:0::1']);
  expect(names.map(({ name }) => name)).toEqual(['localhost', '127.0.0.1', '::1', 'inv.example.com', '2001:db8::1']);
});

test('an address has its 4 or 16 bytes', () => {
  expect(parseHost('192.0.2.7').address?.toString('hex')).toBe('c0000207');
  expect(parseHost('::').address?.toString('hex')).toBe('0'.repeat(32));
  expect(parseHost('2001:db8::1').address?.toString('hex')).toBe('20010db8000000000000000000000001');
  expect(parseHost('::ffff:192.0.2.7').address?.toString('hex')).toBe('00000000000000000000ffffc0000207');
});
