/* SPDX-License-Identifier: Apache-2.0 */
/* The native program: command line, clocks, poll(2), signals, log. */
/* accept4, ppoll */
#define _GNU_SOURCE
#include "server/control_posix.h"
#include "server/host.h"
#include "server/udp_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HOSTS_MAX 32
#define PATH_LEN_MAX 512

static const char usage[] =
    "usage: fortnight COMMAND [OPTION...]\n"
    "\n"
    "A WebTransport server whose certificates never outlive a fortnight.\n"
    "\n"
    "  serve     serves until Ctrl-C or SIGTERM; prints one line \"ready "
    "{...}\"\n"
    "    --listen ADDRESS  the address to bind (default 127.0.0.1; :: is all)\n"
    "    --port N          the UDP port (default 4433; 0: any free one)\n"
    "    --host NAME       a DNS name or address for the certificate; may be\n"
    "                      repeated, and the first is the link's\n"
    "    --control PATH    the control socket (default: PORT.sock in a folder\n"
    "                      fortnight-UID below XDG_RUNTIME_DIR, or /tmp)\n"
    "    --key-log FILE    appends TLS secrets for Wireshark: whoever has the\n"
    "                      file can read all traffic\n"
    "\n"
    "to a running server:\n"
    "  rotate    swaps in the standby certificate now, prints the new hashes\n"
    "  status    prints what it does, as JSON\n"
    "  hashes    prints the link and the hashes, as JSON\n"
    "  stop      ends it\n"
    "    --control PATH    which one, if several run\n"
    "\n"
    "  help      this text\n"
    "\n"
    "exit codes: 0 stopped as asked, 1 internal, 2 refused option,\n"
    "            3 port busy, 4 permission denied, 5 address not available,\n"
    "            6 control socket refused\n";

typedef struct options {
  const char *address;
  const char *port;
  const char *hosts[HOSTS_MAX];
  size_t nhosts;
  const char *control;
  const char *key_log;
} options;

typedef struct host {
  appliance *appliance;
  udp_socket *socket;
  control *control;
  int signals;
  FILE *key_log;
} host;

/* ---- Log ---- */

static const char *text_of(const cJSON *event, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, name);

  return cJSON_IsString(item) ? item->valuestring : "";
}

static double number_of(const cJSON *event, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, name);

  return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* What a peer wrote may hold anything: a terminal must not obey it. */
static void print_safely(const char *text) {
  const unsigned char *p = (const unsigned char *)text;

  for (; *p; ++p) {
    fputc(*p < 0x20 || *p == 0x7f ? '?' : *p, stderr);
  }
}

static void on_event(void *user, cJSON *event) {
  const char *type = text_of(event, "type");
  char stamp[32];
  struct tm tm;
  time_t t = time(NULL);
  (void)user;

  gmtime_r(&t, &tm);
  strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
  fprintf(stderr, "%s ", stamp);
  if (strcmp(type, "session-opened") == 0) {
    fprintf(stderr, "session %.0f opened by %s on ",
            number_of(event, "session"), text_of(event, "peer"));
    print_safely(text_of(event, "path"));
    if (text_of(event, "origin")[0]) {
      fprintf(stderr, " from ");
      print_safely(text_of(event, "origin"));
    }
  } else if (strcmp(type, "session-closed") == 0) {
    fprintf(stderr, "session %.0f closed by the %s: code %.0f",
            number_of(event, "session"), text_of(event, "by"),
            number_of(event, "code"));
    if (text_of(event, "reason")[0]) {
      fprintf(stderr, ", \"");
      print_safely(text_of(event, "reason"));
      fputc('"', stderr);
    }
  } else if (strcmp(type, "certificates") == 0) {
    const cJSON *hashes = cJSON_GetObjectItemCaseSensitive(event, "hashes");

    fprintf(stderr, "certificate swapped: now serving %s",
            text_of(cJSON_GetArrayItem(hashes, 0), "hex"));
  } else {
    fprintf(stderr, "%s: %s", text_of(event, "level"), text_of(event, "text"));
  }
  fputc('\n', stderr);
}

static void on_keylog(void *user, const char *line) {
  FILE *file = user;

  fprintf(file, "%s\n", line);
  fflush(file);
}

/* ---- Serve ---- */

static int fail(int error, const char *address, unsigned port) {
  char text[256];

  host_explain(text, sizeof(text), error, address, port);
  fprintf(stderr, "fortnight: %s\n", text);
  return (int)host_exit_code(error);
}

static char *answer(void *user, const char *line) {
  host *h = user;
  cJSON *command = cJSON_Parse(line);
  cJSON *reply;
  appliance_time t;
  char *text, *longer;

  host_now(&t);
  reply = appliance_command(h->appliance, command, &t);
  text = cJSON_PrintUnformatted(reply);
  cJSON_Delete(reply);
  cJSON_Delete(command);
  /* control_posix.c puts a newline in the place of the NUL and no NUL behind
     it; nothing else needs room. */
  longer = text ? realloc(text, strlen(text) + 2) : NULL;
  if (!longer) {
    free(text);
  }
  return longer;
}

static struct timespec until(uint64_t deadline, const appliance_time *t) {
  uint64_t left = deadline > t->mono ? deadline - t->mono : 0;
  struct timespec ts;

  ts.tv_sec = (time_t)(left / NGTCP2_SECONDS);
  ts.tv_nsec = (long)(left % NGTCP2_SECONDS);
  return ts;
}

static int loop(host *h) {
  struct pollfd fds[2 + CONTROL_POLLFDS_MAX];
  appliance_time t;

  for (;;) {
    size_t n;
    struct timespec timeout;
    int rv = host_turn(h->appliance, h->socket, &t);

    if (rv < 0) {
      return rv;
    }
    if (appliance_is_stopping(h->appliance)) {
      return 0;
    }
    fds[0].fd = udp_posix_fd(h->socket);
    fds[0].events = POLLIN;
    if (udp_send_pending(h->socket)) {
      fds[0].events |= POLLOUT;
    }
    fds[1].fd = h->signals;
    fds[1].events = POLLIN;
    n = control_pollfds(h->control, fds + 2);
    timeout = until(rv == 1 ? 0 : appliance_deadline(h->appliance), &t);
    if (ppoll(fds, 2 + n, &timeout, NULL) < 0 && errno != EINTR) {
      return UDP_ERR_IO;
    }
    if (fds[1].revents) {
      host_now(&t);
      appliance_shutdown(h->appliance, &t);
    }
    control_serve(h->control, fds + 2, n, answer, h);
  }
}

static int announce(const host *h, const char *control_path) {
  cJSON *ready = appliance_describe(h->appliance);
  char *text;

  cJSON_AddNumberToObject(ready, "pid", (double)getpid());
  cJSON_AddStringToObject(ready, "control", control_path);
  text = cJSON_PrintUnformatted(ready);
  cJSON_Delete(ready);
  if (!text) {
    return UDP_ERR_NOMEM;
  }
  printf("ready %s\n", text);
  fflush(stdout);
  cJSON_free(text);
  return 0;
}

static int open_control(host *h, const char *path) {
  int rv = control_open(&h->control, path);

  switch (rv) {
  case 0:
    return 0;
  case CONTROL_ERR_IN_USE:
    fprintf(stderr,
            "fortnight: another server answers at %s: stop it, or choose "
            "another path with --control\n",
            path);
    break;
  default:
    fprintf(stderr,
            "fortnight: cannot make the control socket %s (%s): choose "
            "another path with --control\n",
            path, strerror(errno));
    break;
  }
  return HOST_EXIT_CONTROL;
}

static int open_signals(host *h) {
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
    return -1;
  }
  h->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return h->signals < 0 ? -1 : 0;
}

static int open_key_log(host *h, const char *path) {
  int fd;

  if (!path) {
    return 0;
  }
  fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  h->key_log = fd >= 0 ? fdopen(fd, "a") : NULL;
  if (!h->key_log) {
    fprintf(stderr, "fortnight: cannot write the key log %s: %s\n", path,
            strerror(errno));
    if (fd >= 0) {
      close(fd);
    }
    return HOST_EXIT_OPTION;
  }
  return 0;
}

static int serve(const options *o) {
  const char *defaults[HOST_NAMES_MAX];
  char control_path[PATH_LEN_MAX];
  appliance_config config;
  appliance_time t;
  udp_options udp;
  unsigned long port;
  char *end;
  host h;
  int rv;

  memset(&h, 0, sizeof(h));
  errno = 0;
  port = strtoul(o->port, &end, 10);
  if (errno || *end || end == o->port || o->port[0] == '-' || port > 65535) {
    fprintf(stderr, "fortnight: --port takes a number from 0 to 65535\n");
    return HOST_EXIT_OPTION;
  }
  rv = open_key_log(&h, o->key_log);
  if (rv != 0) {
    return rv;
  }
  udp.address = o->address;
  udp.port = (uint16_t)port;
  rv = udp_open(&h.socket, &udp);
  if (rv != 0) {
    rv = fail(rv, o->address, (unsigned)port);
    goto fail_key_log;
  }
  appliance_config_default(&config);
  config.port = host_port(udp_local_address(h.socket));
  config.hosts = o->nhosts ? o->hosts : defaults;
  config.nhosts =
      o->nhosts ? o->nhosts : host_default_names(defaults, o->address);
  config.on_event = on_event;
  config.user = &h;
  if (h.key_log) {
    config.keylog = on_keylog;
    config.keylog_user = h.key_log;
  }
  rv = HOST_EXIT_CONTROL;
  if (!o->control && control_default_path(control_path, sizeof(control_path),
                                          config.port) != 0) {
    fprintf(stderr, "fortnight: XDG_RUNTIME_DIR is too long: choose the "
                    "control socket with --control\n");
    goto fail_socket;
  }
  if (o->control) {
    snprintf(control_path, sizeof(control_path), "%s", o->control);
  }
  rv = open_control(&h, control_path);
  if (rv != 0) {
    goto fail_socket;
  }
  rv = HOST_EXIT_INTERNAL;
  if (open_signals(&h) != 0) {
    fprintf(stderr, "fortnight: no signalfd: %s\n", strerror(errno));
    goto fail_control;
  }
  host_now(&t);
  rv = appliance_new(&h.appliance, &config, &t);
  if (rv == 0) {
    rv = announce(&h, control_path);
  }
  if (rv == 0) {
    rv = loop(&h);
  }
  if (rv != 0) {
    rv = fail(rv, o->address, config.port);
  }
  appliance_free(h.appliance);
  close(h.signals);
fail_control:
  control_close(h.control);
fail_socket:
  udp_close(h.socket);
fail_key_log:
  if (h.key_log) {
    fclose(h.key_log);
  }
  return rv;
}

/* ---- To a running server ---- */

static int request(const char *command, const char *path) {
  char found[PATH_LEN_MAX];
  char line[64];
  cJSON *reply;
  char *text;
  int rv = 0;

  if (!path) {
    rv = control_find(found, sizeof(found));
    path = found;
  }
  if (rv == CONTROL_ERR_IN_USE) {
    fprintf(stderr, "fortnight: several servers run: say which with "
                    "--control PATH (it is in their ready line)\n");
    return HOST_EXIT_CONTROL;
  }
  if (rv != 0) {
    fprintf(stderr, "fortnight: no server runs; start one with "
                    "\"fortnight serve\"\n");
    return HOST_EXIT_CONTROL;
  }
  snprintf(line, sizeof(line), "{\"command\":\"%s\"}", command);
  rv = control_request(&text, path, line);
  if (rv != 0) {
    fprintf(stderr, "fortnight: %s at %s\n",
            rv == CONTROL_ERR_REPLY ? "no answer came from the server"
                                    : "no server answers",
            path);
    return HOST_EXIT_CONTROL;
  }
  printf("%s\n", text);
  reply = cJSON_Parse(text);
  rv = reply && !cJSON_HasObjectItem(reply, "error") ? HOST_EXIT_OK
                                                     : HOST_EXIT_INTERNAL;
  cJSON_Delete(reply);
  free(text);
  return rv;
}

static int refuse(const char *what) {
  fprintf(stderr, "fortnight: %s; try \"fortnight help\"\n", what);
  return HOST_EXIT_OPTION;
}

int main(int argc, char **argv) {
  static const struct option names[] = {
      {"listen", required_argument, NULL, 'l'},
      {"port", required_argument, NULL, 'p'},
      {"host", required_argument, NULL, 'h'},
      {"control", required_argument, NULL, 'c'},
      {"key-log", required_argument, NULL, 'k'},
      {"help", no_argument, NULL, '?' + 256},
      {NULL, 0, NULL, 0}};
  static const char *const commands[] = {"rotate", "status", "hashes", "stop"};
  options o = {.address = HOST_DEFAULT_ADDRESS, .port = "4433"};
  const char *command = argc > 1 ? argv[1] : "";
  char text[128];
  size_t i;
  int c;

  if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0) {
    fputs(usage, stdout);
    return HOST_EXIT_OK;
  }
  if (argc < 2) {
    fputs(usage, stderr);
    return HOST_EXIT_OPTION;
  }
  opterr = 0;
  optind = 2;
  while ((c = getopt_long(argc, argv, "+:", names, NULL)) != -1) {
    switch (c) {
    case 'l':
      o.address = optarg;
      break;
    case 'p':
      o.port = optarg;
      break;
    case 'h':
      if (o.nhosts == HOSTS_MAX) {
        return refuse("--host was given too often");
      }
      o.hosts[o.nhosts++] = optarg;
      break;
    case 'c':
      o.control = optarg;
      break;
    case 'k':
      o.key_log = optarg;
      break;
    case '?' + 256:
      fputs(usage, stdout);
      return HOST_EXIT_OK;
    default:
      snprintf(text, sizeof(text), "%s %.60s",
               c == ':' ? "a value is missing after" : "there is no option",
               argv[optind - 1]);
      return refuse(text);
    }
  }
  if (optind < argc) {
    snprintf(text, sizeof(text), "there is no place for \"%.60s\"",
             argv[optind]);
    return refuse(text);
  }
  if (strcmp(command, "serve") == 0) {
    return serve(&o);
  }
  for (i = 0; i < sizeof(commands) / sizeof(commands[0]); ++i) {
    if (strcmp(command, commands[i]) == 0) {
      return request(command, o.control);
    }
  }
  snprintf(text, sizeof(text), "there is no command \"%.60s\"", command);
  return refuse(text);
}
