/* SPDX-License-Identifier: Apache-2.0 */
/* The commands to a running server. */
#include "server/cli.h"

#include "server/control_posix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH_LEN_MAX 512

/* A backup is one short line. */
#define RESTORE_MAX 512

/* Sends |command| and reads the reply into |*preply|, to be deleted. */
static int ask(cJSON **preply, const cli_options *o, const cJSON *command) {
  const char *path = o->control;
  char found[PATH_LEN_MAX];
  char *line, *answer;
  int rv = 0;

  *preply = NULL;
  if (!path) {
    rv = control_find(found, sizeof(found));
    path = found;
  }
  if (rv == CONTROL_ERR_IN_USE) {
    cli_complain("several servers run: say which, such as --control %s (the "
                 "number is its port)",
                 found);
    return HOST_EXIT_CONTROL;
  }
  if (rv != 0) {
    cli_complain("no server runs; start one with \"fortnight serve\"");
    return HOST_EXIT_CONTROL;
  }
  line = cJSON_PrintUnformatted(command);
  if (!line) {
    cli_complain("out of memory");
    return HOST_EXIT_INTERNAL;
  }
  rv = control_request(&answer, path, line);
  explicit_bzero(line, strlen(line));
  cJSON_free(line);
  if (rv != 0) {
    cli_complain("%s at %s: is it running, and yours?",
                 rv == CONTROL_ERR_REPLY ? "no answer came from the server"
                                         : "no server answers",
                 path);
    return HOST_EXIT_CONTROL;
  }
  *preply = cJSON_Parse(answer);
  explicit_bzero(answer, strlen(answer));
  free(answer);
  if (!cJSON_IsObject(*preply)) {
    cJSON_Delete(*preply);
    *preply = NULL;
    cli_complain("the server's answer at %s makes no sense: are both of the "
                 "same version?",
                 path);
    return HOST_EXIT_CONTROL;
  }
  return 0;
}

static const char *string_of(const cJSON *reply, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(reply, name);

  return cJSON_IsString(item) ? item->valuestring : "";
}

/* The file's text into |dest|, "-" for standard input.  0, or an exit code. */
static int read_backup(char dest[RESTORE_MAX], const char *path) {
  int is_stdin = strcmp(path, "-") == 0;
  FILE *file = is_stdin ? stdin : fopen(path, "re");
  size_t len;

  if (!file) {
    cli_complain("%s: %s", path, strerror(errno));
    return HOST_EXIT_OPTION;
  }
  /* No copy of the secret in a buffer that nobody wipes. */
  (void)setvbuf(file, NULL, _IONBF, 0);
  len = fread(dest, 1, RESTORE_MAX - 1, file);
  dest[len] = '\0';
  if (!is_stdin) {
    fclose(file);
  }
  return 0;
}

static int add_restore(cJSON *command, const char *path) {
  char backup[RESTORE_MAX];
  int rv = read_backup(backup, path);

  if (rv == 0 && !cJSON_AddStringToObject(command, "restore", backup)) {
    rv = HOST_EXIT_INTERNAL;
  }
  explicit_bzero(backup, sizeof(backup));
  return rv;
}

static int add_arguments(cJSON *command, const cli_options *o) {
  int ok = cJSON_AddStringToObject(command, "command",
                                   cli_command_name(o->command)) != NULL;

  if (o->force) {
    ok = ok && cJSON_AddTrueToObject(command, "force");
  }
  if (o->now) {
    ok = ok && cJSON_AddTrueToObject(command, "now");
  }
  if (o->backup) {
    ok = ok && cJSON_AddTrueToObject(command, "backup");
  }
  if (o->form) {
    ok = ok && cJSON_AddStringToObject(command, "form", o->form);
  }
  if (!ok) {
    cli_complain("out of memory");
    return HOST_EXIT_INTERNAL;
  }
  return o->restore ? add_restore(command, o->restore) : 0;
}

static void show(const cli_options *o, const cJSON *reply) {
  int64_t wall = time(NULL);
  text t = {NULL, 0, 0, 0};

  switch (o->command) {
  case CLI_STATUS:
    cli_add_status(&t, reply, wall);
    break;
  case CLI_IDENTITY:
    if (o->backup) {
      text_add(&t, "%s\n", string_of(reply, "backup"));
    } else if (o->restore) {
      text_add(&t, "The identity is now ");
      cli_add_safely(&t, string_of(reply, "identity"));
      text_add(&t, "\n");
      cli_add_published(&t, reply, wall);
    } else {
      cli_add_safely(&t, string_of(reply, "thumbprint"));
      text_add(&t, "\n");
    }
    break;
  case CLI_STOP:
    break;
  default:
    if (o->form) {
      const char *form = string_of(reply, "text");
      size_t len = strlen(form);

      text_add(&t, "%s%s", form, len > 0 && form[len - 1] == '\n' ? "" : "\n");
    } else {
      cli_add_published(&t, reply, wall);
    }
    break;
  }
  if (t.data) {
    fputs(t.data, stdout);
    explicit_bzero(t.data, t.len);
  }
  text_free(&t);
}

static int show_json(const cJSON *reply) {
  char *line = cJSON_PrintUnformatted(reply);
  text t = {NULL, 0, 0, 0};
  int rv = 0;

  if (line) {
    cli_add_json_safely(&t, line);
    explicit_bzero(line, strlen(line));
    cJSON_free(line);
  }
  if (t.data && !t.failed) {
    printf("%s\n", t.data);
  } else {
    cli_complain("out of memory");
    rv = HOST_EXIT_INTERNAL;
  }
  if (t.data) {
    explicit_bzero(t.data, t.len);
  }
  text_free(&t);
  return rv;
}

int cli_control(const cli_options *o) {
  cJSON *command = cJSON_CreateObject();
  cJSON *reply = NULL;
  int rv = add_arguments(command, o);

  if (o->backup && isatty(STDOUT_FILENO)) {
    fprintf(stderr, "Whoever has the next line can speak for this server: "
                    "keep it where nobody sees it.\n");
  }
  if (rv == 0) {
    rv = ask(&reply, o, command);
  }
  if (rv == 0 && cJSON_HasObjectItem(reply, "error")) {
    const char *error = string_of(reply, "error");

    if (o->json) {
      (void)show_json(reply);
    }
    cli_complain(
        "%s refused: %s%s", cli_command_name(o->command),
        error[0] ? error : "the server gave no reason",
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(reply, "can_force"))
            ? " (--force does it now)"
            : "");
    rv = HOST_EXIT_INTERNAL;
  } else if (rv == 0 && o->json) {
    rv = show_json(reply);
  } else if (rv == 0) {
    show(o, reply);
  }
  if (rv == 0 && fflush(stdout) != 0) {
    cli_complain("standard output: %s", strerror(errno));
    rv = HOST_EXIT_INTERNAL;
  }
  cli_forget(reply, "backup");
  cli_forget(command, "restore");
  return rv;
}
