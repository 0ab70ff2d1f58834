// SPDX-License-Identifier: Apache-2.0
// Another server that keeps the same contract, to check the suite itself:
// --server-command 'PROGRAM ARGUMENTS', to which "--port 0" is added.

/**
 * @param {string} command
 * @returns {import('./server.mjs').Kind}
 */
export function other(command) {
  const [program, ...first] = command.split(' ');
  return {
    name: 'other',
    process: (args) => ({
      name: 'other', command: program, args: [...first, ...args], cwd: process.cwd(),
    }),
    readyMs: 30_000,
  };
}
