// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressVersion, defaultHosts, hints, isHost, isLocalName, isPort, isWildcard, parseFields } from './options.js';

test('addressVersion', () => {
  for (const text of ['0.0.0.0', '127.0.0.1', '255.255.255.255']) assert.equal(addressVersion(text), 4, text);
  for (const text of ['::', '::1', '2001:db8::1', '::ffff:1.2.3.4']) assert.equal(addressVersion(text), 6, text);
  for (const text of ['', '1.2.3', '1.2.3.256', '1.2.3.4.5', 'localhost', ':::', '12345::', '[::1]', '::1/64', 'fe80::1%eth0']) {
    assert.equal(addressVersion(text), 0, text);
  }
});

const ALL = 'echo room measure';

/**
 * @param {{address: string, port: string, hosts: string, path?: string, apps?: string,
 *   origins?: string}} fields
 */
const parse = (fields) => parseFields({ path: '', apps: ALL, profile: '', origins: '', mirror: '', publish: '', ...fields });

test('isPort takes 0 and what Direct Sockets bind', () => {
  for (const text of ['0', '1024', '4433', '65535']) assert.ok(isPort(text), text);
  for (const text of ['', '1', '443', '1023', '65536', '99999', '-1', '4433.5', '0x1151', ' 4433', '4e3']) {
    assert.ok(!isPort(text), text);
  }
});

test('isHost', () => {
  for (const text of ['localhost', 'a.example', 'xn--bcher-kva.example', '127.0.0.1', '::1', 'A-1.b', 'my_host']) {
    assert.ok(isHost(text), text);
  }
  for (const text of ['', '.', 'a..b', '-a', 'a-', 'a b', 'bücher.example', '1.2.3', 'x'.repeat(64), `${'a.'.repeat(130)}a`, '*.a']) {
    assert.ok(!isHost(text), text);
  }
});

test('isWildcard and isLocalName', () => {
  for (const text of ['0.0.0.0', '::', '0:0::0']) assert.ok(isWildcard(text), text);
  for (const text of ['127.0.0.1', '::1', 'x']) assert.ok(!isWildcard(text), text);
  for (const text of ['localhost', 'a.localhost', '127.1.2.3', '::1']) assert.ok(isLocalName(text), text);
  for (const text of ['notlocalhost', '127.example', '10.0.0.1']) assert.ok(!isLocalName(text), text);
});

test('parseFields makes options of good fields', () => {
  assert.deepEqual(parse({ address: ' [::] ', port: ' 0 ', hosts: 'a.example, [::1]\n127.0.0.1 a.example,' }), {
    options: { address: '::', port: 0, hosts: ['a.example', '::1', '127.0.0.1'] }, errors: {},
  });
});

test('parseFields leaves out names that are not given', () => {
  for (const hosts of ['', ' , ']) {
    assert.deepEqual(parse({ address: '::1', port: '0', hosts }),
      { options: { address: '::1', port: 0 }, errors: {} });
  }
});

test('defaultHosts', () => {
  assert.deepEqual(defaultHosts('127.0.0.1'), ['127.0.0.1', 'localhost']);
  assert.deepEqual(defaultHosts('::1'), ['::1', 'localhost']);
  assert.deepEqual(defaultHosts('192.0.2.1'), ['192.0.2.1']);
  assert.equal(defaultHosts('::')[0], 'localhost');
  assert.equal(defaultHosts('0.0.0.0')[0], '127.0.0.1');
});

test('parseFields has an error for each bad field, and for no other', () => {
  const good = { address: '127.0.0.1', port: '4433', hosts: 'localhost' };
  assert.deepEqual(parse(good).errors, {});
  for (const [name, value] of /** @type {const} */ ([
    ['address', 'localhost'], ['address', ''], ['port', ''], ['port', '80'], ['port', '70000'],
    ['hosts', 'ok, not/ok'], ['hosts', '-'], ['mirror', 'http://a/'], ['mirror', 'https://a/#b'],
    ['publish', 'a.example/x'], ['path', 'echo'], ['path', '/a#b'], ['origins', 'example.org'],
    ['origins', 'https://ok.example, https://a/b'], ['origins', 'https://a:443'],
    ['origins', Array.from({ length: 33 }, (_, i) => `https://${i}.example`).join(' ')]])) {
    assert.deepEqual(Object.keys(parse({ ...good, [name]: value }).errors), [name], `${name}: ${value}`);
  }
});

test('what is left open is left out', () => {
  const good = { address: '::1', port: '0', hosts: '', path: '/echo', apps: ALL, origins: '', profile: 'short', mirror: ' https://a.example/x ', publish: '' };
  assert.deepEqual(parseFields(good).options,
    { address: '::1', port: 0, profile: 'short', mirror: 'https://a.example/x' });
  assert.match(hints(parseFields(good)).profile, /7 days/);
});

test('origins and path', () => {
  const { options, errors } = parse({ address: '::1', port: '0', hosts: '', path: '/room?name=x',
    origins: 'https://Example.org/, isolated-app://abc http://localhost:8000' });
  assert.deepEqual(errors, {});
  assert.deepEqual(options.origins, ['https://example.org', 'isolated-app://abc', 'http://localhost:8000']);
  assert.equal(options.path, '/room?name=x');
  assert.match(hints({ options, errors }).path, /^Room/);
});

test('apps: all of them go without saying', () => {
  const of = (/** @type {string} */ apps, path = '/echo') => {
    const parsed = parse({ address: '::1', port: '0', hosts: '', apps, path });
    return { apps: parsed.options.apps, hint: hints(parsed).path };
  };
  assert.equal(of('room echo measure').apps, undefined);
  assert.deepEqual(of('room').apps, ['room']);
  assert.deepEqual(of('').apps, []);
  assert.deepEqual(of('what is this').apps, []);
  assert.match(of('room').hint, /^Nothing is served there; there is \/room\.$/);
  assert.match(of('room', '/room?name=x').hint, /^Room/);
  assert.match(of('measure', '/source?bytes=5').hint, /^Measure/);
  assert.equal(of('').hint, 'Nothing is served there.');
});

test('hints warn of a link that others cannot use', () => {
  const hint = (/** @type {string} */ address, /** @type {string} */ hosts) =>
    hints(parse({ address, port: '0', hosts })).hosts;
  assert.match(hint('0.0.0.0', 'localhost, 10.0.0.7'), /Others need/);
  assert.match(hint('::', ''), /Others need/);
  assert.doesNotMatch(hint('10.0.0.7', ''), /Others need/);
  assert.doesNotMatch(hint('0.0.0.0', '10.0.0.7, localhost'), /Others need/);
  assert.doesNotMatch(hint('127.0.0.1', 'localhost'), /Others need/);
});
