// SPDX-License-Identifier: Apache-2.0
/**
 * What each host carries: handshakes, streams, datagrams, beside a bare UDP
 * echo, and a bare sender, on the same kind of socket; and the same where it is
 * JavaScript that serves, by WebTransportServer.
 */
import { createSocket } from 'node:dgram';
import { NODE, run, say, start } from './programs.mjs';
import { percent, table, time, whole } from './table.mjs';

/**
 * @typedef {import('./programs.mjs').Program} Program
 *
 * @typedef {object} Target
 * @property {string} name
 * @property {string} title
 * @property {string[]} server the command that serves
 * @property {string[]} bare the command of the bare echo
 * @property {number} [gather] microseconds in which the client lets gather what
 *     comes, where the question is how much
 * @property {boolean} [floods] whether that sends without end, if it is asked to
 * @property {string[]} [script] the command of what JavaScript serves
 *
 * @typedef {object} Settings
 * @property {number} seconds of one load
 * @property {number} rounds
 * @property {number} rate datagrams a second, where it is steady
 *
 * @typedef {Record<string, any>} Result what load prints
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {string} title
 * @property {Record<string, Result[]>} runs by the name of the load, one a round
 */

/** @type {Target[]} */
export const TARGETS = [
  {
    name: 'native',
    title: 'native',
    server: ['build/native/fortnight', 'serve', '--drain', '0', '--port', '0', '--ephemeral'],
    bare: ['build/native/bare_echo_posix', '127.0.0.1', '0'],
  },
  {
    name: 'node',
    title: 'WASM on Node',
    server: [NODE, 'scripts/serve-wasm.mjs', '--drain', '0', '--port', '0', '--ephemeral'],
    bare: [NODE, 'tests/bench/bare_echo_node.mjs'],
    floods: true,
    script: [NODE, 'tests/bench/script_node.mjs'],
  },
  {
    name: 'iwa',
    title: 'IWA in Chromium',
    server: [NODE, 'scripts/run.mjs', '--port', '0', '--headless', '--ephemeral'],
    bare: [NODE, 'tests/bench/bare_echo_iwa.mjs'],
    // A client that is woken for each datagram takes a third of the processors
    // from the three threads of Chromium's that serve it; the clients that it
    // stands for have their own.
    gather: 1000,
    floods: true,
    script: [NODE, 'tests/bench/script_iwa.mjs'],
  },
];

/* What is run: against the server, and plain UDP against the bare echo. */
const CLOSED = ['--in-flight', '32', '--size', '1000'];
/* Such as games and cursors send: several share a packet of QUIC's. */
const SMALL = ['--in-flight', '32', '--size', '100'];
/** With "--rate R". */
const OPEN = ['--size', '1000'];
/** Without end, on one stream. */
const DOWNLOAD = ['--path', '/source?streams=0', '--mode', 'download'];
/**
 * @typedef {object} Load
 * @property {'bare'|'script'} [of]
 * @property {boolean} [gathers] whether the client lets gather what comes, if
 *     the target has it so
 * @property {boolean} [steady]
 * @property {boolean} [flood]
 * @property {string[]} args
 */
/** @type {Record<string, Load>} */
const LOADS = {
  bare: { of: 'bare', gathers: true, args: ['--mode', 'raw', ...CLOSED] },
  datagrams: { gathers: true, args: ['--mode', 'datagrams', ...CLOSED] },
  scriptDatagrams: { of: 'script', gathers: true, args: ['--mode', 'datagrams', ...CLOSED] },
  bareSmall: { of: 'bare', gathers: true, args: ['--mode', 'raw', ...SMALL] },
  datagramsSmall: { gathers: true, args: ['--mode', 'datagrams', ...SMALL] },
  scriptSmall: { of: 'script', gathers: true, args: ['--mode', 'datagrams', ...SMALL] },
  flood: { of: 'bare', flood: true, gathers: true, args: [] },
  download: { gathers: true, args: DOWNLOAD },
  scriptDownload: { of: 'script', gathers: true, args: DOWNLOAD },
  bareAtRate: { of: 'bare', steady: true, args: ['--mode', 'raw', ...OPEN] },
  datagramsAtRate: { steady: true, args: ['--mode', 'datagrams', ...OPEN] },
  handshakes: { args: ['--mode', 'handshakes', '--connections', '4'] },
  stream: { args: ['--mode', 'streams'] },
};

/* Seconds of each load that are not counted, for all alike: WebAssembly and
   JavaScript run through a baseline compiler until the engine has seen which
   parts are hot, and a server that has much more of them than a bare echo is
   not so slow for the rest of its life. */
const WARM_UP = 1;

/**
 * @param {string} name
 * @param {Program} program
 * @param {Settings & {gather?: number}} settings
 * @param {string[]} [more]
 * @returns {Promise<Result>}
 */
async function load(name, program, { seconds, rate, gather = 0 }, more = []) {
  const hash = program.hash ? ['--hash', program.hash] : [];
  const { gathers, steady, flood, args } = LOADS[name];
  const { hostname, port } = new URL(program.url);
  const wait = String(gathers ? gather : 0);
  const command = flood ? ['build/native/bare_sink', hostname, port, String(seconds), wait]
    : ['build/native/load', program.url, ...hash, ...args,
      ...(steady ? ['--rate', String(rate)] : []), '--gather', wait, '--duration', String(seconds), ...more];
  const { lines } = await run(command, (seconds + 15) * 1000);
  const result = JSON.parse(lines[lines.length - 1]);
  if (result.wrong > 0) throw new Error(`${command.join(' ')}: what came back is not what was sent`);
  return result;
}

/**
 * All hosts are up all the time and take turns: what else the machine does then
 * falls on each of them alike.
 * @param {Target[]} targets
 * @param {Settings} settings
 * @returns {Promise<Row[]>}
 */
export async function measure(targets, settings) {
  const { rounds } = settings;
  /** @type {Partial<Record<'server'|'bare'|'script', Program>>[]} */
  const started = [];
  /** @type {Row[]} */
  const rows = targets.map(({ name, title }) => ({ name, title, runs: {} }));
  try {
    for (const { title, server, bare, script } of targets) {
      say(`${title}: starting`);
      /** @type {typeof started[0]} */
      const programs = {};
      started.push(programs);
      programs.server = await start(server);
      programs.bare = await start(bare);
      if (script) programs.script = await start(script);
    }
    for (let round = 0; round <= rounds; round++) {
      for (const [i, row] of rows.entries()) {
        say(`${row.title}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`);
        for (const [name, { of = 'server', flood }] of Object.entries(LOADS)) {
          const program = started[i][of];
          if (!program || (flood && !targets[i].floods)) continue;
          const result = await load(name, program, { ...settings, gather: targets[i].gather,
            seconds: round === 0 ? WARM_UP : settings.seconds });
          if (round > 0) (row.runs[name] ??= []).push(result);
          if (!result.served) say(`${row.title}: nothing came back from ${name}`);
        }
      }
    }
  } finally {
    await Promise.all(started.flatMap((programs) => Object.values(programs)).map((program) => program.stop()));
  }
  return rows;
}

/** @returns {Promise<Program>} an address where nobody is */
async function nobody() {
  const socket = createSocket('udp4');
  await new Promise((/** @type {(value?: undefined) => void} */ done) => {
    socket.bind(0, '127.0.0.1', () => done());
  });
  const { port } = socket.address();
  await new Promise((/** @type {(value?: undefined) => void} */ done) => {
    socket.close(() => done());
  });
  return { url: `https://127.0.0.1:${port}/echo`, hash: '00'.repeat(32),
    pid: 0, control: '', stop: async () => {} };
}

/**
 * @param {Settings} settings
 * @returns {Promise<Row>}
 */
export async function control(settings) {
  /** @type {Row} */
  const row = { name: 'control', title: 'no server', runs: {} };
  const program = await nobody();
  say('no server');
  for (const [name, { of, flood }] of Object.entries(LOADS)) {
    if (flood || of === 'script') continue;
    row.runs[name] = [await load(name, program, settings, ['--connect', '1'])];
  }
  return row;
}

/** @param {number[]} values */
function medianOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @param {Row} row
 * @param {string} name
 * @param {(result: Result) => number} value
 * @returns {number} the median of the rounds
 */
function median(row, name, value) {
  return medianOf((row.runs[name] ?? []).map(value));
}

/**
 * What |name| reaches of |bare|: each round for itself, as the machine is not
 * as fast in all of them.
 * @param {Row} row
 * @param {string} name
 * @param {string} bare
 * @param {(result: Result) => number} value
 */
function ofBare(row, name, bare, value) {
  const ceilings = (row.runs[bare] ?? []).map(value);
  return medianOf((row.runs[name] ?? []).flatMap((result, i) =>
    (ceilings[i] > 0 ? [value(result) / ceilings[i]] : [])));
}

/** @param {Row} row */
export function summary(row) {
  const perSecond = (/** @type {Result} */ result) => result.per_second;
  const megabytes = (/** @type {Result} */ result) => result.megabytes_per_second;
  const one = (/** @type {string} */ name, bare = name) => ({
    perSecond: median(row, name, perSecond),
    ofBare: ofBare(row, name, bare, perSecond),
    loss: median(row, name, (result) => result.loss),
    p50: median(row, name, (result) => result.rtt_us.p50),
    p99: median(row, name, (result) => result.rtt_us.p99),
  });
  return {
    handshakes: median(row, 'handshakes', perSecond),
    handshakeP50: median(row, 'handshakes', (result) => result.latency_us.p50),
    megabytes: median(row, 'stream', megabytes),
    scriptDatagrams: one('scriptDatagrams', 'bare'),
    floodMegabytes: median(row, 'flood', megabytes),
    downloadMegabytes: median(row, 'download', megabytes),
    downloadOfBare: ofBare(row, 'download', 'flood', megabytes),
    scriptDownloadMegabytes: median(row, 'scriptDownload', megabytes),
    scriptDownloadOfBare: ofBare(row, 'scriptDownload', 'flood', megabytes),
    bare: one('bare'),
    datagrams: one('datagrams', 'bare'),
    bareSmall: one('bareSmall'),
    datagramsSmall: one('datagramsSmall', 'bareSmall'),
    scriptSmall: one('scriptSmall', 'bareSmall'),
    bareAtRate: one('bareAtRate'),
    datagramsAtRate: one('datagramsAtRate', 'bareAtRate'),
  };
}

const SIZES = /** @type {const} */ ([
  { size: 1000, bare: 'bare', datagrams: 'datagrams', script: 'scriptDatagrams' },
  { size: 100, bare: 'bareSmall', datagrams: 'datagramsSmall', script: 'scriptSmall' },
]);

/**
 * @param {Row[]} rows
 * @param {Settings} settings
 */
export function print(rows, { seconds, rounds, rate }) {
  const sums = rows.map((row) => ({ title: row.title, ...summary(row) }));
  console.log('\nHandshakes (4 at a time) and one stream, echoed; the median of '
    + `${rounds} x ${seconds} s`);
  table(['', 'handshakes/s', 'p50', 'stream MB/s'], sums.map((s) => [
    s.title, whole(s.handshakes), time(s.handshakeP50), s.megabytes.toFixed(1)]));
  const scripted = sums.filter((s) => s.scriptDatagrams.perSecond >= 0);
  for (const { title, gather } of TARGETS) {
    if (!gather || !rows.some((row) => row.title === title)) continue;
    console.log(`In what follows, except at a steady rate, the client of the ${title} looks at what\n`
      + `came each ${time(gather)}.\n`);
  }
  for (const { size, bare, datagrams, script } of SIZES) {
    console.log(`Datagrams of ${size} octets echoed, 32 in flight: through WebTransport, and by a bare\n`
      + 'UDP echo on the same kind of socket');
    table(['', 'echoes/s', 'loss', 'p50', 'p99', 'bare/s', 'loss', 'p50', 'p99', 'of bare'],
      sums.map((s) => [s.title, ...columns(s[datagrams]), ...columns(s[bare]),
        share(s[datagrams].ofBare)]));
    if (scripted.length > 0) {
      console.log('The same, echoed by JavaScript through WebTransportServer: on the page of the web app, in\n'
        + 'the appliance\'s thread on Node');
      table(['', 'echoes/s', 'loss', 'p50', 'p99', 'of bare'], scripted.map((s) => [s.title, ...columns(s[script]),
        share(s[script].ofBare)]));
    }
  }
  if (scripted.length > 0) {
    console.log('Download on one stream, beside a bare sender on the same kind of socket (octets of UDP that\n'
      + 'it takes): by the appliance\'s own /source, and by JavaScript');
    table(['', 'bare MB/s', 'MB/s', 'of bare', 'by JavaScript', 'of bare'], scripted.map((s) => [s.title,
      s.floodMegabytes.toFixed(1), s.downloadMegabytes.toFixed(1), share(s.downloadOfBare),
      s.scriptDownloadMegabytes.toFixed(1), share(s.scriptDownloadOfBare)]));
  }
  console.log(`Datagrams at a steady ${whole(rate)} a second; the time counts from when each was due`);
  table(['', 'echoes/s', 'loss', 'p50', 'p99', 'bare/s', 'loss', 'p50', 'p99'],
    sums.map((s) => [s.title, ...columns(s.datagramsAtRate), ...columns(s.bareAtRate)]));
}

/** @param {number} ratio */
function share(ratio) {
  return Number.isNaN(ratio) ? '-' : percent(ratio);
}

/** @param {{perSecond: number, loss: number, p50: number, p99: number}} of */
function columns({ perSecond, loss, p50, p99 }) {
  return [whole(perSecond), percent(loss), time(p50), time(p99)];
}

