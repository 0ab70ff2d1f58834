/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of the native program.
 *
 * cli_options.c and cli_help.c say what may be written, cli_status.c and
 * cli_verify.c what is shown to a person; they do no I/O.  The others carry the
 * commands out; each returns the exit code, after one line on standard error if
 * that is not 0.
 */
#ifndef SERVER_CLI_H
#define SERVER_CLI_H

#include "certmgr/hashset_signed.h"
#include "certmgr/profile.h"
#include "server/host.h"
#include "server/text.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Beside those of host_exit. */
typedef enum cli_exit {
  /* verify: not a document of this identity. */
  CLI_EXIT_NOT_VERIFIED = 8,
  /* verify: a document of this identity that has run out. */
  CLI_EXIT_RUN_OUT = 9
} cli_exit;

#define CLI_HOSTS_MAX 32

#define CLI_VERSION "0.1.0"

typedef enum cli_command {
  CLI_HELP,
  CLI_SERVE,
  CLI_STATUS,
  CLI_HASHES,
  CLI_ROTATE,
  CLI_REVOKE,
  CLI_RESET,
  CLI_IDENTITY,
  CLI_STOP,
  CLI_VERIFY,
  CLI_SIMULATE
} cli_command;

#define CLI_COMMAND_COUNT 11

/* How little is worth a line in the log. */
typedef enum cli_log_level {
  CLI_LOG_ERROR,
  CLI_LOG_WARNING,
  CLI_LOG_INFO,
  CLI_LOG_DEBUG
} cli_log_level;

#define CLI_LOG_LEVEL_COUNT 4

/* What is written, and how: lines for a person, or objects. */
typedef struct cli_log {
  cli_log_level level;
  int json;
} cli_log;

/* How long sessions have to end, in seconds, if nobody says. */
#define CLI_DRAIN_DEFAULT 5

/* NULL, or 0, for what was not given.  The strings are argv's. */
typedef struct cli_options {
  cli_command command;
  int help; /* Of |command|. */
  /* serve */
  host_listen listens[UDP_ADDRESSES_MAX]; /* at least one */
  size_t nlistens;
  uint16_t port; /* of those that name none */
  const char *hosts[CLI_HOSTS_MAX];
  size_t nhosts;
  const char *path;
  unsigned apps; /* bits of appliance_app_bit(); 0: all */
  /* Ends with NULL. */
  const char *origins[HOST_ORIGINS_MAX + 1];
  size_t norigins;
  long limits[HOST_LIMIT_COUNT]; /* -1 for what was not given */
  quic_retry retry;
  cli_log log;
  const char *key_log;
  const char *state;
  int ephemeral;
  cm_profile profile; /* simulate too; hot-standby if not given */
  const char *mirror;
  const char *http;
  const char *on_publish;
  const char *on_event;
  /* to a running server, and serve */
  const char *control;
  int json; /* simulate too */
  int force;
  int yes;
  int now;
  int backup;
  const char *restore;
  const char *form;
  /* verify */
  const char *file;
  const char *id;
  const char *link;
  /* simulate */
  int years;
  const char *svg;
} cli_options;

/* ---- cli_options.c, cli_help.c ---- */

/* Reads the command line.  0; or -1, and |error| is why not: one line, with
   what to do. */
int cli_parse(cli_options *options, int argc, char *const *argv, char *error,
              size_t errorlen);

/* "serve" ...; static. */
const char *cli_command_name(cli_command command);

/* The text for CLI_HELP, which is about all, or for one; static. */
const char *cli_help(cli_command command);

/* ---- cli_status.c ---- */

/* Adds |s| as a terminal may show it: what a peer wrote may hold anything, and
   a terminal must not obey it.  Control characters, and what is not UTF-8,
   become "?". */
void cli_add_safely(text *t, const char *s);

/* Adds |json|, which has no blanks outside of its strings, likewise; there they
   are escaped, so that it is the same for whoever parses it. */
void cli_add_json_safely(text *t, const char *json);

/* Deletes |object|, in which the string |secret|, if it is there, is one. */
void cli_forget(cJSON *object, const char *secret);

/* The reply to "status", for a person.  |wall| is the time now, in seconds
   since 1970 UTC.  What is missing in |status|, or is of another kind, is left
   out. */
void cli_add_status(text *t, const cJSON *status, int64_t wall);

/* What is published (appliance_describe()), likewise. */
void cli_add_published(text *t, const cJSON *published, int64_t wall);

/* "2026-11-22 15:04 UTC". */
#define CLI_TIME_LEN 32
void cli_time_text(char dest[CLI_TIME_LEN], int64_t time);

/* ---- cli_verify.c ---- */

/* The identity's thumbprint in the fragment of |link|, copied to |id|.  0, or
   -1 if there is none. */
int cli_link_identity(char id[CM_THUMBPRINT_LEN + 1], const char *link);

/* Whether |id| can be a thumbprint. */
int cli_is_thumbprint(const char *id);

/* A verified document, for a person or (|json|) for a program. */
void cli_add_document(text *t, const cm_signed_set *set, int64_t wall,
                      int json);

/* ---- cli_log.c ---- */

/* The level that has this name.  0, or -1 if there is none. */
int cli_log_level_parse(cli_log_level *level, const char *name);

/*
 * One line about an event of the appliance, if |log| is to have it.  As text:
 * the time, and words, or for CLI_LOG_DEBUG the event itself.  As JSON: the
 * event, with "time" in seconds since 1970 UTC and "level".  Whatever a peer
 * wrote, it is one line, and moves no terminal.
 */
void cli_log_event(FILE *file, const cli_log *log, const cJSON *event,
                   int64_t wall);

/* ---- cli_serve_posix.c, cli_control_posix.c, cli_offline_posix.c ---- */

int cli_serve(const cli_options *options);
/* The commands to a running server. */
int cli_control(const cli_options *options);
int cli_verify(const cli_options *options);
int cli_simulate(const cli_options *options);

/* ---- cli_state_posix.c ---- */

/* The state folder if nobody says: $STATE_DIRECTORY, or fortnight below
   $XDG_STATE_HOME or ~/.local/state.  0, or -1 if none can be named, or not in
   |destlen|. */
int cli_state_path(char *dest, size_t destlen);

/* Makes the folders above |path| that are missing, with mode 0700.  0, or -1
   with errno. */
int cli_state_make_parents(const char *path);

/* "fortnight: " and the text, as one line on standard error, safely. */
void cli_complain(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
