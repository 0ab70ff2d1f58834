// SPDX-License-Identifier: Apache-2.0
/**
 * `make serve-wasm`: the WASM appliance, as the Isolated Web App has it, on
 * Node.  UDPSocket comes from directsockets/node; everything else is the same.
 */
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { PORT_MIN, isPort } from '../ui/app/options.js';
import { startAppliance } from '../ui/server/appliance.js';
import { ApplianceError, exitCodeOf } from '../ui/server/exit_codes.js';
import { defaultControlPath, openControl } from './control-socket.mjs';
import { LEVELS, logLine } from './log.mjs';
import { defaultStatePath, openNodeStore } from './node-store.mjs';

/**
 * @typedef {import('../ui/server/types.d.ts').ApplianceOptions} ApplianceOptions
 * @typedef {import('../ui/server/types.d.ts').ApplianceEvent} ApplianceEvent
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const HELP = `usage: make serve-wasm [ARGS="OPTION..."]

Serves WebTransport from the WebAssembly appliance on Node.  Once it serves it
prints one line on standard output: "ready " and a JSON object with url, link,
hashes, identity, pid, control and state_folder.  Ctrl-C stops it; again, at once.

  --listen ADDRESS   the address to bind (default 127.0.0.1; :: is all networks),
                     with a port if you like, such as [::1]:4433
  --port N           the UDP port, 1024 to 65535; 0 is any free one (default 4433)
  --host NAME        a name or address for the certificate; may be repeated, and
                     the first is the link's (default: chosen by the appliance)
  --state DIR        where the certificates and the identity are kept (default:
                     $STATE_DIRECTORY, or fortnight below $XDG_STATE_HOME or
                     ~/.local/state); the native program may take up the same
  --ephemeral        keep nothing: a new identity at each start
  --profile PROFILE  how the certificates live: hot-standby, long or short, or
                     backdate=1d,standby=6d,active=6d,guard=1d,...
  --mirror URL       where clients can fetch the signed hash set, for the link
  --path PATH        the link's path (default /echo, or of what is served in its
                     place)
  --app NAME         one of those that are served: echo, room or measure; may be
                     repeated (default: all)
  --origin ORIGIN    only pages of this origin may have sessions; may be repeated
  --max-connections N, --max-sessions N (of a connection), --max-handshakes N
  --idle SECONDS     of silence after which a connection is over (default 30)
  --retry WHEN       always, busy (default) or never; --retry-above N: busy is
  --drain SECONDS    that sessions have to end when it stops (default 5)
  --log-level L      error, warning, info (default) or debug
  --log-format F     text (default), or json: one object a line
  --control PATH     the control socket (default: PORT.sock in a folder
                     fortnight-UID below XDG_RUNTIME_DIR, or below /tmp)
  --wasm FILE        the appliance's module (default build/wasm/fortnight.mjs)
  --help             this text

exit codes: 0 stopped as asked, 1 internal, 2 refused option, 3 port busy,
            4 permission denied, 5 address not available, 6 control socket
            refused, 7 state folder refused
`;

/* How long it may take to say goodbye to its peers, once it has drained. */
const STOP_TIMEOUT_MS = 5000;

/* Each is a member of the appliance's options, with "_" for "-". */
const NUMBERS = /** @type {const} */ (['idle', 'max-connections', 'max-sessions', 'max-handshakes',
  'retry-above', 'drain']);

/** What --drain is if nobody says, in seconds. */
const DRAIN = 5;

/** @param {string} text */
const say = (text) => process.stderr.write(`${text}\n`);

/** @param {string[]} args */
function parseOptions(args) {
  return parseArgs({ args, options: {
    listen: { type: 'string', multiple: true },
    port: { type: 'string', default: '4433' },
    host: { type: 'string', multiple: true },
    state: { type: 'string' },
    ephemeral: { type: 'boolean' },
    profile: { type: 'string' },
    mirror: { type: 'string' },
    path: { type: 'string' },
    app: { type: 'string', multiple: true },
    origin: { type: 'string', multiple: true },
    retry: { type: 'string' },
    idle: { type: 'string' },
    'max-connections': { type: 'string' },
    'max-sessions': { type: 'string' },
    'max-handshakes': { type: 'string' },
    'retry-above': { type: 'string' },
    drain: { type: 'string' },
    'log-level': { type: 'string', default: 'info' },
    'log-format': { type: 'string', default: 'text' },
    control: { type: 'string' },
    wasm: { type: 'string', default: join(ROOT, 'build/wasm/fortnight.mjs') },
    help: { type: 'boolean' },
  } });
}

/**
 * Takes a port that is written behind the address apart.
 * @param {string[]} listens
 * @param {string} port
 */
function placeOf(listens, port) {
  if (listens.length > 1) {
    throw new ApplianceError('bad-option',
      '--listen was given more than once, and there is one socket here: :: is every network, and fortnight serve takes several');
  }
  const [, ipv4, ipv6, own] = /^(?:([^:[]*)|\[([^\]]*)\])(?::(.*))?$/.exec(listens[0]) ?? [];
  return { address: ipv4 ?? ipv6 ?? listens[0], port: own ?? port };
}

/** @param {string[]} args */
function parse(args) {
  /** @type {ReturnType<typeof parseOptions>['values']} */
  let values;
  try {
    ({ values } = parseOptions(args));
  } catch (error) {
    throw new ApplianceError('bad-option', /** @type {Error} */ (error).message.split('\n')[0]);
  }
  const place = placeOf(values.listen ?? ['127.0.0.1'], values.port);
  if (!isPort(place.port)) {
    throw new ApplianceError('bad-option', `--port ${place.port}: give ${PORT_MIN} to 65535, or 0`);
  }
  if (values.ephemeral && values.state !== undefined) {
    throw new ApplianceError('bad-option', '--ephemeral keeps nothing: it takes no --state');
  }
  if (!LEVELS.includes(values['log-level'])) {
    throw new ApplianceError('bad-option', `--log-level takes ${LEVELS.join(', ')}`);
  }
  if (!['text', 'json'].includes(values['log-format'])) {
    throw new ApplianceError('bad-option', '--log-format takes text or json');
  }
  if (values['retry-above'] !== undefined && (values.retry ?? 'busy') !== 'busy') {
    throw new ApplianceError('bad-option', '--retry-above says when it is busy: it goes with --retry busy');
  }
  return { ...values, ...place };
}

/**
 * @param {ReturnType<typeof parse>} values
 * @returns {ApplianceOptions}
 */
function optionsOf(values) {
  /** @type {ApplianceOptions} */
  const options = { address: values.address, port: Number(values.port), drain: DRAIN };
  if (values.host) options.hosts = values.host;
  if (values.path !== undefined) options.path = values.path;
  if (values.profile !== undefined) options.profile = values.profile;
  if (values.mirror !== undefined) options.mirror = values.mirror;
  if (values.ephemeral) options.ephemeral = true;
  if (values.app) options.apps = /** @type {ApplianceOptions['apps']} */ (values.app);
  if (values.origin) options.origins = values.origin;
  if (values.retry !== undefined) options.retry = /** @type {ApplianceOptions['retry']} */ (values.retry);
  for (const name of NUMBERS) {
    const text = values[name];
    // What is no number becomes null, and is refused as that.
    if (text !== undefined) {
      Object.assign(options, { [name.replaceAll('-', '_')]: /^\d+$/.test(text) ? Number(text) : null });
    }
  }
  return options;
}

/** @param {string} file */
async function loadModule(file) {
  if (!('Suspending' in WebAssembly)) {
    throw new ApplianceError('internal',
      `this Node (${process.version}) has no WebAssembly JSPI: take Node 24 or later`);
  }
  if (!existsSync(file)) {
    throw new ApplianceError('internal', `${relative(process.cwd(), file)} is missing: run make serve-wasm`);
  }
  const { UDPSocket } = await import('../directsockets/node/udp_socket.mjs');
  Object.assign(globalThis, { UDPSocket });
  /** @type {{default: import('../ui/server/types.d.ts').CreateModule}} */
  const { default: createModule } = await import(pathToFileURL(resolve(file)).href);
  return createModule;
}

/**
 * @param {ApplianceEvent[]} events
 * @param {{level: string, json: boolean}} log
 */
function print(events, log) {
  for (const event of events) {
    const line = logLine(event, log, Math.floor(Date.now() / 1000));
    if (line !== undefined) say(line);
  }
}

/** @param {unknown} error */
function complain(error) {
  say(`fortnight: ${/** @type {Error} */ (error).message.split('\n')[0]}`);
  return exitCodeOf(error);
}

/**
 * @param {string[]} args
 * @returns {Promise<number>} the exit code
 */
async function main(args) {
  /** @type {import('../ui/server/types.d.ts').Appliance|undefined} */
  let appliance;
  /** @type {Awaited<ReturnType<typeof openControl>>|undefined} */
  let control;
  try {
    const values = parse(args);
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    const options = optionsOf(values);
    const log = { level: values['log-level'], json: values['log-format'] === 'json' };
    const state = resolve(values.state ?? defaultStatePath());
    const createModule = await loadModule(values.wasm);
    /** @type {(port: number) => void} */
    let isListening = () => {};
    const listening = new Promise((/** @type {(port: number) => void} */ resolve) => { isListening = resolve; });
    const started = appliance = startAppliance({
      createModule, options, moduleOptions: { print: say, printErr: say },
      openStore: () => openNodeStore(state),
      onEvents: (events) => {
        for (const event of events) {
          if (event.type === 'listening') isListening(event.port);
        }
        print(events, log);
      },
    });
    for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
      process.on(name, () => {
        setTimeout(() => {
          say('fortnight: it did not stop in time');
          process.exit(1);
        }, STOP_TIMEOUT_MS + (options.drain ?? 0) * 1000).unref();
        started.stop();
      });
    }
    const port = await Promise.race([listening, started.exited.then(() => started.ready).then(({ port }) => port)]);
    const path = values.control ?? defaultControlPath(port);
    control = await openControl({
      path, own: values.control === undefined, onCommand: (command) => started.command(command),
    });
    const { type, address, ephemeral, port: _, ...published } = await started.ready;
    console.log(`ready ${JSON.stringify({ ...published, pid: process.pid, control: path,
      ...(!ephemeral && { state_folder: state }) })}`);
    const code = await started.exited;
    // What it ended by has been told, by an 'error' event or by the exit.
    if (code !== 0) say(`fortnight: the appliance ended with exit code ${code}`);
    return code;
  } catch (error) {
    await appliance?.stop();
    return complain(error);
  } finally {
    await control?.close();
  }
}

process.exit(await main(process.argv.slice(2)));
