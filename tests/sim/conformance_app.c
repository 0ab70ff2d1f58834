/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/conformance_app.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const protocols[] = {"chat.v1", "chat.v2", NULL};

static void note(probe *p, const char *what, const char *rest) {
  int n = snprintf(p->log + p->len, sizeof(p->log) - p->len, "%s%s%s\n", what,
                   *rest ? " " : "", rest);

  if (n > 0 && (size_t)n < sizeof(p->log) - p->len) {
    p->len += (size_t)n;
  }
}

static void note_number(probe *p, const char *what, uint64_t n) {
  char text[24];

  snprintf(text, sizeof(text), "%" PRIu64, n);
  note(p, what, text);
}

int probe_heard(const probe *p, const char *line) {
  size_t len = strlen(line);
  const char *at = p->log;

  for (; *at; at = strchr(at, '\n') + 1) {
    if (strncmp(at, line, len) == 0 && at[len] == '\n') {
      return 1;
    }
  }
  return 0;
}

static int on_session(void *user, wt_session *session) {
  note(user, "session", wt_session_protocol(session));
  return 0;
}

static void on_session_closed(void *user, wt_session *session) {
  (void)session;
  note(user, "closed", "");
}

static int obey(wt_stream *stream, const uint8_t *data, size_t len) {
  uint32_t code = 0;
  wt_stream *out;
  size_t i;
  int rv;

  for (i = 1; i < len && i < 5; ++i) {
    code = code << 8 | data[i];
  }
  switch (data[0]) {
  case 'r':
    wt_stream_reset(stream, code);
    return 0;
  case 's':
    wt_stream_stop_sending(stream, code);
    return 0;
  case 'b':
    wt_stream_stop_sending(stream, code);
    wt_stream_reset(stream, code);
    return 0;
  case 'd':
    return wt_session_drain(wt_stream_session(stream));
  case 'u':
    rv = wt_session_open_stream(wt_stream_session(stream), &out, 0);
    return rv == 0 ? wt_stream_write(out, NULL, 0, 1) : rv;
  case 'w':
    return wt_stream_write(stream, (const uint8_t *)"ok", 2, 1);
  default:
    return 0;
  }
}

static int on_stream_data(void *user, wt_stream *stream, const uint8_t *data,
                          size_t len, int fin) {
  char text[32];

  snprintf(text, sizeof(text), "%zu%s", len, fin ? " fin" : "");
  note(user, "data", text);
  wt_stream_consume(stream, len);
  if (len && !wt_stream_user(stream)) {
    wt_stream_set_user(stream, user);
    return obey(stream, data, len);
  }
  return 0;
}

static void on_stream_reset(void *user, wt_stream *stream, uint32_t code) {
  (void)stream;
  note_number(user, "reset", code);
}

static void on_stop_sending(void *user, wt_stream *stream, uint32_t code) {
  (void)stream;
  note_number(user, "stop", code);
}

static void on_stream_closed(void *user, wt_stream *stream) {
  (void)stream;
  note(user, "closed stream", "");
}

static void on_datagram(void *user, wt_session *session, const uint8_t *data,
                        size_t len) {
  (void)session;
  (void)data;
  note_number(user, "datagram", len);
}

static void on_draining(void *user, wt_session *session) {
  (void)session;
  note(user, "draining", "");
}

void probe_init(probe *p) {
  memset(p, 0, sizeof(*p));
  p->app.path = "/probe";
  p->app.user = p;
  p->app.protocols = protocols;
  p->app.on_session = on_session;
  p->app.on_session_closed = on_session_closed;
  p->app.on_stream_data = on_stream_data;
  p->app.on_stream_reset = on_stream_reset;
  p->app.on_stop_sending = on_stop_sending;
  p->app.on_stream_closed = on_stream_closed;
  p->app.on_datagram = on_datagram;
  p->app.on_draining = on_draining;
}
