// SPDX-License-Identifier: Apache-2.0
/**
 * The identity as a file that a person can keep: sealed with a passphrase.
 *
 * Links name the identity (`&id=`), so who has it can serve for them on another
 * machine, and who has lost it has lost them.  What the appliance gives out
 * (command `identity` with `backup`) is the key itself in one line of text; a
 * file of it would be as good as the key.
 *
 *   const { name, text } = await exportIdentity(fortnight, passphrase);
 *   await importIdentity(fortnight, text, passphrase);
 *
 * The file is text, for it has to survive mail and clipboards:
 *
 *   -----BEGIN FORTNIGHT IDENTITY-----
 *   Version: 1
 *   Identity: KEY'S THUMBPRINT (RFC 7638)
 *   Made: 2026-11-22
 *   KDF: PBKDF2-SHA-256 1000000 SALT
 *   Cipher: AES-256-GCM NONCE
 *   Sealed: CIPHERTEXT AND TAG
 *   Check: THE FIRST 8 OCTETS OF SHA-256 OF THE LINES FROM "Version" TO "Sealed"
 *   -----END FORTNIGHT IDENTITY-----
 *
 * with octets in base64url, lines ended by LF, and the lines from "Version" to
 * "Cipher" as the additional data of AES-GCM: none can be changed without the
 * passphrase.  The check is made of what everybody sees, and so tells nothing
 * of the passphrase; it is there to tell a file that was damaged from a
 * passphrase that is wrong.  Who changes a file on purpose can mend the check:
 * then it is the passphrase that seems wrong.
 *
 * Nothing here is logged, and no error holds a secret.
 */

const BEGIN = '-----BEGIN FORTNIGHT IDENTITY-----';
const END = '-----END FORTNIGHT IDENTITY-----';

/* What the appliance gives and takes (certmgr/identity.h). */
const PLAIN = /^fortnight-identity-1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/* The least that a file may say, the most, and what is written today. */
const ROUNDS_MIN = 600_000;
const ROUNDS_MAX = 20_000_000;
const ROUNDS = 1_000_000;

const SALT_LENGTH = 16;
const NONCE_LENGTH = 12;
const CHECK_LENGTH = 8;

/* A file is 500 octets; what is much longer is something else. */
const TEXT_MAX = 16_384;

/** In characters: it is all that stands between the file and the key. */
export const PASSPHRASE_MIN = 12;

/**
 * @typedef {'weak-passphrase'|'not-a-backup'|'too-new'|'damaged'
 *   |'wrong-passphrase'} BackupErrorCode
 *
 * @typedef {{command(command: import('../server/types.d.ts').Command): Promise<any>}} Commandable
 *     an appliance that runs
 */

/** @type {Readonly<Record<BackupErrorCode, string>>} */
const TEXTS = Object.freeze({
  'weak-passphrase': `The passphrase has to have at least ${PASSPHRASE_MIN} characters`,
  'not-a-backup': 'This is no backup of a Fortnight identity',
  'too-new': 'A newer Fortnight has made this backup: it cannot be read here',
  'damaged': 'This backup is damaged: something of it is missing or was changed',
  'wrong-passphrase': 'The passphrase is wrong',
});

/** Why there is no backup, or none can be taken; |message| is for a person. */
export class BackupError extends Error {
  /** @param {BackupErrorCode} code */
  constructor(code) {
    super(TEXTS[code]);
    this.name = 'BackupError';
    this.code = code;
  }
}

/**
 * The identity of |fortnight| as a file.
 * @param {Commandable} fortnight
 * @param {string} passphrase
 * @returns {Promise<{name: string, text: string}>} rejected with a BackupError
 *     'weak-passphrase', or because it does not run
 */
export async function exportIdentity(fortnight, passphrase) {
  requireStrength(passphrase);
  const { thumbprint, backup } = await fortnight.command({ command: 'identity', backup: true });
  return {
    name: `fortnight-identity-${thumbprint.slice(0, 8)}.txt`,
    text: await seal(backup, { passphrase, thumbprint }),
  };
}

/**
 * Gives |fortnight| the identity of a file: from now on it signs with that, and
 * begins a new epoch with it.  The one that it had is gone.
 * @param {Commandable} fortnight
 * @param {string} text of the file
 * @param {string} passphrase ignored for the plain line that the command line
 *     writes (`fortnight identity --backup`): see kindOf()
 * @returns {Promise<import('../server/types.d.ts').Published>} rejected with a
 *     BackupError, or with the appliance's reason; then nothing has changed
 */
export async function importIdentity(fortnight, text, passphrase) {
  const restore = kindOf(text) === 'plain' ? text.trim() : await unseal(text, passphrase);
  return fortnight.command({ command: 'identity', restore });
}

/**
 * What a person has chosen, before they are asked for a passphrase.
 * @param {string} text
 * @returns {'sealed'|'plain'|undefined} undefined: it is no backup
 */
export function kindOf(text) {
  if (text.length > TEXT_MAX) return undefined;
  if (PLAIN.test(text.trim())) return 'plain';
  return text.includes(BEGIN) ? 'sealed' : undefined;
}

/**
 * Whose identity it is, and of when, as a sealed file says; only unseal() proves
 * it.
 * @param {string} text
 * @returns {{thumbprint: string, made: string}|undefined}
 */
export function describe(text) {
  try {
    const { thumbprint, made } = parse(text);
    return { thumbprint, made };
  } catch {
    return undefined;
  }
}

/** @returns {string} a passphrase of 100 random bits that can be read aloud */
export function proposePassphrase() {
  // 32 of them: no two that look alike.
  const letters = 'abcdefghjkmnpqrstuvwxyz023456789';
  const random = crypto.getRandomValues(new Uint8Array(20));
  const text = Array.from(random, (octet) => letters[octet % 32]).join('');
  random.fill(0);
  return text.replace(/.{5}(?=.)/g, '$&-');
}

/**
 * @param {string} backup what the appliance gave
 * @param {object} with_
 * @param {string} with_.passphrase
 * @param {string} with_.thumbprint
 * @param {Date} [with_.now]
 * @param {number} [with_.rounds]
 * @returns {Promise<string>} the text of the file
 */
export async function seal(backup, { passphrase, thumbprint, now = new Date(), rounds = ROUNDS }) {
  requireStrength(passphrase);
  const salt = crypto.getRandomValues(new Uint8Array(SALT_LENGTH));
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_LENGTH));
  const head = [
    'Version: 1',
    `Identity: ${thumbprint}`,
    `Made: ${now.toISOString().slice(0, 10)}`,
    `KDF: PBKDF2-SHA-256 ${rounds} ${toText(salt)}`,
    `Cipher: AES-256-GCM ${toText(nonce)}`,
  ].join('\n');
  const key = await keyOf(passphrase, salt, rounds);
  const secret = encode(backup);
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv: nonce, additionalData: encode(head) }, key, secret);
  secret.fill(0);
  const lines = `${head}\nSealed: ${toText(new Uint8Array(sealed))}`;
  return `${BEGIN}\n${lines}\nCheck: ${await checkOf(lines)}\n${END}\n`;
}

/**
 * @param {string} text of the file
 * @param {string} passphrase
 * @returns {Promise<string>} what the appliance gave; rejected with a
 *     BackupError
 */
export async function unseal(text, passphrase) {
  const { head, lines, rounds, salt, nonce, sealed, check } = parse(text);
  if (check !== await checkOf(lines)) throw new BackupError('damaged');
  const key = await keyOf(passphrase, salt, rounds);
  /** @type {Uint8Array} */
  let secret;
  try {
    secret = new Uint8Array(await crypto.subtle.decrypt(
      { name: 'AES-GCM', iv: nonce, additionalData: encode(head) }, key, sealed));
  } catch {
    throw new BackupError('wrong-passphrase');
  }
  const backup = new TextDecoder().decode(secret);
  secret.fill(0);
  // Whoever sealed it knew the passphrase, and put something else in.
  if (!PLAIN.test(backup)) throw new BackupError('not-a-backup');
  return backup;
}

/* The lines between the first and the last, once what mail does is undone. */
const FORM = new RegExp(`^${[
  `(?<lines>(?<head>${[
    'Version: (?<version>[0-9]{1,9})',
    'Identity: (?<thumbprint>[A-Za-z0-9_-]{43})',
    'Made: (?<made>[0-9]{4}-[0-9]{2}-[0-9]{2})',
    'KDF: PBKDF2-SHA-256 (?<rounds>[0-9]{1,9}) (?<salt>[A-Za-z0-9_-]+)',
    'Cipher: AES-256-GCM (?<nonce>[A-Za-z0-9_-]+)',
  ].join('\\n')})`,
  'Sealed: (?<sealed>[A-Za-z0-9_-]+))',
  'Check: (?<check>[A-Za-z0-9_-]+)',
].join('\\n')}$`);

/**
 * Also where others' lines are around it, or CR at the end of each, or blanks.
 * @param {string} text
 */
function parse(text) {
  if (kindOf(text) !== 'sealed') throw new BackupError('not-a-backup');
  const all = text.split(/\r\n|\r|\n/).map((line) => line.trim()).filter((line) => line !== '');
  const from = all.indexOf(BEGIN);
  const to = all.indexOf(END, from);
  if (from < 0 || to < 0) throw new BackupError('damaged');
  const inner = all.slice(from + 1, to);
  const version = /^Version: ([0-9]{1,9})$/.exec(inner[0] ?? '')?.[1];
  // What comes after the version is for it to say.
  if (version !== undefined && version !== '1') throw new BackupError('too-new');
  const found = FORM.exec(inner.join('\n'))?.groups;
  if (!found) throw new BackupError('damaged');
  const rounds = Number(found.rounds);
  const [salt, nonce, sealed] = [found.salt, found.nonce, found.sealed].map(fromText);
  if (rounds < ROUNDS_MIN || rounds > ROUNDS_MAX || salt?.length !== SALT_LENGTH
    || nonce?.length !== NONCE_LENGTH || !sealed) {
    throw new BackupError('damaged');
  }
  return { head: found.head, lines: found.lines, thumbprint: found.thumbprint, made: found.made,
    rounds, salt, nonce, sealed, check: found.check };
}

/** @param {string} passphrase */
function requireStrength(passphrase) {
  if ([...normal(passphrase)].length < PASSPHRASE_MIN) throw new BackupError('weak-passphrase');
}

/**
 * The same characters may be typed as other code points on another machine.
 * @param {string} passphrase
 */
const normal = (passphrase) => passphrase.normalize('NFKC');

/**
 * @param {string} passphrase
 * @param {Uint8Array<ArrayBuffer>} salt
 * @param {number} iterations
 */
async function keyOf(passphrase, salt, iterations) {
  const octets = encode(normal(passphrase));
  const material = await crypto.subtle.importKey('raw', octets, 'PBKDF2', false, ['deriveKey']);
  octets.fill(0);
  return crypto.subtle.deriveKey({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations }, material,
    { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

/** @param {string} lines */
async function checkOf(lines) {
  const digest = await crypto.subtle.digest('SHA-256', encode(lines));
  return toText(new Uint8Array(digest, 0, CHECK_LENGTH));
}

/** @param {string} text */
const encode = (text) => new TextEncoder().encode(text);

/** @param {Uint8Array} octets */
const toText = (octets) => btoa(String.fromCharCode(...octets))
  .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>|undefined} undefined: nothing has that text
 */
function fromText(text) {
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}
