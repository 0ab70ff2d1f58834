/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target without libFuzzer: gives it the files that are named, or those
 * of tests/fuzz/corpus/X if none is, where X_fuzz is the program.  One test in
 * the form of TAP, which a crash leaves without a result.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS "tests/fuzz/corpus/"
#define PATH_MAX_LEN 512

/* 0, or -1 with errno. */
static int replay(const char *path) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = NULL;
  long len;
  int rv = -1;

  if (!file) {
    return -1;
  }
  if (fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0 ||
      fseek(file, 0, SEEK_SET) != 0) {
    goto done;
  }
  /* Exactly as long as it is, so that what reads on is seen. */
  data = malloc((size_t)len);
  if (!data && len != 0) {
    goto done;
  }
  if (fread(data, 1, (size_t)len, file) != (size_t)len) {
    errno = EIO;
    goto done;
  }
  rv = LLVMFuzzerTestOneInput(data, (size_t)len);

done:
  free(data);
  fclose(file);
  return rv;
}

/* Returns how many, or -1 with errno. */
static int replay_folder(const char *folder) {
  char path[PATH_MAX_LEN];
  struct dirent *entry;
  DIR *dir = opendir(folder);
  int n = 0;

  if (!dir) {
    return -1;
  }
  while ((entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == '.') {
      continue;
    }
    if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >=
            (int)sizeof(path) ||
        replay(path) != 0) {
      closedir(dir);
      return -1;
    }
    ++n;
  }
  closedir(dir);
  return n;
}

int main(int argc, char **argv) {
  const char *name = strrchr(argv[0], '/');
  char folder[PATH_MAX_LEN];
  size_t len;
  int i, n = 0;

  name = name ? name + 1 : argv[0];
  len = strlen(name);
  if (len > 5 && strcmp(name + len - 5, "_fuzz") == 0) {
    len -= 5;
  }
  printf("1..1\n");
  fflush(stdout);
  for (i = 1; i < argc; ++i, ++n) {
    if (replay(argv[i]) != 0) {
      printf("not ok 1 - %s: %s\n", argv[i], strerror(errno));
      return 1;
    }
  }
  if (argc < 2) {
    snprintf(folder, sizeof(folder), CORPUS "%.*s", (int)len, name);
    n = replay_folder(folder);
    if (n <= 0) {
      printf("not ok 1 - %s: %s\n", folder, n ? strerror(errno) : "empty");
      return 1;
    }
  }
  printf("ok 1 - %.*s: %d inputs\n", (int)len, name, n);
  return 0;
}
