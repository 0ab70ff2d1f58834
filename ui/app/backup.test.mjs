// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createDecipheriv, createHash, pbkdf2Sync } from 'node:crypto';
import { test } from 'node:test';
import { BackupError, describe, exportIdentity, importIdentity, kindOf, PASSPHRASE_MIN, proposePassphrase,
  seal, unseal } from './backup.js';

/* As cm_identity_backup() writes it; of no identity. */
const BACKUP = `fortnight-identity-1.${'k'.repeat(43)}.${'c'.repeat(11)}`;
const THUMBPRINT = 'T'.repeat(43);
const PASSPHRASE = 'correct horse battery';
const NOW = new Date('2026-11-22T10:00:00Z');

/* The least that is allowed. */
const ROUNDS = 600_000;

const INIT = { passphrase: PASSPHRASE, thumbprint: THUMBPRINT, now: NOW, rounds: ROUNDS };
const file = await seal(BACKUP, INIT);

/** @param {import('./backup.js').BackupErrorCode} code */
const because = (code) => (/** @type {unknown} */ error) => {
  assert.ok(error instanceof BackupError);
  assert.equal(error.code, code);
  assert.ok(!error.message.includes(PASSPHRASE) && !error.message.includes(BACKUP));
  return true;
};

/**
 * Whoever changes a file can mend its check.
 * @param {string} text
 */
function mended(text) {
  const lines = text.slice(text.indexOf('Version'), text.indexOf('\nCheck'));
  const check = createHash('sha256').update(lines).digest().subarray(0, 8).toString('base64url');
  return text.replace(/^Check: .*$/m, `Check: ${check}`);
}

test('what is sealed is had back, by the passphrase', async () => {
  assert.equal(await unseal(file, PASSPHRASE), BACKUP);
  await assert.rejects(unseal(file, `${PASSPHRASE}.`), because('wrong-passphrase'));
  await assert.rejects(unseal(file, ''), because('wrong-passphrase'));
});

test('the file is text, says whose it is, and not the secret', () => {
  const lines = file.split('\n');
  assert.equal(lines[0], '-----BEGIN FORTNIGHT IDENTITY-----');
  assert.deepEqual(lines.slice(1, 4), ['Version: 1', `Identity: ${THUMBPRINT}`, 'Made: 2026-11-22']);
  assert.ok(!file.includes('k'.repeat(43)) && !file.includes(PASSPHRASE));
  assert.deepEqual(describe(file), { thumbprint: THUMBPRINT, made: '2026-11-22' });
  assert.equal(describe('nothing'), undefined);
  assert.ok(lines.every((line) => line.length <= 160), file);
});

test('another implementation of the format reads it', () => {
  const of = (/** @type {RegExp} */ pattern) => /** @type {RegExpExecArray} */ (pattern.exec(file));
  const [, rounds, salt] = of(/^KDF: PBKDF2-SHA-256 (\d+) (\S+)$/m);
  const [, nonce] = of(/^Cipher: AES-256-GCM (\S+)$/m);
  const sealed = Buffer.from(of(/^Sealed: (\S+)$/m)[1], 'base64url');
  assert.equal(Number(rounds), ROUNDS);
  const key = pbkdf2Sync(PASSPHRASE, Buffer.from(salt, 'base64url'), Number(rounds), 32, 'sha256');
  const cipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'));
  cipher.setAAD(Buffer.from(file.slice(file.indexOf('Version'), file.indexOf('\nSealed'))));
  cipher.setAuthTag(sealed.subarray(-16));
  assert.equal(Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]).toString(), BACKUP);
});

test('no two files have anything secret in common', async () => {
  const other = await seal(BACKUP, INIT);
  for (const line of ['KDF', 'Cipher', 'Sealed']) {
    const of = (/** @type {string} */ text) => new RegExp(`^${line}: .*$`, 'm').exec(text)?.[0];
    assert.ok(of(file));
    assert.notEqual(of(other), of(file));
  }
});

test('by default there are more rounds than the least', async () => {
  const usual = await seal(BACKUP, { passphrase: PASSPHRASE, thumbprint: THUMBPRINT });
  assert.match(usual, /^KDF: PBKDF2-SHA-256 1000000 /m);
  assert.equal(await unseal(usual, PASSPHRASE), BACKUP);
});

test('what mail and editors do to text does not matter', async () => {
  assert.equal(await unseal(`Hello,\n\n  ${file.replaceAll('\n', ' \r\n\r\n')}\r\n-- \r\nMe`, PASSPHRASE), BACKUP);
  assert.equal(await unseal(file.trim(), PASSPHRASE), BACKUP);
});

test('the same characters by another keyboard', async () => {
  const sealed = await seal(BACKUP, { ...INIT, passphrase: 'Zürich ist schön' });
  assert.equal(await unseal(sealed, 'Zürich ist schön'.normalize('NFD')), BACKUP);
});

test('damage anywhere is told as such, before the passphrase is tried', async () => {
  const from = file.indexOf('Version');
  const to = file.indexOf('\n-----END');
  for (let i = from; i < to; i++) {
    // A line more or less has no other meaning, but the file is another.
    const damaged = `${file.slice(0, i)}${file[i] === 'x' ? 'y' : 'x'}${file.slice(i + 1)}`;
    await assert.rejects(unseal(damaged, PASSPHRASE), because('damaged'), `at ${i}: ${damaged}`);
  }
  for (const cut of [from + 3, from + 100, to - 3, file.length - 10]) {
    await assert.rejects(unseal(file.slice(0, cut), PASSPHRASE), because('damaged'));
  }
  const lines = file.split('\n');
  for (let i = 1; i < 8; i++) {
    await assert.rejects(unseal(lines.toSpliced(i, 1).join('\n'), PASSPHRASE), because('damaged'), lines[i]);
  }
});

test('a change on purpose is never accepted', async () => {
  const swap = (/** @type {RegExp} */ what, /** @type {string} */ by) => {
    const changed = mended(file.replace(what, by));
    assert.notEqual(changed, file);
    return changed;
  };
  for (const changed of [
    swap(/^Identity: .*$/m, `Identity: ${'U'.repeat(43)}`),
    swap(/^Made: .*$/m, 'Made: 2027-01-01'),
    swap(/256 600000 /, '256 600001 '),
    swap(/^Sealed: ..../m, 'Sealed: AAAA'),
    swap(/^Sealed: .*$/m, 'Sealed: AAAA'),
  ]) {
    await assert.rejects(unseal(changed, PASSPHRASE), because('wrong-passphrase'), changed);
  }
  // Few rounds would make the passphrase cheap to guess, many never end.
  for (const changed of [swap(/256 600000 /, '256 599999 '), swap(/256 600000 /, '256 999999999 '),
    swap(/256 600000 .*$/m, '256 600000 AAAA'), swap(/GCM .*$/m, 'GCM AAAA'), swap(/GCM .*$/m, 'GCM A')]) {
    await assert.rejects(unseal(changed, PASSPHRASE), because('damaged'), changed);
  }
  const other = await seal('something else', INIT);
  await assert.rejects(unseal(other, PASSPHRASE), because('not-a-backup'));
});

test('what is something else, or of a later version', async () => {
  for (const text of ['', 'x', THUMBPRINT, '-----BEGIN CERTIFICATE-----', 'a'.repeat(100_000), `${file}${' '.repeat(20_000)}`]) {
    assert.equal(kindOf(text), undefined);
    await assert.rejects(unseal(text, PASSPHRASE), because('not-a-backup'));
  }
  await assert.rejects(unseal(file.replace('Version: 1', 'Version: 2'), PASSPHRASE), because('too-new'));
  await assert.rejects(
    unseal('-----BEGIN FORTNIGHT IDENTITY-----\nVersion: 3\nWhat: else\n-----END FORTNIGHT IDENTITY-----\n', PASSPHRASE),
    because('too-new'));
});

test('a passphrase that is too short is refused before anything is done', async () => {
  const short = 'ä'.repeat(PASSPHRASE_MIN - 1);
  await assert.rejects(seal(BACKUP, { ...INIT, passphrase: short }), because('weak-passphrase'));
  // Not even asked for.
  const never = { command: () => assert.fail('the secret was asked for') };
  await assert.rejects(exportIdentity(never, short), because('weak-passphrase'));
});

test('a passphrase that is proposed', () => {
  const some = Array.from({ length: 100 }, proposePassphrase);
  for (const one of some) assert.match(one, /^([a-z0-9]{5}-){3}[a-z0-9]{5}$/);
  assert.equal(new Set(some).size, some.length);
  assert.equal(new Set(some.join('').replaceAll('-', '')).size, 32);
});

test('from one appliance to another', async () => {
  /** @type {object[]} */
  const commands = [];
  const giver = { command: async (/** @type {object} */ command) => {
    commands.push(command);
    return { thumbprint: THUMBPRINT, backup: BACKUP };
  } };
  const taker = { command: async (/** @type {object} */ command) => {
    commands.push(command);
    return { identity: THUMBPRINT };
  } };
  const { name, text } = await exportIdentity(giver, PASSPHRASE);
  assert.equal(name, 'fortnight-identity-TTTTTTTT.txt');
  assert.equal(kindOf(text), 'sealed');
  assert.deepEqual(await importIdentity(taker, text, PASSPHRASE), { identity: THUMBPRINT });
  // The line that the command line writes needs no passphrase.
  assert.equal(kindOf(`${BACKUP}\n`), 'plain');
  await importIdentity(taker, `${BACKUP}\n`, '');
  assert.deepEqual(commands, [{ command: 'identity', backup: true },
    { command: 'identity', restore: BACKUP }, { command: 'identity', restore: BACKUP }]);
  // What fails changes nothing.
  await assert.rejects(importIdentity(taker, text, 'another passphrase'), because('wrong-passphrase'));
  assert.equal(commands.length, 3);
});
