// SPDX-License-Identifier: Apache-2.0
/** From the form's fields to the appliance's options.  Pure. */

/** The least port that Direct Sockets bind. */
export const PORT_MIN = 1024;

/**
 * @param {string} text
 * @returns {boolean} whether it is a port that can be asked for; 0 is any
 */
export function isPort(text) {
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && (port === 0 || (port >= PORT_MIN && port <= 65535));
}

/** What the appliance takes where an option is left out. */
export const DEFAULTS = Object.freeze({ address: '127.0.0.1', port: 4433, path: '/echo' });

/* HOST_ORIGINS_MAX in server/host.h. */
const ORIGINS_MAX = 32;

/**
 * The names that the appliance takes for its certificate if it is given none:
 * host_default_names() in server/host.c.
 * @param {string} address
 * @returns {string[]}
 */
export function defaultHosts(address) {
  if (address === '0.0.0.0') return ['127.0.0.1', 'localhost'];
  if (address === '::') return ['localhost', '127.0.0.1', '::1'];
  return isLoopback(address) ? [address, 'localhost'] : [address];
}

/**
 * @typedef {{address: string, port: string, hosts: string, path: string, apps: string, profile: string,
 *   origins: string, mirror: string, publish: string}} Fields
 * @typedef {{
 *   options: {address: string, port: number, hosts?: string[], path?: string, apps?: App[],
 *     profile?: string, origins?: string[], mirror?: string, publish?: string},
 *   errors: Partial<Record<keyof Fields, string>>,
 * }} Parsed
 */

/**
 * @param {string} text
 * @returns {4|6|0} its version, 0 if it is no literal address
 */
export function addressVersion(text) {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    return text.split('.').every((part) => Number(part) <= 255) ? 4 : 0;
  }
  return /^[0-9a-f:.]+$/i.test(text) && text.includes(':') && URL.canParse(`http://[${text}]/`) ? 6 : 0;
}

/** @param {string} address */
export function isLoopback(address) {
  return address === '::1' || (addressVersion(address) === 4 && address.startsWith('127.'));
}

/** @param {string} address */
export function isWildcard(address) {
  return address === '0.0.0.0' || (addressVersion(address) === 6 && /^[0:]+$/.test(address));
}

/**
 * Whether |host| names this computer for itself alone.
 * @param {string} host
 */
export function isLocalName(host) {
  return /^(.+\.)?localhost$/i.test(host) || isLoopback(host);
}

/** @param {string} host a name for the certificate */
export function isHost(host) {
  if (addressVersion(host)) return true;
  return host.length <= 253 && !/^[\d.]+$/.test(host)
    && /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i.test(host);
}

/**
 * @param {Fields} fields
 * @returns {Parsed} with an error for each field that will not do
 */
export function parseFields(fields) {
  /** @type {Parsed['errors']} */
  const errors = {};
  const address = fields.address.trim().replace(/^\[(.*)\]$/, '$1');
  if (!addressVersion(address)) {
    errors.address = 'Give an IP address, such as 127.0.0.1 or ::.';
  }
  const port = Number(fields.port);
  if (!isPort(fields.port.trim())) {
    errors.port = `${PORT_MIN} to 65535, or 0.`;
  }
  const hosts = [...new Set(fields.hosts.split(/[\s,]+/).filter(Boolean)
    .map((host) => host.replace(/^\[(.*)\]$/, '$1')))];
  const bad = hosts.find((host) => !isHost(host));
  if (bad !== undefined) {
    errors.hosts = `“${bad.slice(0, 40)}” is neither a host name nor an IP address.`;
  }
  const path = fields.path.trim();
  if (path && !isPath(path)) errors.path = 'Give a path that begins with “/” and has no “#”.';
  const apps = appsOf(fields.apps);
  const profile = fields.profile.trim();
  const origins = [...new Set(fields.origins.split(/[\s,]+/).filter(Boolean)
    .map((origin) => origin.toLowerCase().replace(/\/$/, '')))];
  const odd = origins.find((origin) => !isOrigin(origin));
  if (odd !== undefined) {
    errors.origins = `“${odd.slice(0, 40)}” is no origin, such as https://example.org.`;
  } else if (origins.length > ORIGINS_MAX) {
    errors.origins = `Give at most ${ORIGINS_MAX}.`;
  }
  const mirror = fields.mirror.trim();
  const publish = fields.publish.trim();
  if (mirror && !isMirror(mirror)) errors.mirror = 'Give a URL that begins with https:// and has no “#”.';
  if (publish && !isMirror(publish)) errors.publish = 'Give a URL that begins with https:// and has no “#”.';
  return {
    options: {
      address, port, ...(hosts.length > 0 && { hosts }), ...(path && path !== DEFAULTS.path && { path }),
      ...(apps.length < APP_NAMES.length && { apps }), ...(profile && { profile }),
      ...(origins.length > 0 && { origins }), ...(mirror && { mirror }), ...(publish && { publish }),
    },
    errors,
  };
}

/**
 * @param {string} text
 * @returns {boolean} whether documents can be had there; cm_mirror_check() has
 *     the last word
 */
export function isMirror(text) {
  return /^https:\/\/[^\s#]+$/.test(text) && URL.canParse(text);
}

/** @param {string} text a path for the link, with a query if there is one */
export function isPath(text) {
  return /^\/[^\s#]*$/.test(text);
}

/**
 * @param {string} text
 * @returns {boolean} whether a browser could say so in its Origin field;
 *     host_is_origin() has the last word
 */
export function isOrigin(text) {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/.test(text) || !URL.canParse(text)) return false;
  return !/^https?:/.test(text) || new URL(text).origin === text;
}

/**
 * What the appliance serves by itself: its name there, and where.
 * @typedef {'echo'|'room'|'measure'} App
 */
export const APPS = /** @type {const} */ ({
  echo: { label: 'Echo', paths: ['/echo'], does: 'sends back whatever comes' },
  room: { label: 'Room', paths: ['/room'], does: 'what one client sends, all others get' },
  measure: { label: 'Measure', paths: ['/sink', '/source'], does: 'takes or sends as much as there is room for' },
});

/** @type {readonly App[]} */
export const APP_NAMES = Object.freeze(/** @type {App[]} */ (Object.keys(APPS)));

/** @param {string} text as the settings keep it */
export const appsOf = (text) => APP_NAMES.filter((name) => text.split(' ').includes(name));

/** What each profile is good for; certmgr/profile.h. */
export const PROFILES = Object.freeze({
  'hot-standby': 'Hashes stay good for 6 days at least; a swap can come at any second.',
  'long': 'Hashes stay good for 13.9 days, but clocks have to be right to the hour.',
  'short': 'Each certificate lives for 7 days.',
});

/**
 * @param {string} path
 * @param {App[]} apps that are served
 */
function whatIsAt(path, apps) {
  const name = apps.find((name) => /** @type {readonly string[]} */ (APPS[name].paths).includes(path.split('?')[0]));
  return name ? `${APPS[name].label}: ${APPS[name].does}.`
    : `Nothing is served there${apps.length ? `; there is ${apps.map((name) => APPS[name].paths[0]).join(', ')}` : ''}.`;
}

/**
 * What a field's value means, for the line below it.
 * @param {Parsed} parsed
 * @returns {Record<keyof Fields, string>}
 */
export function hints({ options: { address, port, hosts = defaultHosts(address), path = DEFAULTS.path,
  apps = [...APP_NAMES], profile = 'hot-standby', origins = [] } }) {
  const others = !isLoopback(address);
  return {
    address: isLoopback(address) ? 'Only this computer can connect.'
      : isWildcard(address) ? 'Whoever reaches this computer can connect.'
        : 'Whoever reaches this address can connect.',
    port: port === 0 ? 'Any free port.' : 'UDP; 0 takes any free port.',
    hosts: others && isLocalName(hosts[0])
      ? 'Others need this computer’s own name or address first.'
      : 'Names in the certificate; the first goes into the link.',
    path: whatIsAt(path, apps),
    apps: apps.length === 0 ? 'Only the feed of hashes is served.' : 'What clients can open beside the feed of hashes.',
    origins: origins.length > 0 ? 'No other page may connect.' : 'Empty: pages from everywhere may connect.',
    profile: Object.hasOwn(PROFILES, profile) ? PROFILES[/** @type {keyof PROFILES} */ (profile)] : '',
    mirror: 'Where clients can fetch the signed hashes; it goes into the link.',
    publish: 'Gets the signed hashes by PUT, whenever there are new ones.',
  };
}
