// SPDX-License-Identifier: Apache-2.0
/**
 * For --import: at each SIGUSR2 a line "memory N" goes to standard output, N
 * being the octets of the WebAssembly's memory.
 */

/** @type {WebAssembly.Memory|undefined} */
let memory;

/** @param {WebAssembly.Imports|WebAssembly.Exports|undefined} tree */
function look(tree) {
  for (const value of Object.values(tree ?? {})) {
    if (value instanceof WebAssembly.Memory) memory = value;
  }
}

const { instantiate } = WebAssembly;

/** @type {any} */ (WebAssembly).instantiate = async (
  /** @type {any} */ source, /** @type {any} */ imports) => {
  const result = /** @type {any} */ (await instantiate(source, imports));
  for (const module of Object.values(imports ?? {})) look(/** @type {any} */ (module));
  look((result.instance ?? result).exports);
  return result;
};

process.on('SIGUSR2', () => {
  process.stdout.write(`memory ${memory?.buffer.byteLength ?? 0}\n`);
});
