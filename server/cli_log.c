/* SPDX-License-Identifier: Apache-2.0 */
/* The log, on standard error. */
#include "server/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *text_of(const cJSON *event, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, name);

  return cJSON_IsString(item) ? item->valuestring : "";
}

static double number_of(const cJSON *event, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, name);

  return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void add_opened(text *t, const cJSON *event) {
  text_add(t, "session %.0f opened by ", number_of(event, "session"));
  cli_add_safely(t, text_of(event, "peer"));
  text_add(t, " on ");
  cli_add_safely(t, text_of(event, "path"));
  if (text_of(event, "origin")[0]) {
    text_add(t, " from ");
    cli_add_safely(t, text_of(event, "origin"));
  }
}

static void add_closed(text *t, const cJSON *event) {
  text_add(t, "session %.0f closed by the ", number_of(event, "session"));
  cli_add_safely(t, text_of(event, "by"));
  text_add(t, ": code %.0f", number_of(event, "code"));
  if (text_of(event, "reason")[0]) {
    text_add(t, ", \"");
    cli_add_safely(t, text_of(event, "reason"));
    text_add(t, "\"");
  }
}

static void add_published(text *t, const cJSON *event) {
  const cJSON *hashes = cJSON_GetObjectItemCaseSensitive(event, "hashes");
  const cJSON *hash;

  if (cJSON_GetArraySize(hashes) == 0) {
    text_add(t, "withdrawn: there is no certificate to connect with");
    return;
  }
  text_add(t, "published %.0f:", number_of(event, "seq"));
  cJSON_ArrayForEach(hash, hashes) {
    text_add(t, " %s %.8s…", text_of(hash, "use"), text_of(hash, "hex"));
  }
}

void cli_log_event(FILE *file, const cJSON *event, int64_t wall) {
  const char *type = text_of(event, "type");
  time_t seconds = (time_t)wall;
  char stamp[32] = "";
  text t = {NULL, 0, 0, 0};
  struct tm tm;

  if (strcmp(type, "session-opened") == 0) {
    add_opened(&t, event);
  } else if (strcmp(type, "session-closed") == 0) {
    add_closed(&t, event);
  } else if (strcmp(type, "certificates") == 0) {
    add_published(&t, event);
  } else if (strcmp(type, "log") == 0) {
    text_add(&t, "%s: ", text_of(event, "level"));
    cli_add_safely(&t, text_of(event, "text"));
  }
  /* The others are for programs. */
  if (t.data) {
    if (gmtime_r(&seconds, &tm)) {
      (void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    fprintf(file, "%s %s\n", stamp, t.data);
  }
  text_free(&t);
}

void cli_complain(const char *format, ...) {
  text t = {NULL, 0, 0, 0};
  char line[1024];
  va_list args;

  va_start(args, format);
  vsnprintf(line, sizeof(line), format, args);
  va_end(args);
  cli_add_safely(&t, line);
  fprintf(stderr, "fortnight: %s\n", t.data ? t.data : format);
  text_free(&t);
}
