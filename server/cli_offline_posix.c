/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that need no server. */
#include "server/cli.h"

#include "certmgr/timeline.h"
#include "server/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- verify ---- */

/* Reads |path| whole, without blanks at its end, and a NUL.  0, or an exit
   code. */
static int read_document(char dest[CM_SIGNED_MAX + 1], size_t *len,
                         const char *path) {
  int is_stdin = strcmp(path, "-") == 0;
  FILE *file = is_stdin ? stdin : fopen(path, "re");
  int failed;

  if (!file) {
    cli_complain("%s: %s", path, strerror(errno));
    return HOST_EXIT_OPTION;
  }
  *len = fread(dest, 1, CM_SIGNED_MAX, file);
  failed = ferror(file);
  if (!is_stdin) {
    fclose(file);
  }
  if (failed) {
    cli_complain("%s cannot be read", path);
    return HOST_EXIT_OPTION;
  }
  while (*len > 0 && strchr(" \t\r\n", dest[*len - 1]) && dest[*len - 1]) {
    --*len;
  }
  dest[*len] = '\0';
  return 0;
}

static int refuse_document(int error, const char *path, const char *id) {
  switch (error) {
  case CM_ERR_INVALID:
    cli_complain("%s is no signed set of hashes: take what /hashes.json or "
                 "\"fortnight hashes --form jws\" gives",
                 path);
    return CLI_EXIT_NOT_VERIFIED;
  case CM_ERR_SIGNATURE:
    cli_complain("%s is NOT signed by the identity %s, or was changed: do not "
                 "use it",
                 path, id);
    return CLI_EXIT_NOT_VERIFIED;
  default:
    cli_complain("%s", cm_strerror(error));
    return HOST_EXIT_INTERNAL;
  }
}

static int print(const text *t) {
  if (!t->data || t->failed) {
    cli_complain("out of memory");
    return HOST_EXIT_INTERNAL;
  }
  if (fputs(t->data, stdout) == EOF || fflush(stdout) != 0) {
    cli_complain("standard output: %s", strerror(errno));
    return HOST_EXIT_INTERNAL;
  }
  return 0;
}

int cli_verify(const cli_options *o) {
  char document[CM_SIGNED_MAX + 1];
  char linked[CM_THUMBPRINT_LEN + 1];
  const char *id = o->id;
  int64_t wall = time(NULL);
  text t = {NULL, 0, 0, 0};
  cm_signed_set set;
  size_t len;
  int rv;

  if (o->link) {
    if (cli_link_identity(linked, o->link) != 0) {
      cli_complain("the link names no identity: it has no \"&id=\"");
      return HOST_EXIT_OPTION;
    }
    id = linked;
  }
  rv = read_document(document, &len, o->file);
  if (rv != 0) {
    return rv;
  }
  rv = tls_startup();
  if (rv != 0) {
    cli_complain("%s", appliance_strerror(rv));
    return HOST_EXIT_INTERNAL;
  }
  rv = cm_signed_set_read(&set, document, len, id);
  if (rv != 0) {
    rv = refuse_document(rv, o->file, id);
  } else {
    cli_add_document(&t, &set, wall, o->json);
    rv = print(&t);
    if (rv == 0 && wall >= set.valid_until) {
      cli_complain("the document has run out: ask for a newer one");
      rv = CLI_EXIT_RUN_OUT;
    }
  }
  text_free(&t);
  tls_cleanup();
  return rv;
}

/* ---- simulate ---- */

static int write_file(const char *path, const char *data, size_t len) {
  int is_stdout = strcmp(path, "-") == 0;
  FILE *file = is_stdout ? stdout : fopen(path, "we");
  int failed;

  if (!file) {
    cli_complain("%s: %s", path, strerror(errno));
    return HOST_EXIT_OPTION;
  }
  failed = fwrite(data, 1, len, file) != len || fflush(file) != 0;
  if (!is_stdout && fclose(file) != 0) {
    failed = 1;
  }
  if (failed) {
    cli_complain("%s cannot be written: %s", path, strerror(errno));
    return HOST_EXIT_INTERNAL;
  }
  return 0;
}

int cli_simulate(const cli_options *o) {
  cm_timeline *timeline = malloc(sizeof(*timeline));
  char *form = malloc(CM_TIMELINE_TEXT_MAX);
  int rv = CM_ERR_NOMEM;

  if (timeline && form) {
    rv = cm_timeline_run(timeline, &o->profile, o->years);
  }
  if (rv == 0) {
    rv = o->json  ? cm_timeline_json(form, CM_TIMELINE_TEXT_MAX, timeline)
         : o->svg ? cm_timeline_svg(form, CM_TIMELINE_TEXT_MAX, timeline)
                  : cm_timeline_text(form, CM_TIMELINE_TEXT_MAX, timeline);
  }
  if (rv > 0) {
    rv = write_file(o->svg ? o->svg : "-", form, (size_t)rv);
  } else {
    cli_complain("%s", cm_strerror(rv));
    rv = HOST_EXIT_INTERNAL;
  }
  free(form);
  free(timeline);
  return rv;
}
