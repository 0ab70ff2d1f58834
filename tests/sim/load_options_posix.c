/* SPDX-License-Identifier: Apache-2.0 */
/* getopt_long(3), memrchr(3) */
#define _GNU_SOURCE

#include "tests/sim/load_options_posix.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

static _Noreturn void usage(const char *problem) {
  if (problem != NULL) {
    fprintf(stderr, "load: %s\n", problem);
  }
  fputs(
      "usage: load URL --hash HEX [OPTION...]\n"
      "  --hash HEX        SHA-256 of the certificate; up to four times\n"
      "  --path PATH       instead of the URL's: /echo, /sink, /source ...\n"
      "  --mode MODE       handshakes, and sessions: as many as there can be\n"
      "                    idle: sessions that do nothing\n"
      "                    streams, and datagrams: echoed\n"
      "                    upload, download: streams, one way\n"
      "                    raw: plain UDP echoed, no QUIC\n"
      "  --connections N   at a time (1)\n"
      "  --streams N       of each connection at a time (1)\n"
      "  --size B          octets of a datagram (1000), or of a stream\n"
      "                    (0: it does not end)\n"
      "  --in-flight N     octets of a stream, or datagrams of a connection,\n"
      "                    at a time (1048576, 32)\n"
      "  --rate R          datagrams a second in all (0: closed loop)\n"
      "  --gather US       microseconds in which what comes gathers (0)\n"
      "  --duration S      seconds (5)\n"
      "  --connect S       seconds to wait for the connections (10)\n"
      "  --alpn NAME       h3 (WebTransport) or echo (raw QUIC)\n",
      stderr);
  exit(2);
}

static void parse_url(sim_load_options *opts, const char *url) {
  const char *rest = strstr(url, "://"), *slash, *colon, *end;

  if (rest == NULL) {
    usage("the URL has no scheme");
  }
  rest += 3;
  slash = strchr(rest, '/');
  end = slash == NULL ? rest + strlen(rest) : slash;
  colon = memrchr(rest, ':', (size_t)(end - rest));
  if (colon == NULL || colon == rest || end - colon > 6 ||
      end - rest >= (long)sizeof(opts->host)) {
    usage("the URL has no host or port");
  }
  snprintf(opts->authority, sizeof(opts->authority), "%.*s", (int)(end - rest),
           rest);
  snprintf(opts->port, sizeof(opts->port), "%.*s", (int)(end - colon - 1),
           colon + 1);
  snprintf(opts->path, sizeof(opts->path), "%s", slash == NULL ? "/" : slash);
  if (*rest == '[' && colon[-1] == ']') {
    ++rest;
    --colon;
  }
  snprintf(opts->host, sizeof(opts->host), "%.*s", (int)(colon - rest), rest);
}

static void parse_hash(sim_load_options *opts, const char *hex) {
  unsigned int octet;
  size_t i;

  if (opts->nhashes == 4 || strlen(hex) != 64) {
    usage("a hash has 64 hexadecimal digits, and there are four at most");
  }
  for (i = 0; i < 32; ++i) {
    if (sscanf(hex + 2 * i, "%2x", &octet) != 1) {
      usage("a hash has 64 hexadecimal digits");
    }
    opts->hashes[opts->nhashes][i] = (uint8_t)octet;
  }
  ++opts->nhashes;
}

static double number(const char *text, double min, double max) {
  char *end;
  double value = strtod(text, &end);

  if (end == text || *end != '\0' || !(value >= min && value <= max)) {
    usage("a number is out of range");
  }
  return value;
}

static void parse_mode(sim_load_options *opts, sim_load_config *config) {
  static const struct {
    const char *name;
    sim_load_mode mode;
  } modes[] = {{"handshakes", SIM_LOAD_HANDSHAKES},
               {"sessions", SIM_LOAD_SESSIONS},
               {"idle", SIM_LOAD_IDLE},
               {"streams", SIM_LOAD_STREAM},
               {"upload", SIM_LOAD_UPLOAD},
               {"download", SIM_LOAD_DOWNLOAD},
               {"datagrams", SIM_LOAD_DATAGRAMS},
               {"raw", SIM_LOAD_DATAGRAMS}};
  size_t i;

  for (i = 0; strcmp(opts->mode, modes[i].name) != 0; ++i) {
    if (i + 1 == sizeof(modes) / sizeof(modes[0])) {
      usage("unknown mode");
    }
  }
  config->mode = modes[i].mode;
  opts->raw = strcmp(opts->mode, "raw") == 0;
}

void sim_load_options_parse(sim_load_options *opts, sim_load_config *config,
                            int argc, char **argv) {
  static const struct option long_options[] = {
      {"hash", required_argument, NULL, 'h'},
      {"path", required_argument, NULL, 'p'},
      {"mode", required_argument, NULL, 'm'},
      {"alpn", required_argument, NULL, 'a'},
      {"connections", required_argument, NULL, 'c'},
      {"streams", required_argument, NULL, 's'},
      {"size", required_argument, NULL, 'b'},
      {"in-flight", required_argument, NULL, 'w'},
      {"rate", required_argument, NULL, 'r'},
      {"gather", required_argument, NULL, 'g'},
      {"duration", required_argument, NULL, 'd'},
      {"connect", required_argument, NULL, 'C'},
      {"help", no_argument, NULL, '?'},
      {NULL, 0, NULL, 0}};
  const char *path = NULL;
  double size = -1, window = 0;
  int c;

  memset(opts, 0, sizeof(*opts));
  opts->mode = "handshakes";
  opts->alpn = "h3";
  opts->connections = 1;
  opts->duration = 5;
  opts->connect = 10;
  config->streams = 1;
  while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
    switch (c) {
    case 'h':
      parse_hash(opts, optarg);
      break;
    case 'p':
      path = optarg;
      break;
    case 'm':
      opts->mode = optarg;
      break;
    case 'a':
      opts->alpn = optarg;
      break;
    case 'c':
      opts->connections = (size_t)number(optarg, 1, 4000);
      break;
    case 's':
      config->streams = (size_t)number(optarg, 1, 1000);
      break;
    case 'b':
      size = number(optarg, 0, 1e12);
      break;
    case 'w':
      window = number(optarg, 1, 1e9);
      break;
    case 'r':
      opts->rate = number(optarg, 0, 1e8);
      break;
    case 'g':
      opts->gather = (uint64_t)(number(optarg, 0, 1e6) * 1e3);
      break;
    case 'd':
      opts->duration = number(optarg, 0.01, 3600);
      break;
    case 'C':
      opts->connect = number(optarg, 0.01, 3600);
      break;
    default:
      usage(NULL);
    }
  }
  if (optind != argc - 1) {
    usage("give one URL");
  }
  parse_url(opts, argv[optind]);
  if (path != NULL) {
    snprintf(opts->path, sizeof(opts->path), "%s", path);
  }
  parse_mode(opts, config);
  config->size = size >= 0                            ? (size_t)size
                 : config->mode == SIM_LOAD_DATAGRAMS ? 1000
                                                      : 0;
  if (config->mode == SIM_LOAD_DATAGRAMS &&
      (config->size < 16 || config->size > 1472)) {
    usage("a datagram has 16 to 1472 octets");
  }
  config->window = window > 0                           ? (size_t)window
                   : config->mode == SIM_LOAD_DATAGRAMS ? 32
                                                        : 1048576;
  config->raw = strcmp(opts->alpn, "h3") != 0;
  config->request.authority = opts->authority;
  config->request.path = opts->path;
  config->patience = SECOND;
  if (opts->rate > 0) {
    config->interval = (uint64_t)(1e9 * (double)opts->connections / opts->rate);
  }
}
