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

static const char *const level_names[CLI_LOG_LEVEL_COUNT] = {
    [CLI_LOG_ERROR] = "error",
    [CLI_LOG_WARNING] = "warning",
    [CLI_LOG_INFO] = "info",
    [CLI_LOG_DEBUG] = "debug",
};

int cli_log_level_parse(cli_log_level *level, const char *name) {
  int i;

  for (i = 0; i < CLI_LOG_LEVEL_COUNT; ++i) {
    if (strcmp(name, level_names[i]) == 0) {
      *level = (cli_log_level)i;
      return 0;
    }
  }
  return -1;
}

/* Adds what a person is to read of |event|, and returns its level. */
static cli_log_level add_event(text *t, const cJSON *event) {
  const char *type = text_of(event, "type");
  cli_log_level level = CLI_LOG_INFO;

  if (strcmp(type, "session-opened") == 0) {
    add_opened(t, event);
  } else if (strcmp(type, "session-closed") == 0) {
    add_closed(t, event);
  } else if (strcmp(type, "certificates") == 0) {
    add_published(t, event);
  } else if (strcmp(type, "log") == 0) {
    (void)cli_log_level_parse(&level, text_of(event, "level"));
    text_add(t, "%s: ", level_names[level]);
    cli_add_safely(t, text_of(event, "text"));
  } else {
    /* The others are for programs. */
    level = CLI_LOG_DEBUG;
  }
  return level;
}

static void add_json(text *t, const cJSON *event) {
  char *line = cJSON_PrintUnformatted(event);

  if (line) {
    cli_add_json_safely(t, line);
    cJSON_free(line);
  }
}

static void write_json(FILE *file, const cJSON *event, cli_log_level level,
                       int64_t wall) {
  cJSON *object = cJSON_Duplicate(event, 1);
  text t = {NULL, 0, 0, 0};

  if (!cJSON_HasObjectItem(object, "time")) {
    cJSON_AddNumberToObject(object, "time", (double)wall);
  }
  if (!cJSON_HasObjectItem(object, "level")) {
    cJSON_AddStringToObject(object, "level", level_names[level]);
  }
  add_json(&t, object);
  if (t.data && !t.failed) {
    fprintf(file, "%s\n", t.data);
  }
  text_free(&t);
  cJSON_Delete(object);
}

void cli_log_event(FILE *file, const cli_log *log, const cJSON *event,
                   int64_t wall) {
  time_t seconds = (time_t)wall;
  char stamp[32] = "";
  text t = {NULL, 0, 0, 0};
  cli_log_level level = add_event(&t, event);
  struct tm tm;

  if (level > log->level || !text_of(event, "type")[0]) {
    text_free(&t);
    return;
  }
  if (log->json) {
    text_free(&t);
    write_json(file, event, level, wall);
    return;
  }
  if (level == CLI_LOG_DEBUG && !t.data) {
    text_add(&t, "debug: ");
    add_json(&t, event);
  }
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
