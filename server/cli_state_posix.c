/* SPDX-License-Identifier: Apache-2.0 */
/* Where the state is kept. */
#include "server/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The environment's |name|, if it is an absolute path; what is relative is to
   be ignored (XDG Base Directory Specification). */
static const char *folder_of(const char *name) {
  const char *value = getenv(name);

  return value && value[0] == '/' ? value : NULL;
}

int cli_state_path(char *dest, size_t destlen) {
  const char *folder = folder_of("STATE_DIRECTORY");
  int n;

  if (folder) {
    /* systemd may name several: the first is ours. */
    n = snprintf(dest, destlen, "%.*s", (int)strcspn(folder, ":"), folder);
  } else if ((folder = folder_of("XDG_STATE_HOME"))) {
    n = snprintf(dest, destlen, "%s/fortnight", folder);
  } else if ((folder = folder_of("HOME"))) {
    n = snprintf(dest, destlen, "%s/.local/state/fortnight", folder);
  } else {
    return -1;
  }
  return n > 0 && (size_t)n < destlen ? 0 : -1;
}

int cli_state_make_parents(const char *path) {
  char *copy = strdup(path);
  int rv = 0;
  char *p;

  if (!copy) {
    return -1;
  }
  for (p = strchr(copy + 1, '/'); p && rv == 0; p = strchr(p + 1, '/')) {
    *p = '\0';
    if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
      rv = -1;
    }
    *p = '/';
  }
  free(copy);
  return rv;
}
