/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the load generator. */
#ifndef TESTS_SIM_LOAD_OPTIONS_POSIX_H
#define TESTS_SIM_LOAD_OPTIONS_POSIX_H

#include <stddef.h>
#include <stdint.h>

#include "tests/sim/workload.h"

typedef struct sim_load_options {
  const char *mode;
  const char *alpn;
  char host[256];
  char port[8];
  char authority[272];
  char path[1024];
  uint8_t hashes[4][32];
  size_t nhashes;
  size_t connections;
  /* Seconds. */
  double duration;
  /* Seconds that all connections have to come up. */
  double connect;
  /* Datagrams a second over all connections; 0: closed loop. */
  double rate;
  /* Nanoseconds, as sim_wait() takes it. */
  uint64_t gather;
  /* 1: plain UDP, no QUIC. */
  int raw;
} sim_load_options;

/* Fills |opts| and |config|, which borrows from |opts|.  Ends the program with
   2, and a word on standard error, if the arguments are not right. */
void sim_load_options_parse(sim_load_options *opts, sim_load_config *config,
                            int argc, char **argv);

#endif
