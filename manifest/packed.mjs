// SPDX-License-Identifier: Apache-2.0
/**
 * fortnight.mjs as a bundle has it: a web bundle compresses nothing, so its
 * WebAssembly is compressed, and inflated here while it is compiled.  What the
 * linker wrote is fortnight_plain.mjs there; see pack.mjs.
 */

/* Out of the type checker's sight: the file is there in the bundle alone. */
const PLAIN = './fortnight_plain.mjs';

/** @type {import('../ui/server/types.d.ts').CreateModule} */
export default async (init) => {
  const [{ default: createModule }, compiled] = await Promise.all([
    import(PLAIN),
    prepare(),
  ]);
  return createModule({
    ...init,
    /**
     * @param {WebAssembly.Imports} imports
     * @param {(instance: WebAssembly.Instance, module: WebAssembly.Module) => void} done
     */
    instantiateWasm: (imports, done) => {
      done(new WebAssembly.Instance(compiled, imports), compiled);
      return {};
    },
  });
};

/** Compiles it ahead; whoever holds on to the result spares others of the process the work. */
export const prepare = () => compile(new URL('./fortnight.wasm.gz', import.meta.url));

/** @param {URL} url */
async function compile(url) {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`${url.pathname} is missing (${response.status})`);
  const stream = response.body.pipeThrough(new DecompressionStream('gzip'));
  return WebAssembly.compileStreaming(new Response(stream, { headers: { 'content-type': 'application/wasm' } }));
}
