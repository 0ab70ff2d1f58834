/* SPDX-License-Identifier: Apache-2.0 */
#include "server/script_web.h"

#include <stdlib.h>

/* libappliance_web.js */
extern size_t appliance_web_batch_length(void);
extern void appliance_web_take_batch(uint8_t *dest);
extern int appliance_web_batch_room(void);
extern void appliance_web_emit_batch(const uint8_t *data, size_t len);

int script_web_new(script **pscript, const cJSON *paths) {
  const char *texts[SCRIPT_PATHS_MAX];
  const cJSON *item;
  size_t n = 0;

  *pscript = NULL;
  if (!cJSON_IsArray(paths)) {
    return QUIC_ERR_STATE;
  }
  cJSON_ArrayForEach(item, paths) {
    if (n == SCRIPT_PATHS_MAX || !cJSON_IsString(item)) {
      return QUIC_ERR_STATE;
    }
    texts[n++] = item->valuestring;
  }
  return script_new(pscript, texts, n, NULL);
}

void script_web_take(script *script) {
  size_t len;

  while ((len = appliance_web_batch_length()) != 0) {
    uint8_t *data = malloc(len);

    if (!data) {
      /* It stays where it is, for a turn that has more. */
      return;
    }
    appliance_web_take_batch(data);
    /* What is no record is JavaScript's own mistake, and counted. */
    (void)script_feed(script, data, len);
    free(data);
  }
}

cJSON *script_web_describe(const script *script) {
  const script_counters *c = script_get_counters(script);
  cJSON *object = cJSON_CreateObject();

  cJSON_AddNumberToObject(object, "unread", (double)script_unread(script));
  cJSON_AddNumberToObject(object, "requests_refused",
                          (double)c->requests_refused);
  cJSON_AddNumberToObject(object, "datagrams_dropped",
                          (double)c->datagrams_dropped);
  cJSON_AddNumberToObject(object, "sessions_overrun",
                          (double)c->sessions_overrun);
  cJSON_AddNumberToObject(object, "records_ignored",
                          (double)c->records_ignored);
  return object;
}

void script_web_emit(script *script) {
  const uint8_t *data;
  size_t len = script_finish(script, &data);

  if (len == 0 || !appliance_web_batch_room()) {
    return;
  }
  appliance_web_emit_batch(data, len);
  script_clear(script);
}
