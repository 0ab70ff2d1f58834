/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store where the platform is JavaScript: the files of store_posix.c, under
 * the same names, so that one folder serves both.  There may be no rename, and
 * a slot may be written in place: only ever the older of the two, and what a
 * crash leaves there fails its MAC.  An exclusive lock is the business of
 * whoever opened the files.
 */
#include "certmgr/store.h"

#include "certmgr/store_web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_MAX (CM_STORE_BODY_MAX + CM_STORE_OVERHEAD)

static const char *const slot_names[2] = {"state.0", "state.1"};

typedef struct web_store {
  cm_store base;
  uint8_t key[CM_STORE_KEY_LEN];
  uint64_t seq; /* Of the newest slot. */
  int newest;   /* 0 or 1; the next save goes to the other. */
  int loaded;
  uint8_t buffer[SLOT_MAX + 1];
} web_store;

static int fail(web_store *s, int error) {
  store_web_message(s->base.message, sizeof(s->base.message));
  return error;
}

/* Reads the file |name| whole into |s->buffer|; |*plen| is SIZE_MAX if there is
   none, and may be more than the buffer has room for. */
static int read_file(web_store *s, const char *name, size_t *plen) {
  int n = store_web_read(name, s->buffer, sizeof(s->buffer));

  *plen = SIZE_MAX;
  if (n == STORE_WEB_NONE) {
    return 0;
  }
  if (n < 0) {
    return fail(s, n);
  }
  *plen = (size_t)n;
  return 0;
}

static int write_file(web_store *s, const char *name, const uint8_t *data,
                      size_t len) {
  int rv = store_web_write(name, data, len);

  return rv != 0 ? fail(s, rv) : 0;
}

/* Puts what did not pass its check where it can be examined. */
static int set_aside(web_store *s, const char *name) {
  char bad[32];
  int rv;

  snprintf(bad, sizeof(bad), "%s.bad", name);
  rv = store_web_rename(name, bad);
  if (rv != 0) {
    return fail(s, rv);
  }
  s->base.bad++;
  snprintf(s->base.message, sizeof(s->base.message),
           "%s did not pass its check and is now %s", name, bad);
  return 0;
}

/* Whether there is something that was set aside. */
static int has_bad(web_store *s, int *found) {
  char bad[32];
  size_t len;
  int rv = 0;

  *found = 0;
  for (int i = 0; i < 2 && rv == 0; i++) {
    snprintf(bad, sizeof(bad), "%s.bad", slot_names[i]);
    rv = read_file(s, bad, &len);
    *found |= rv == 0 && len != SIZE_MAX;
  }
  return rv;
}

/* Reads both slots; the state of the newest is copied to |dest|.  |bad| is
   which do not pass their check, |*there| how many there are at all. */
static int read_slots(web_store *s, uint8_t *dest, size_t destlen, size_t *len,
                      int bad[2], int *there) {
  for (int i = 0; i < 2; i++) {
    const uint8_t *body;
    uint64_t seq;
    size_t n;
    int rv = read_file(s, slot_names[i], &n);

    if (rv != 0) {
      return rv;
    }
    if (n == SIZE_MAX) {
      continue;
    }
    ++*there;
    rv = n > SLOT_MAX ? CM_ERR_STORE_BAD
                      : cm_store_unseal(s->buffer, n, s->key, &seq, &body, &n);
    if (rv == CM_ERR_STORE_BAD) {
      bad[i] = 1;
    } else if (rv != 0) {
      return rv;
    } else if (seq > s->seq) {
      if (n > destlen) {
        return CM_ERR_NOBUF;
      }
      memcpy(dest, body, n);
      *len = n;
      s->seq = seq;
      s->newest = i;
    }
  }
  return 0;
}

static int web_load(cm_store *store, uint8_t *dest, size_t destlen,
                    size_t *len) {
  web_store *s = (web_store *)store;
  int bad[2] = {0, 0}, there = 0, aside = 0, rv;

  s->seq = 0;
  s->newest = 1;
  rv = read_slots(s, dest, destlen, len, bad, &there);
  if (rv == 0) {
    rv = has_bad(s, &aside);
  }
  if (rv == 0 && bad[0] && there == 1 && !aside) {
    /* The first save of all was cut off: nobody has heard of what it was, and
       the next one goes to the same place. */
    bad[0] = 0;
  }
  for (int i = 0; i < 2 && rv == 0; i++) {
    if (bad[i]) {
      aside = 1;
      rv = set_aside(s, slot_names[i]);
    }
  }
  if (rv == 0) {
    s->loaded = 1;
  }
  if (rv == 0 && s->seq == 0 && aside) {
    /* Also at the next start: nobody is given a new identity by accident. */
    snprintf(
        s->base.message, sizeof(s->base.message),
        "what the state folder holds did not pass its check, and is now "
        "*.bad there; restore a copy, or delete those files to begin anew");
    rv = CM_ERR_STORE_BAD;
  }
  explicit_bzero(s->buffer, sizeof(s->buffer));
  return rv;
}

static int web_save(cm_store *store, const uint8_t *body, size_t len) {
  web_store *s = (web_store *)store;
  int n, rv;

  if (!s->loaded) {
    /* Which slot is to be kept is not known yet. */
    return CM_ERR_INVALID;
  }
  n = cm_store_seal(s->buffer, sizeof(s->buffer), s->key, s->seq + 1, body,
                    len);
  rv = n < 0 ? n
             : write_file(s, slot_names[1 - s->newest], s->buffer, (size_t)n);
  explicit_bzero(s->buffer, sizeof(s->buffer));
  if (rv == 0) {
    s->newest = 1 - s->newest;
    s->seq++;
  }
  return rv;
}

static void web_close(cm_store *store) {
  web_store *s = (web_store *)store;

  explicit_bzero(s, sizeof(*s));
  free(s);
}

/* Whether anything was ever saved: then the key matters. */
static int has_slots(web_store *s, int *found) {
  size_t len;
  int rv = 0;

  *found = 0;
  for (int i = 0; i < 2 && rv == 0; i++) {
    rv = read_file(s, slot_names[i], &len);
    *found |= rv == 0 && len != SIZE_MAX;
  }
  return rv;
}

static int open_key(web_store *s, const cm_random *random) {
  size_t len;
  int needed, rv = read_file(s, "key", &len);

  if (rv == 0 && len == sizeof(s->key)) {
    memcpy(s->key, s->buffer, sizeof(s->key));
    goto done;
  }
  /* Written in place, it may have been cut off when it was made; but that was
     before the first slot, which a new one would condemn. */
  if (rv == 0) {
    rv = has_slots(s, &needed);
    if (rv == 0 && needed) {
      snprintf(s->base.message, sizeof(s->base.message),
               "the key of the state folder is %s; restore a copy, or delete "
               "state.* there to begin anew",
               len == SIZE_MAX ? "missing" : "damaged");
      rv = CM_ERR_STORE_BAD;
    }
  }
  if (rv == 0) {
    rv = random->fill(random->user, s->key, sizeof(s->key)) != 0
             ? CM_ERR_RANDOM
             : write_file(s, "key", s->key, sizeof(s->key));
  }

done:
  explicit_bzero(s->buffer, sizeof(s->buffer));
  return rv;
}

int cm_store_open_web(cm_store **pstore, const cm_random *random) {
  static const cm_store_ops ops = {web_load, web_save, web_close, NULL, NULL};
  web_store *s = calloc(1, sizeof(*s));

  *pstore = NULL;
  if (s == NULL) {
    return CM_ERR_NOMEM;
  }
  s->base.ops = &ops;
  *pstore = &s->base;
  return open_key(s, random);
}
