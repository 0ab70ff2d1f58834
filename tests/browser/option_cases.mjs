// SPDX-License-Identifier: Apache-2.0
// What each kind of server does with options that it cannot serve with, and
// how it ends: one clear line, the exit code, and no process left.

import { createSocket } from 'node:dgram';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { alone, underLoad } from '../bench/rotations.mjs';
import { startDeno } from './clients/deno.mjs';
import { run, start } from './process.mjs';
import { startServer } from './servers/server.mjs';
import { expect, expectEqual, step, until } from './step.mjs';

/** @typedef {import('./servers/server.mjs').Kind} Kind */

const ROTATIONS = 50;

/** With nobody there, for the memory; a leak of 1 kB would show. */
const ALONE = 300;
const GROWTH_KB = 200;

/**
 * @typedef {object} OptionCase
 * @property {string} name
 * @property {string[]} [kinds]  the servers that it is for; all if missing
 * @property {(kind: Kind) => Promise<void>} run
 * @property {() => string | null} [cannot]  why it cannot be run here
 */

/**
 * @param {Parameters<typeof start>[0]} command
 * @param {number} code
 * @param {RegExp} says  what the line must tell
 */
async function refuses(command, code, says) {
  const result = await run(command, 60_000);
  const lines = result.stderr.split('\n').filter((line) => line.startsWith('fortnight: '));
  expectEqual(result.signal ?? result.code, code,
    `the exit code (${result.stderr.trim()})`);
  expect(lines.length === 1, `one line is expected, not: ${result.stderr.trim()}`);
  expect(says.test(lines[0]), `${says} is expected: ${lines[0]}`);
  expect(!result.stdout.some((line) => line.startsWith('ready ')), 'it said ready');
}

/**
 * @param {string} name
 * @param {string[]} args
 * @param {number} code
 * @param {RegExp} says
 * @param {string[]} [kinds]
 * @returns {OptionCase}
 */
function refused(name, args, code, says, kinds) {
  return { name, kinds, run: (kind) => refuses(kind.process(args), code, says) };
}

/**
 * @param {import('./servers/server.mjs').Server} server
 * @param {() => void | Promise<unknown>} stop
 */
async function stopsClean(server, stop) {
  const { running, ready } = server;
  try {
    running.scratch.family();
    await stop();
    const { code, signal } = await step('it ends', running.exited);
    expectEqual(signal ?? code, 0, `the exit code (${running.stderr().trim()})`);
    await running.scratch.gone('no process is left');
    expect(!ready.control || !existsSync(ready.control), 'the control socket is left');
    expectEqual(readdirSync(running.scratch.temporary), [], 'temporary files left');
  } finally {
    running.scratch.remove();
  }
}

/** The lowest port that everybody may bind. */
function firstFreePort() {
  return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
}

/** @type {OptionCase[]} */
export const OPTION_CASES = [
  {
    name: 'help',
    async run(kind) {
      const { code, stdout } = await run(kind.process(['--help']));
      expectEqual(code, 0, 'the exit code');
      expect(stdout.join('\n').includes('--port'), 'the help names --port');
    },
  },
  {
    name: 'busy-port',
    async run(kind) {
      const socket = createSocket('udp4');
      try {
        await step('binding a port', new Promise((resolve, reject) => {
          socket.on('error', reject);
          socket.bind(0, '127.0.0.1', () => resolve(null));
        }));
        const { port } = socket.address();
        await refuses(kind.process(['--port', String(port)]), 3, new RegExp(`${port}`));
      } finally {
        socket.close();
      }
    },
  },
  refused('unknown-option', ['--no-such-option'], 2, /no-such-option/),
  refused('port-too-high', ['--port', '65536'], 2, /port/),
  refused('port-no-number', ['--port', '44e3'], 2, /port/),
  refused('port-below-1024', ['--port', '80'], 2, /1024/, ['node', 'iwa']),
  refused('listen-no-address', ['--port', '0', '--listen', 'not-an-address'], 2,
    /not-an-address|--listen takes a literal address/),
  refused('address-not-available', ['--port', '0', '--listen', '192.0.2.1'], 5,
    /192\.0\.2\.1/),
  refused('control-refused', ['--port', '0', '--control', '/dev/null/control'], 6,
    /\/dev\/null\/control/, ['native', 'node']),
  refused('permission-denied', ['--port', '0', '--no-permission'], 4, /./, ['iwa']),
  {
    name: 'permission-denied',
    kinds: ['native'],
    cannot: () => firstFreePort() <= 80 ? 'everybody may bind port 80 here' : null,
    async run(kind) {
      const it = kind.process(['--port', '80']);
      if (process.getuid?.() === 0) {
        // Root without the one capability that it takes.
        it.args = ['--bounding-set', '-net_bind_service', '--inh-caps',
          '-net_bind_service', it.command, .../** @type {string[]} */ (it.args)];
        it.command = 'setpriv';
      }
      await refuses(it, 4, /80/);
    },
  },
  {
    name: 'sigterm',
    async run(kind) {
      const server = await startServer(kind);
      await stopsClean(server, () => server.running.kill('SIGTERM'));
    },
  },
  {
    // Deno, for it starts fastest.
    name: 'sigterm-tells-clients',
    async run(kind) {
      const server = await startServer(kind);
      const client = await startDeno();
      try {
        const { url, hashes } = server.ready;
        const params = {
          id: 'it', url, hashes: hashes.map(({ hex }) => hex), fin: false, stepMs: 10_000,
        };
        const ask = async (/** @type {string} */ name) => {
          const answer = await step(`the client runs "${name}"`, client.run(name, params));
          expect(answer.ok, answer.error ?? 'no answer');
        };
        await ask('hold');
        const over = ask('over');
        over.catch(() => {});
        await stopsClean(server, () => server.running.kill('SIGTERM'));
        await over;
        await client.stop();
      } finally {
        client.remove();
        server.running.scratch.remove();
      }
    },
  },
  {
    name: 'ctrl-c',
    async run(kind) {
      // A terminal signals the whole group.
      const server = await startServer(kind);
      await stopsClean(server, () => server.running.kill('SIGINT', true));
    },
  },
  {
    name: 'stop-command',
    kinds: ['native', 'node', 'other'],
    async run(kind) {
      const server = await startServer(kind);
      await stopsClean(server, () => server.command({ command: 'stop' }));
    },
  },
  {
    name: 'sigterm-early',
    kinds: ['iwa'],
    async run(kind) {
      const running = start(kind.process(['--port', '0']));
      try {
        await until('the browser is being launched', () => running.scratch.family()
          .some((it) => it.name.startsWith('chrom')), 30_000);
        running.kill('SIGTERM');
        const { code, signal } = await step('it ends', running.exited, 30_000);
        expectEqual(signal ?? code, 0, `the exit code (${running.stderr().trim()})`);
        await running.scratch.gone('no process is left');
      } finally {
        running.scratch.remove();
      }
    },
  },
  {
    // The short form of `make bench ARGS="--only rotations"`.
    name: 'rotations-under-load',
    kinds: ['native', 'node'],
    async run(kind) {
      const server = await startServer(kind);
      await stopsClean(server, async () => {
        const program = { ...server.ready, control: server.ready.control ?? '' };
        // Neither what it can carry nor how fast: a busy machine may be slow.
        const { result } = await underLoad(program, ROTATIONS, { visits: 20, patience: 60 });
        const { visits, dropped, rotations, stream_octets: octets } = result;
        expectEqual({ rotations, dropped, failed: visits.failed, unstarted: visits.unstarted },
          { rotations: ROTATIONS, dropped: 0, failed: 0, unstarted: 0 },
          `under load (${JSON.stringify(result)})`);
        expect(visits.begun > 0 && visits.served === visits.begun,
          `${visits.served} of ${visits.begun} new sessions were served`);
        expect(visits.by_standby > 0 && visits.by_standby < visits.served,
          `${visits.by_standby} of ${visits.served} came by the standby's hash`);
        expect(octets > 0 && result.datagrams.echoed > 0, 'nothing was echoed');
        // A sanitizer's own memory grows.
        if (kind.name === 'native' && !process.env.FORTNIGHT) {
          const { memory: { own } } = await alone(program, ALONE, ALONE / 10);
          expect(own.length === 10 && own[9] - own[1] < GROWTH_KB, `its memory in kB: ${own}`);
        }
        server.running.kill('SIGTERM');
      });
    },
  },
];
