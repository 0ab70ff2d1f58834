// SPDX-License-Identifier: Apache-2.0
/**
 * The page as one script and one style sheet; scripts/stage-iwa.mjs runs it.
 * The worker and the WebAssembly are files of their own and no part of it.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: '/',
  publicDir: false,
  logLevel: 'warn',
  build: {
    // Whoever runs it says where.
    emptyOutDir: true,
    target: 'esnext',
    // A script that asks whether modules are preloaded would be one more.
    modulePreload: false,
    assetsInlineLimit: 0,
    license: { fileName: 'app/licenses.md' },
    rolldownOptions: {
      output: {
        // An app that is installed as a whole needs no names that change.
        entryFileNames: 'app/main.js',
        chunkFileNames: 'app/[name].js',
        assetFileNames: 'app/style[extname]',
      },
    },
  },
});
