/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli.h"

#include "certmgr/hashset.h"
#include "certmgr/timeline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define YEARS_DEFAULT 10

/* Bits for commands. */
#define FOR(command) (1U << (command))
#define FOR_CONTROL                                                            \
  (FOR(CLI_STATUS) | FOR(CLI_HASHES) | FOR(CLI_ROTATE) | FOR(CLI_REVOKE) |     \
   FOR(CLI_RESET) | FOR(CLI_IDENTITY) | FOR(CLI_STOP))

static const char *const command_names[CLI_COMMAND_COUNT] = {
    [CLI_HELP] = "help",         [CLI_SERVE] = "serve",
    [CLI_STATUS] = "status",     [CLI_HASHES] = "hashes",
    [CLI_ROTATE] = "rotate",     [CLI_REVOKE] = "revoke",
    [CLI_RESET] = "reset",       [CLI_IDENTITY] = "identity",
    [CLI_STOP] = "stop",         [CLI_VERIFY] = "verify",
    [CLI_SIMULATE] = "simulate",
};

typedef enum option_id {
  OPTION_APP,
  OPTION_BACKUP,
  OPTION_CONTROL,
  OPTION_DRAIN,
  OPTION_EPHEMERAL,
  OPTION_FORCE,
  OPTION_FORM,
  OPTION_HELP,
  OPTION_HOST,
  OPTION_HTTP,
  OPTION_ID,
  OPTION_IDLE,
  OPTION_JSON,
  OPTION_KEY_LOG,
  OPTION_LINK,
  OPTION_LISTEN,
  OPTION_LOG_FORMAT,
  OPTION_LOG_LEVEL,
  OPTION_MAX_CONNECTIONS,
  OPTION_MAX_HANDSHAKES,
  OPTION_MAX_SESSIONS,
  OPTION_MIRROR,
  OPTION_NOW,
  OPTION_ON_EVENT,
  OPTION_ON_PUBLISH,
  OPTION_ORIGIN,
  OPTION_PATH,
  OPTION_PORT,
  OPTION_PROFILE,
  OPTION_RESTORE,
  OPTION_RETRY,
  OPTION_RETRY_ABOVE,
  OPTION_STATE,
  OPTION_SVG,
  OPTION_YEARS,
  OPTION_YES
} option_id;

#define OPTION_COUNT 36

static const struct {
  const char *name;
  int takes_value;
  unsigned commands;
} options[OPTION_COUNT] = {
    [OPTION_APP] = {"app", 1, FOR(CLI_SERVE)},
    [OPTION_BACKUP] = {"backup", 0, FOR(CLI_IDENTITY)},
    [OPTION_CONTROL] = {"control", 1, FOR(CLI_SERVE) | FOR_CONTROL},
    [OPTION_DRAIN] = {"drain", 1, FOR(CLI_SERVE)},
    [OPTION_EPHEMERAL] = {"ephemeral", 0, FOR(CLI_SERVE)},
    [OPTION_FORCE] = {"force", 0, FOR(CLI_ROTATE)},
    [OPTION_FORM] = {"form", 1, FOR(CLI_HASHES)},
    [OPTION_HELP] = {"help", 0, ~0U},
    [OPTION_HOST] = {"host", 1, FOR(CLI_SERVE)},
    [OPTION_HTTP] = {"http", 1, FOR(CLI_SERVE)},
    [OPTION_ID] = {"id", 1, FOR(CLI_VERIFY)},
    [OPTION_IDLE] = {"idle", 1, FOR(CLI_SERVE)},
    [OPTION_JSON] = {"json", 0,
                     FOR_CONTROL | FOR(CLI_VERIFY) | FOR(CLI_SIMULATE)},
    [OPTION_KEY_LOG] = {"key-log", 1, FOR(CLI_SERVE)},
    [OPTION_LINK] = {"link", 1, FOR(CLI_VERIFY)},
    [OPTION_LISTEN] = {"listen", 1, FOR(CLI_SERVE)},
    [OPTION_LOG_FORMAT] = {"log-format", 1, FOR(CLI_SERVE)},
    [OPTION_LOG_LEVEL] = {"log-level", 1, FOR(CLI_SERVE)},
    [OPTION_MAX_CONNECTIONS] = {"max-connections", 1, FOR(CLI_SERVE)},
    [OPTION_MAX_HANDSHAKES] = {"max-handshakes", 1, FOR(CLI_SERVE)},
    [OPTION_MAX_SESSIONS] = {"max-sessions", 1, FOR(CLI_SERVE)},
    [OPTION_MIRROR] = {"mirror", 1, FOR(CLI_SERVE)},
    [OPTION_NOW] = {"now", 0, FOR(CLI_STOP)},
    [OPTION_ON_EVENT] = {"on-event", 1, FOR(CLI_SERVE)},
    [OPTION_ON_PUBLISH] = {"on-publish", 1, FOR(CLI_SERVE)},
    [OPTION_ORIGIN] = {"origin", 1, FOR(CLI_SERVE)},
    [OPTION_PATH] = {"path", 1, FOR(CLI_SERVE)},
    [OPTION_PORT] = {"port", 1, FOR(CLI_SERVE)},
    [OPTION_PROFILE] = {"profile", 1, FOR(CLI_SERVE) | FOR(CLI_SIMULATE)},
    [OPTION_RESTORE] = {"restore", 1, FOR(CLI_IDENTITY)},
    [OPTION_RETRY] = {"retry", 1, FOR(CLI_SERVE)},
    [OPTION_RETRY_ABOVE] = {"retry-above", 1, FOR(CLI_SERVE)},
    [OPTION_STATE] = {"state", 1, FOR(CLI_SERVE)},
    [OPTION_SVG] = {"svg", 1, FOR(CLI_SIMULATE)},
    [OPTION_YEARS] = {"years", 1, FOR(CLI_SIMULATE)},
    [OPTION_YES] = {"yes", 0, FOR(CLI_RESET)},
};

/* What parsing goes by and to. */
typedef struct parser {
  cli_options *o;
  char *error;
  size_t errorlen;
} parser;

const char *cli_command_name(cli_command command) {
  return command_names[command];
}

/* Says why not, and returns -1. */
__attribute__((format(printf, 2, 3))) static int
refuse(const parser *p, const char *format, ...) {
  va_list args;

  va_start(args, format);
  vsnprintf(p->error, p->errorlen, format, args);
  va_end(args);
  return -1;
}

static int find_command(const char *name) {
  int i;

  for (i = 0; i < CLI_COMMAND_COUNT; ++i) {
    if (strcmp(command_names[i], name) == 0) {
      return i;
    }
  }
  return -1;
}

static int find_option(const char *name, size_t len) {
  int i;

  for (i = 0; i < OPTION_COUNT; ++i) {
    if (strlen(options[i].name) == len &&
        memcmp(options[i].name, name, len) == 0) {
      return i;
    }
  }
  return -1;
}

/* A whole number from 0 to |max|; -1 if it is none. */
static long number(const char *value, long max) {
  char *end;
  long n;

  errno = 0;
  n = strtol(value, &end, 10);
  return value[0] < '0' || value[0] > '9' || *end || errno || n > max ? -1 : n;
}

static int set_profile(const parser *p, const char *value) {
  const char *reason;

  return cm_profile_parse(&p->o->profile, value, &reason) == 0
             ? 0
             : refuse(p, "--profile %.80s: %s", value, reason);
}

static int set_limit(const parser *p, host_limit_id id, const char *value) {
  const host_limit *limit = &host_limits[id];
  long n = number(value, limit->max);

  if (n < limit->min) {
    return refuse(p, "--%s takes a number%s from %ld to %ld", limit->option,
                  limit->unit, limit->min, limit->max);
  }
  p->o->limits[id] = n;
  return 0;
}

static int add_origin(const parser *p, const char *value) {
  cli_options *o = p->o;

  if (!host_is_origin(value)) {
    return refuse(p, "--origin takes what browsers send, such as "
                     "https://example.org or http://localhost:8080: in lower "
                     "case, without a path, and without the port that is the "
                     "scheme's own");
  }
  if (o->norigins == HOST_ORIGINS_MAX) {
    return refuse(p, "--origin was given more than %d times", HOST_ORIGINS_MAX);
  }
  o->origins[o->norigins++] = value;
  return 0;
}

static int add_app(const parser *p, const char *value) {
  unsigned bit = appliance_app_bit(value);

  if (bit == 0) {
    return refuse(p, "--app takes echo, room or measure");
  }
  p->o->apps |= bit;
  return 0;
}

static int add_listen(const parser *p, const char *value) {
  cli_options *o = p->o;

  if (o->nlistens == UDP_ADDRESSES_MAX) {
    return refuse(p, "--listen was given more than %d times",
                  UDP_ADDRESSES_MAX);
  }
  if (host_listen_parse(&o->listens[o->nlistens], value) != 0) {
    return refuse(p,
                  "--listen %.60s: give a literal address, and a port if you "
                  "like, such as 127.0.0.1, ::, 192.0.2.1:443 or "
                  "[2001:db8::1]:443",
                  value);
  }
  ++o->nlistens;
  return 0;
}

/* Where --listen left something open. */
static int complete_listens(const parser *p) {
  cli_options *o = p->o;
  size_t i, k;

  if (o->nlistens == 0 && add_listen(p, HOST_DEFAULT_ADDRESS) != 0) {
    return -1;
  }
  for (i = 0; i < o->nlistens; ++i) {
    host_listen *listen = &o->listens[i];

    if (!listen->has_port) {
      listen->port = o->port;
    }
    for (k = 0; k < i; ++k) {
      if (host_listen_overlaps(&o->listens[k], listen)) {
        return refuse(p,
                      "--listen %s and --listen %s are the same for port "
                      "%u: give one of them",
                      o->listens[k].address, listen->address,
                      (unsigned)listen->port);
      }
    }
  }
  return 0;
}

static int set_log_format(const parser *p, const char *value) {
  p->o->log.json = strcmp(value, "json") == 0;
  return p->o->log.json || strcmp(value, "text") == 0
             ? 0
             : refuse(p, "--log-format takes text or json");
}

static int set_option(const parser *p, option_id id, const char *value) {
  cli_options *o = p->o;
  long n;

  switch (id) {
  case OPTION_APP:
    return add_app(p, value);
  case OPTION_BACKUP:
    o->backup = 1;
    break;
  case OPTION_CONTROL:
    o->control = value;
    break;
  case OPTION_DRAIN:
    return set_limit(p, HOST_LIMIT_DRAIN, value);
  case OPTION_EPHEMERAL:
    o->ephemeral = 1;
    break;
  case OPTION_FORCE:
    o->force = 1;
    break;
  case OPTION_FORM:
    o->form = value;
    break;
  case OPTION_HELP:
    o->help = 1;
    break;
  case OPTION_HOST:
    if (o->nhosts == CLI_HOSTS_MAX) {
      return refuse(p, "--host was given more than %d times", CLI_HOSTS_MAX);
    }
    o->hosts[o->nhosts++] = value;
    break;
  case OPTION_HTTP:
    o->http = value;
    break;
  case OPTION_ID:
    if (!cli_is_thumbprint(value)) {
      return refuse(p, "--id takes an identity's thumbprint: the 43 "
                       "characters behind \"&id=\" in a link");
    }
    o->id = value;
    break;
  case OPTION_IDLE:
    return set_limit(p, HOST_LIMIT_IDLE, value);
  case OPTION_JSON:
    o->json = 1;
    break;
  case OPTION_KEY_LOG:
    o->key_log = value;
    break;
  case OPTION_LINK:
    o->link = value;
    break;
  case OPTION_LISTEN:
    return add_listen(p, value);
  case OPTION_LOG_FORMAT:
    return set_log_format(p, value);
  case OPTION_LOG_LEVEL:
    return cli_log_level_parse(&o->log.level, value) == 0
               ? 0
               : refuse(p, "--log-level takes error, warning, info or debug");
  case OPTION_MAX_CONNECTIONS:
    return set_limit(p, HOST_LIMIT_CONNECTIONS, value);
  case OPTION_MAX_HANDSHAKES:
    return set_limit(p, HOST_LIMIT_HANDSHAKES, value);
  case OPTION_MAX_SESSIONS:
    return set_limit(p, HOST_LIMIT_SESSIONS, value);
  case OPTION_MIRROR:
    if (cm_mirror_check(value) != 0) {
      return refuse(p, "--mirror takes an https URL without a \"#\", such as "
                       "https://example.org/hashes.json");
    }
    o->mirror = value;
    break;
  case OPTION_NOW:
    o->now = 1;
    break;
  case OPTION_ON_EVENT:
    o->on_event = value;
    break;
  case OPTION_ON_PUBLISH:
    o->on_publish = value;
    break;
  case OPTION_ORIGIN:
    return add_origin(p, value);
  case OPTION_PATH:
    o->path = value;
    break;
  case OPTION_PORT:
    n = number(value, 65535);
    if (n < 0) {
      return refuse(p, "--port takes a number from 0 to 65535");
    }
    o->port = (uint16_t)n;
    break;
  case OPTION_PROFILE:
    return set_profile(p, value);
  case OPTION_RESTORE:
    o->restore = value;
    break;
  case OPTION_RETRY:
    return host_retry(&o->retry, value) == 0
               ? 0
               : refuse(p, "--retry takes always, busy or never");
  case OPTION_RETRY_ABOVE:
    return set_limit(p, HOST_LIMIT_RETRY_ABOVE, value);
  case OPTION_STATE:
    o->state = value;
    break;
  case OPTION_SVG:
    o->svg = value;
    break;
  case OPTION_YEARS:
    n = number(value, CM_TIMELINE_YEARS_MAX);
    if (n < 1) {
      return refuse(p, "--years takes a number from 1 to %d",
                    CM_TIMELINE_YEARS_MAX);
    }
    o->years = (int)n;
    break;
  case OPTION_YES:
    o->yes = 1;
    break;
  }
  return 0;
}

/* Takes |argv[*i]|, which begins with "--", and its value. */
static int take_option(const parser *p, int argc, char *const *argv, int *i) {
  const char *command = command_names[p->o->command];
  const char *name = argv[*i] + 2;
  size_t len = strcspn(name, "=");
  const char *value = name[len] == '=' ? name + len + 1 : NULL;
  int id = find_option(name, len);

  if (id < 0 || !(options[id].commands & FOR(p->o->command))) {
    return refuse(p, "%s has no option --%.*s; see \"fortnight %s --help\"",
                  command, (int)(len < 40 ? len : 40), name, command);
  }
  if (!options[id].takes_value) {
    return value ? refuse(p, "--%s takes no value", options[id].name)
                 : set_option(p, (option_id)id, NULL);
  }
  if (!value) {
    if (*i + 1 >= argc) {
      return refuse(p, "a value is missing after --%s", options[id].name);
    }
    value = argv[++*i];
  }
  if (!*value) {
    return refuse(p, "the value of --%s is empty", options[id].name);
  }
  return set_option(p, (option_id)id, value);
}

/* "help COMMAND", "verify FILE". */
static int take_word(const parser *p, const char *word) {
  cli_options *o = p->o;

  if (o->command == CLI_HELP && !o->help) {
    int command = find_command(word);

    if (command < 0) {
      return refuse(p, "there is no command \"%.40s\"; see \"fortnight help\"",
                    word);
    }
    o->command = (cli_command)command;
    o->help = 1;
    return 0;
  }
  if (o->command == CLI_VERIFY && !o->file) {
    o->file = word;
    return 0;
  }
  return refuse(p,
                "there is no place for \"%.40s\"; see \"fortnight %s "
                "--help\"",
                word, command_names[o->command]);
}

/* What does not go together, or lacks something. */
static int check(const parser *p) {
  const cli_options *o = p->o;

  switch (o->command) {
  case CLI_SERVE:
    if (o->ephemeral && o->state) {
      return refuse(p, "--ephemeral keeps nothing, and --state says where: "
                       "give one of them");
    }
    if (o->limits[HOST_LIMIT_RETRY_ABOVE] >= 0 &&
        o->retry != QUIC_RETRY_WHEN_BUSY) {
      return refuse(p, "--retry-above says when it is busy: it goes with "
                       "--retry busy");
    }
    return complete_listens(p);
  case CLI_RESET:
    if (!o->yes) {
      return refuse(p, "reset revokes all certificates and closes all "
                       "sessions, and every client needs a new link: if that "
                       "is meant, \"fortnight reset --yes\"");
    }
    return 0;
  case CLI_IDENTITY:
    if (o->backup && o->restore) {
      return refuse(p, "--backup and --restore do not go together");
    }
    return 0;
  case CLI_VERIFY:
    if (!o->file || !!o->id == !!o->link) {
      return refuse(p, "verify takes a file (\"-\": standard input), and by "
                       "whom it is to be signed: --id or --link");
    }
    return 0;
  case CLI_SIMULATE:
    if (o->json && o->svg) {
      return refuse(p, "--json and --svg do not go together");
    }
    return 0;
  default:
    return 0;
  }
}

int cli_parse(cli_options *o, int argc, char *const *argv, char *error,
              size_t errorlen) {
  const parser p = {o, error, errorlen};
  int options_end = 0;
  int command, i;
  size_t n;

  memset(o, 0, sizeof(*o));
  o->port = HOST_DEFAULT_PORT;
  o->profile = cm_profile_hot_standby;
  o->years = YEARS_DEFAULT;
  o->log.level = CLI_LOG_INFO;
  for (n = 0; n < HOST_LIMIT_COUNT; ++n) {
    o->limits[n] = -1;
  }
  o->limits[HOST_LIMIT_DRAIN] = CLI_DRAIN_DEFAULT;
  if (argc < 2) {
    return refuse(&p, "a command is missing; see \"fortnight help\"");
  }
  command = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0
                ? CLI_HELP
                : find_command(argv[1]);
  if (command < 0) {
    return refuse(&p, "there is no command \"%.40s\"; see \"fortnight help\"",
                  argv[1]);
  }
  o->command = (cli_command)command;
  for (i = 2; i < argc; ++i) {
    int rv = 0;

    if (!options_end && strcmp(argv[i], "--") == 0) {
      options_end = 1;
    } else if (!options_end && strncmp(argv[i], "--", 2) == 0) {
      rv = take_option(&p, argc, argv, &i);
    } else if (!options_end && strcmp(argv[i], "-h") == 0) {
      o->help = 1;
    } else {
      rv = take_word(&p, argv[i]);
    }
    if (rv != 0) {
      return rv;
    }
  }
  return o->help ? 0 : check(&p);
}
