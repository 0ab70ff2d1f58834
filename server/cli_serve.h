/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of "serve" share with each other, and nobody else. */
#ifndef SERVER_CLI_SERVE_H
#define SERVER_CLI_SERVE_H

#include "certmgr/journal.h"
#include "server/cli.h"
#include "server/control_posix.h"
#include "server/hook_posix.h"
#include "server/publisher_posix.h"
#include "server/udp_posix.h"

#define SERVE_PATH_MAX 512
#define SERVE_JOURNAL_NAME "journal.jsonl"

/* "on-publish" and "on-event". */
#define SERVE_HOOKS 2

typedef struct serve_host {
  const cli_options *options;
  appliance *appliance;
  udp_socket *socket;
  control *control;
  publisher *publisher;
  /* NULL: not wanted. */
  hook *on_publish;
  hook *on_event;
  cm_store *store;
  int store_fd; /* -1: nothing is kept */
  cm_journal_file *journal;
  /* For hooks, where there is no file. */
  cm_journal chain;
  int journal_failed;
  int signals;
  /* How often it was signalled to end. */
  unsigned stops;
  int announced;
  FILE *key_log;
  /* The first of those where it listens: the link's. */
  const char *address;
  uint16_t port;
  char control_path[SERVE_PATH_MAX];
  char state_path[SERVE_PATH_MAX];
  char http_url[PUBLISHER_ADDRESS_MAX + 32];
} serve_host;

/* A line for the log; |level| as appliance_log() has it. */
void serve_log(const serve_host *h, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Complains of |error|, an error of the socket, the store or the appliance, and
   returns the exit code. */
int serve_fail(const serve_host *h, int error);

/* ---- cli_open_posix.c ---- */

/* Opens all but the appliance.  0, or an exit code after a complaint; to be
   closed in any case. */
int serve_open(serve_host *h, const cli_options *options, publisher_get get);

/* Closes what is open.  The appliance must be gone. */
void serve_close(serve_host *h);

#endif
