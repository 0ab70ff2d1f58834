/* SPDX-License-Identifier: Apache-2.0 */
/* The native program: its command line. */
#include "server/cli.h"

#include <stdio.h>

int main(int argc, char **argv) {
  cli_options options;
  char error[512];

  if (argc < 2) {
    fputs(cli_help(CLI_HELP), stderr);
    return HOST_EXIT_OPTION;
  }
  if (cli_parse(&options, argc, argv, error, sizeof(error)) != 0) {
    cli_complain("%s", error);
    return HOST_EXIT_OPTION;
  }
  if (options.help) {
    fputs(cli_help(options.command), stdout);
    return HOST_EXIT_OK;
  }
  switch (options.command) {
  case CLI_HELP:
    fputs(cli_help(CLI_HELP), stdout);
    return HOST_EXIT_OK;
  case CLI_SERVE:
    return cli_serve(&options);
  case CLI_VERIFY:
    return cli_verify(&options);
  case CLI_SIMULATE:
    return cli_simulate(&options);
  default:
    return cli_control(&options);
  }
}
