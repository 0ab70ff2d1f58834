// SPDX-License-Identifier: Apache-2.0
//
// The conformance table: what a UDPSocket does, written so that it runs in an
// Isolated Web App and on Node alike.  Each row gives a text; the two have to
// give the same, and that is kept in udp_socket_expected.json.

/** Longer than any answer takes; what takes longer "hangs". */
const PATIENCE = 2000;

/** @param {any} error */
const tell = (error) =>
  `${error?.constructor?.name}/${error?.name}: ${error?.message}`;

/**
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T | 'hangs'>}
 */
const settled = (promise) => Promise.race([promise,
  /** @type {Promise<'hangs'>} */
  (new Promise((done) => setTimeout(() => done('hangs'), PATIENCE)))]);

/**
 * What a promise comes to.
 * @param {Promise<any>} promise
 */
const outcome = (promise) =>
  settled(promise.then((value) => `resolves ${value}`,
    (error) => `rejects ${tell(error)}`));

/**
 * @typedef {new (options?: any) => any} UDPSocketClass
 * @typedef {(UDPSocket: UDPSocketClass) => Promise<string>} Row
 */

/** @type {Map<string, Row>} */
export const ROWS = new Map();

/**
 * What opening with `options` comes to.
 * @param {string} name
 * @param {any} options
 */
function opening(name, options) {
  ROWS.set(`opening: ${name}`, async (UDPSocket) => {
    let socket;
    try {
      socket = new UDPSocket(options);
    } catch (error) {
      return `throws ${tell(error)}`;
    }
    try {
      const info = await socket.opened;
      const { localAddress, localPort, remoteAddress, remotePort } = info;
      await socket.close();
      const port = localPort === options.localPort ? 'asked for' :
        localPort >= 1024 ? 'any' : localPort;
      return `${localAddress} port ${port}, remote ${remoteAddress} ` +
        `${remotePort}, ${Object.keys(info).sort()}, ` +
        `${info.readable.constructor.name} ${info.writable.constructor.name}`;
    } catch (error) {
      return `${tell(error)}, closed ${await outcome(socket.closed)}`;
    }
  });
}

const v4 = { localAddress: '127.0.0.1' };
const connected = { remoteAddress: '127.0.0.1', remotePort: 5000 };

opening('no options', undefined);
opening('empty options', {});
opening('null', null);
opening('a string', 'x');
opening('a name as local address', { localAddress: 'localhost' });
opening('an empty local address', { localAddress: '' });
opening('null as local address', { localAddress: null });
opening('undefined as local address', { localAddress: undefined });
opening('a local address in brackets', { localAddress: '[::1]' });
opening('a local address with scope', { localAddress: 'fe80::1%lo' });
opening('a short IPv4 address', { localAddress: '127.1' });
opening('an octal IPv4 address', { localAddress: '0177.0.0.1' });
opening('a hex IPv4 address', { localAddress: '0x7f.1' });
opening('an IPv4 address as one number', { localAddress: '2130706433' });
opening('an IPv4 address past its range', { localAddress: '127.0.0.256' });
opening('an IPv4 address of five parts', { localAddress: '127.0.0.0.1' });
opening('IPv4 loopback', v4);
opening('IPv6 loopback', { localAddress: '::1' });
opening('IPv6 loopback at length', { localAddress: '0:0:0:0:0:0:0:1' });
opening('any IPv4', { localAddress: '0.0.0.0' });
opening('any IPv6', { localAddress: '::' });
opening('an IPv4-mapped address', { localAddress: '::ffff:127.0.0.1' });
opening('an address that is not ours', { localAddress: '198.51.100.1' });
opening('an IPv6 address that is not ours', { localAddress: '2001:db8::1' });
opening('port 0', { ...v4, localPort: 0 });
opening('port -1', { ...v4, localPort: -1 });
opening('port -0.5', { ...v4, localPort: -0.5 });
opening('port 65536', { ...v4, localPort: 65536 });
opening('port NaN', { ...v4, localPort: NaN });
opening('port Infinity', { ...v4, localPort: Infinity });
opening('a word as port', { ...v4, localPort: 'x' });
opening('null as port', { ...v4, localPort: null });
opening('port 80', { ...v4, localPort: 80 });
opening('port 1023', { ...v4, localPort: 1023 });
opening('a port without address', { localPort: 5000 });
opening('a remote address without port', { remoteAddress: '127.0.0.1' });
opening('a remote port without address', { remotePort: 5000 });
opening('local and remote', { ...v4, ...connected });
opening('remote and local port', { ...connected, localPort: 5001 });
opening('connected', connected);
opening('connected to IPv6', { remoteAddress: '::1', remotePort: 5000 });
opening('connected to port 0', { remoteAddress: '127.0.0.1', remotePort: 0 });
opening('connected to a name', { ...connected, remoteAddress: 'localhost',
  dnsQueryType: 'ipv4' });
opening('connected to an unknown name', { ...connected,
  remoteAddress: 'nonexistent.invalid' });
opening('an unknown query type', { ...connected, dnsQueryType: 'ipv5' });
opening('a query type when bound', { ...v4, dnsQueryType: 'ipv4' });
opening('ipv6Only when connected', { ...connected, ipv6Only: true });
opening('ipv6Only with IPv4', { ...v4, ipv6Only: true });
opening('ipv6Only with ::1', { localAddress: '::1', ipv6Only: true });
opening('ipv6Only with ::', { localAddress: '::', ipv6Only: true });
opening('ipv6Only false with 0::0', { localAddress: '0::0', ipv6Only: false });
opening('sendBufferSize 0', { ...v4, sendBufferSize: 0 });
opening('sendBufferSize -1', { ...v4, sendBufferSize: -1 });
opening('sendBufferSize 1', { ...v4, sendBufferSize: 1 });
opening('receiveBufferSize 0', { ...v4, receiveBufferSize: 0 });
opening('receiveBufferSize 0, connected', { ...connected,
  receiveBufferSize: 0 });
opening('receiveBufferSize 2^24', { ...v4, receiveBufferSize: 2 ** 24 });
opening('receiveBufferSize 2^31', { ...v4, receiveBufferSize: 2 ** 31 });
opening('receiveBufferSize 2^32', { ...v4, receiveBufferSize: 2 ** 32 });

ROWS.set('opening: a busy port', async (UDPSocket) => {
  const first = new UDPSocket(v4);
  const { localPort } = await first.opened;
  const second = new UDPSocket({ ...v4, localPort });
  const result = `${await outcome(second.opened)}, ` +
    `closed ${await outcome(second.closed)}, ` +
    `close() ${await outcome(second.close())}`;
  await first.close();
  return result;
});

ROWS.set('closing: while opening', async (UDPSocket) => {
  const socket = new UDPSocket(v4);
  const result = await outcome(socket.close());
  await socket.opened;
  await socket.close();
  return result;
});

ROWS.set('closing: while a stream is locked', async (UDPSocket) => {
  const socket = new UDPSocket(v4);
  const { readable, writable } = await socket.opened;
  const reader = readable.getReader();
  const results = [await outcome(socket.close())];
  reader.releaseLock();
  const writer = writable.getWriter();
  results.push(await outcome(socket.close()));
  writer.releaseLock();
  results.push(await outcome(socket.close()));
  return results.join('; ');
});

ROWS.set('closing: what is left', async (UDPSocket) => {
  const socket = new UDPSocket(v4);
  const { readable, writable } = await socket.opened;
  const results = [`same promise ${socket.close() === socket.closed}`];
  results.push(`closed ${await outcome(socket.closed)}`);
  results.push(`again ${await outcome(socket.close())}`);
  const { done, value } = await readable.getReader().read();
  results.push(`read ${done} ${value}`);
  results.push(`write ${await outcome(writable.getWriter().write({}))}`);
  return results.join('; ');
});

ROWS.set('closing: one stream, then the other', async (UDPSocket) => {
  const socket = new UDPSocket(v4);
  const { readable, writable } = await socket.opened;
  let state = 'pending';
  socket.closed.then(() => {
    state = 'resolved';
  });
  await readable.cancel();
  await new Promise((done) => setTimeout(done, 50));
  const results = [state];
  await writable.close();
  results.push(await outcome(socket.closed));
  return results.join('; ');
});

ROWS.set('streams: a datagram to itself', async (UDPSocket) => {
  const socket = new UDPSocket(v4);
  const { readable, writable, localPort } = await socket.opened;
  const writer = writable.getWriter();
  const reader = readable.getReader();
  const size = writer.desiredSize;
  const written = writer.write({ data: new Uint8Array([1, 2, 3]),
    remoteAddress: '127.0.0.1', remotePort: localPort });
  const full = writer.desiredSize;
  const { value } = await reader.read();
  const result = `${size} ${full} ${await outcome(written)}, ` +
    `${value.data.constructor.name} ${value.data}, ${value.remoteAddress}, ` +
    `${value.remotePort === localPort}, ${Object.keys(value).sort()}`;
  writer.releaseLock();
  reader.releaseLock();
  await socket.close();
  return result;
});

/**
 * Opens a socket with its streams locked; `close` lets go of them.
 * @param {UDPSocketClass} UDPSocket
 * @param {any} options
 */
async function lockedSocket(UDPSocket, options) {
  const socket = new UDPSocket(options);
  const { readable, writable, localPort } = await socket.opened;
  const reader = readable.getReader();
  const writer = writable.getWriter();
  return { reader, writer, localPort, close: async () => {
    reader.releaseLock();
    writer.releaseLock();
    await socket.close();
  } };
}

ROWS.set('streams: an IPv4 peer of a dual-stack socket', async (UDPSocket) => {
  const ours = await lockedSocket(UDPSocket, { localAddress: '::' });
  const theirs = await lockedSocket(UDPSocket, v4);
  await theirs.writer.write({ data: new Uint8Array(1),
    remoteAddress: '127.0.0.1', remotePort: ours.localPort });
  const { value } = await ours.reader.read();
  // It is answered by that name.
  await ours.writer.write({ data: new Uint8Array(2),
    remoteAddress: value.remoteAddress, remotePort: value.remotePort });
  const answer = await theirs.reader.read();
  await ours.close();
  await theirs.close();
  return `${value.remoteAddress}; ${answer.value.remoteAddress} ` +
    answer.value.data.length;
});

ROWS.set('streams: connected', async (UDPSocket) => {
  const theirs = await lockedSocket(UDPSocket, v4);
  const ours = await lockedSocket(UDPSocket, { remoteAddress: '127.0.0.1',
    remotePort: theirs.localPort });
  await ours.writer.write({ data: new ArrayBuffer(2) });
  const { value } = await theirs.reader.read();
  await theirs.writer.write(value);
  const answer = await ours.reader.read();
  await ours.close();
  await theirs.close();
  return `${value.remoteAddress} ${value.remotePort === ours.localPort}; ` +
    `${answer.value.data} ${Object.keys(answer.value).sort()}`;
});

/**
 * What one write comes to, what the next one comes to, and whether the socket
 * can still be closed.
 * @param {string} name
 * @param {any} message
 * @param {any} [options]
 */
function writing(name, message, options = v4) {
  ROWS.set(`writing: ${name}`, async (UDPSocket) => {
    // A peer that is there: whether a write is told of the ICMP message about
    // the one before (net::ERR_CONNECTION_REFUSED), or a read takes it first,
    // is a race in Chromium and in the kernel.
    const peer = options.remoteAddress && await lockedSocket(UDPSocket, v4);
    const socket = new UDPSocket(
      peer ? { ...options, remotePort: peer.localPort } : options);
    const { readable, writable, localPort } = await socket.opened;
    const writer = writable.getWriter();
    const results = [await outcome(writer.write(message))];
    const next = { data: new Uint8Array(3) };
    if (options.localAddress) {
      Object.assign(next, { remoteAddress: options.localAddress,
        remotePort: localPort });
    }
    results.push(`next ${await outcome(writer.write(next))}`);
    writer.releaseLock();
    await readable.cancel();
    // The readable has ended; if the writable has not, both do by close().
    results.push(`close() ${await outcome(socket.close())}`);
    await peer?.close();
    return results.join('; ');
  });
}

const three = new Uint8Array([1, 2, 3]);
/**
 * @param {string} remoteAddress
 * @param {any} [remotePort]
 */
const to = (remoteAddress, remotePort = 5000) =>
  ({ data: three, remoteAddress, remotePort });

writing('nothing', undefined);
writing('null', null);
writing('a number', 5);
writing('an empty object', {});
writing('a string as data', { ...to('127.0.0.1'), data: 'x' });
writing('null as data', { ...to('127.0.0.1'), data: null });
writing('a DataView', { ...to('127.0.0.1'), data: new DataView(three.buffer) });
writing('no octets', { ...to('127.0.0.1'), data: new Uint8Array(0) });
writing('an address without port', { data: three, remoteAddress: '127.0.0.1' });
writing('a port without address', { data: three, remotePort: 5000 });
writing('no target', { data: three });
writing('port 0', to('127.0.0.1', 0));
writing('port 70536', to('127.0.0.1', 70536));
writing('port -60536', to('127.0.0.1', -60536));
writing('a name', to('localhost'));
writing('an unknown name', to('nonexistent.invalid'));
writing('a name by IPv4', { ...to('localhost'), dnsQueryType: 'ipv4' });
writing('an unknown query type', { ...to('127.0.0.1'), dnsQueryType: 'x' });
writing('65507 octets', { ...to('127.0.0.1'), data: new Uint8Array(65507) });
writing('65508 octets', { ...to('127.0.0.1'), data: new Uint8Array(65508) });
writing('the broadcast address', to('255.255.255.255'));
writing("loopback's broadcast address", to('127.255.255.255'));
writing('a multicast group', to('224.0.0.251'));
writing('an IPv6 multicast group', to('ff02::1'), { localAddress: '::1' });
writing('this network', to('0.0.0.1'));
writing('off loopback', to('198.51.100.1'));
writing('an IPv4-mapped broadcast', to('::ffff:ffff:ffff'),
  { localAddress: '::' });
writing('an IPv4-mapped peer', to('::ffff:7f00:1'), { localAddress: '::' });
writing('an address in brackets', to('[::1]'), { localAddress: '::1' });
writing('an address with scope', to('fe80::1%lo'), { localAddress: '::1' });
writing('connected, with a target', to('127.0.0.1'), connected);
writing('connected, with a query type',
  { data: three, dnsQueryType: 'ipv4' }, connected);
writing('connected, no octets', { data: new Uint8Array(0) }, connected);
writing('connected', { data: three }, connected);

/**
 * Runs every row; the result is what udp_socket_expected.json keeps.
 * @param {UDPSocketClass} UDPSocket
 * @returns {Promise<Record<string, string>>}
 */
export async function observe(UDPSocket) {
  // At once: many a row is there to see something hang.
  return Object.fromEntries(await Promise.all([...ROWS].map(
    async ([name, row]) => [name,
      await row(UDPSocket).catch((error) => `fails: ${tell(error)}`)])));
}
