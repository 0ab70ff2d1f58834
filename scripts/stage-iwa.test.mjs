// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stageIwa } from './stage-iwa.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true }));
const out = join(scratch, 'iwa');
const wasm = join(scratch, 'wasm');

test('it wants the WASM', () => {
  assert.throws(() => stageIwa({ out, wasm }), /fortnight\.mjs is missing/);
  assert.ok(!existsSync(out));
});

test('it copies what the app needs, and no more than has changed', () => {
  mkdirSync(wasm);
  writeFileSync(join(wasm, 'fortnight.mjs'), 'one');
  writeFileSync(join(wasm, 'fortnight.wasm'), 'two');
  writeFileSync(join(wasm, 'licenses.txt'), 'three');
  assert.ok(stageIwa({ out, wasm }).copied > 10);
  assert.deepEqual(stageIwa({ out, wasm }), { folder: out, copied: 0, removed: 0 });

  writeFileSync(join(wasm, 'fortnight.mjs'), 'eno');
  rmSync(join(out, 'app/style.css'));
  writeFileSync(join(out, 'app/gone.js'), '');
  assert.deepEqual(stageIwa({ out, wasm }), { folder: out, copied: 2, removed: 1 });
  assert.equal(readFileSync(join(out, 'fortnight.mjs'), 'utf8'), 'eno');
});

test('all that the page and the manifest name is there, and no test', () => {
  const html = readFileSync(join(out, 'index.html'), 'utf8');
  const manifest = JSON.parse(readFileSync(join(out, '.well-known/manifest.webmanifest'), 'utf8'));
  const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path)
    .concat(manifest.icons.map((/** @type {any} */ icon) => icon.src));
  assert.ok(named.includes('/app/main.js') && named.includes('/app/style.css') && named.length >= 8);
  // What tests put in front of, and what the appliance loads by its name.
  named.push('/server/worker.js', '/fortnight.wasm', '/licenses.txt');
  for (const path of named) {
    assert.ok(path.startsWith('/'), path);
    assert.ok(existsSync(join(out, path)), path);
  }
  assert.deepEqual(readdirSync(join(out, 'app')).sort(), ['licenses.md', 'main.js', 'style.css']);
  assert.ok(!readdirSync(join(out, 'server')).some((name) => name.endsWith('.test.mjs')));
});

test('what Chromium asks of the manifest', () => {
  const manifest = JSON.parse(readFileSync(join(out, '.well-known/manifest.webmanifest'), 'utf8'));
  assert.match(manifest.version, /^\d+(\.\d+){0,3}$/);
  assert.equal(manifest.id, '/');
  for (const feature of ['cross-origin-isolated', 'direct-sockets', 'local-network', 'loopback-network']) {
    assert.deepEqual(manifest.permissions_policy[feature], ['self'], feature);
  }
  for (const { src, sizes, type } of manifest.icons) {
    // An SVG makes the installation fail.
    assert.equal(type, 'image/png', src);
    const png = readFileSync(join(out, src));
    assert.equal(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`, sizes, src);
  }
});
