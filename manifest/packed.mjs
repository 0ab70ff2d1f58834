// SPDX-License-Identifier: Apache-2.0
/**
 * fortnight.mjs as a bundle has it: a web bundle compresses nothing, so its
 * WebAssembly is compressed, and inflated here.  What the linker wrote is
 * fortnight_plain.mjs there; see pack.mjs.
 */

/* Out of the type checker's sight: the file is there in the bundle alone. */
const PLAIN = './fortnight_plain.mjs';

/** @type {import('../ui/server/types.d.ts').CreateModule} */
export default async (init) => {
  const [{ default: createModule }, wasmBinary] = await Promise.all([
    import(PLAIN),
    inflated(new URL('./fortnight.wasm.gz', import.meta.url)),
  ]);
  return createModule({ ...init, wasmBinary });
};

/** @param {URL} url */
async function inflated(url) {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`${url.pathname} is missing (${response.status})`);
  const stream = response.body.pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
