/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to the appliance, as anybody at the control socket may write them:
   any JSON, one a line. */
#include "server/appliance.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/plain.h"

#include <stdlib.h>
#include <string.h>

#define WALL INT64_C(1795300000)

static appliance *server;
static appliance_time now;

static void begin(void) {
  static const char *const hosts[] = {"localhost"};
  appliance_config config;

  fuzz_seed(1);
  now = (appliance_time){UINT64_C(1000000000), WALL};
  appliance_config_default(&config);
  config.hosts = hosts;
  config.nhosts = 1;
  config.port = 4433;
  config.random = &fuzz_random;
  FUZZ_CHECK(appliance_new(&server, &config, &now) == 0);
}

/* Whether a command with this reply leaves everything as it was. */
static int changes_nothing(const cJSON *command, const cJSON *reply) {
  const char *name = cJSON_GetStringValue(
      cJSON_GetObjectItemCaseSensitive(command, "command"));

  return cJSON_HasObjectItem(reply, "error") ||
         (name && (strcmp(name, "status") == 0 || strcmp(name, "hashes") == 0));
}

/* Returns whether everything is as it was. */
static int carry_out(const char *line, size_t len) {
  cJSON *command = cJSON_ParseWithLength(line, len), *reply;
  char *text;
  int rv;

  if (!command) {
    return 1;
  }
  reply = appliance_command(server, command, &now);
  FUZZ_CHECK(cJSON_IsObject(reply));
  text = cJSON_PrintUnformatted(reply);
  FUZZ_CHECK(text != NULL);
  rv = changes_nothing(command, reply);
  cJSON_free(text);
  cJSON_Delete(reply);
  cJSON_Delete(command);
  return rv;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *line = (const char *)data, *end;
  int same = 1;

  fuzz_plain(FUZZ_PLAIN_NOTHING, "");
  if (!server) {
    begin();
  }
  fuzz_seed(2);
  while (size) {
    size_t len;

    end = memchr(line, '\n', size);
    len = end ? (size_t)(end - line) : size;
    same &= carry_out(line, len);
    len += end != NULL;
    line += len;
    size -= len;
  }
  if (!same) {
    appliance_step(server, &now, NULL, &(udp_batch){NULL, 0, 0});
    appliance_free(server);
    server = NULL;
  }
  return 0;
}
