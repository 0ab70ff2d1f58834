/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the state is kept: one body of octets, replaced as a whole.
 *
 * Two slots take turns.  Each holds
 *
 *   magic    8   "FNSTORE" and a NUL
 *   version  4   1
 *   length   4   octets of the body
 *   seq      8   grows by one with each save
 *   body   length
 *   MAC     32   HMAC-SHA-256 of all before it, by the store's key
 *
 * numbers least significant octet first.  The valid slot with the highest seq
 * is the state; a save writes to the other one, so that there is always one
 * that is complete.  The key lies beside the slots: the MAC tells a slot that
 * is damaged, cut off or from another store, and keeps nobody out who can read
 * the folder.
 */
#ifndef CERTMGR_STORE_H
#define CERTMGR_STORE_H

#include "certmgr/error.h"
#include "certmgr/random.h"

#include <stddef.h>
#include <stdint.h>

#define CM_STORE_KEY_LEN 32
#define CM_STORE_MAC_LEN 32
#define CM_STORE_HEADER_LEN 24
#define CM_STORE_OVERHEAD (CM_STORE_HEADER_LEN + CM_STORE_MAC_LEN)

/* A body is never longer: 16 certificates with their keys and room to spare. */
#define CM_STORE_BODY_MAX 65536

typedef struct cm_store cm_store;

/* The backend's functions; each returns 0 or an error, and changes nothing
   on an error of which the next load would know. */
typedef struct cm_store_ops {
  /* Reads the body with the highest seq.  |*len| is set to its length, 0 if
     nothing was ever saved. */
  int (*load)(cm_store *store, uint8_t *dest, size_t destlen, size_t *len);
  /* Makes |body| durable: once this has returned 0, a load finds it even if
     the power fails. */
  int (*save)(cm_store *store, const uint8_t *body, size_t len);
  void (*close)(cm_store *store);
  /* Both NULL, or: begins to save a copy of |body|, one at a time; and whether
     that has come to its end: 1, with |*result| as of |save|, or 0. */
  int (*begin)(cm_store *store, const uint8_t *body, size_t len);
  int (*poll)(cm_store *store, int *result);
} cm_store_ops;

struct cm_store {
  const cm_store_ops *ops;
  /* What went wrong last, for a person: with the path, and with the command
     that mends it if there is one.  Empty if nothing did. */
  char message[512];
  /* Slots that were set aside because they failed their check. */
  unsigned bad;
};

/*
 * Each returns 0, or CM_ERR_STORE (the system said no: see |message|),
 * CM_ERR_STORE_LOCKED (another process has it), CM_ERR_STORE_PERMISSIONS
 * (others could read or change it), CM_ERR_STORE_BAD (there were slots, and
 * none is valid: until what was set aside is gone), CM_ERR_NOBUF (the body is
 * longer than |destlen| or CM_STORE_BODY_MAX), CM_ERR_NOMEM.
 */
int cm_store_load(cm_store *store, uint8_t *dest, size_t destlen, size_t *len);
int cm_store_save(cm_store *store, const uint8_t *body, size_t len);

/* Returned by cm_store_begin(): ask cm_store_poll(). */
#define CM_STORE_PENDING 1

/* As cm_store_save(), but where the store can, it only begins: then
   CM_STORE_PENDING is returned.  |body| is copied. */
int cm_store_begin(cm_store *store, const uint8_t *body, size_t len);

/* Whether what was begun has come to its end: 1, and |*result| is what
   cm_store_save() would have returned; or 0. */
int cm_store_poll(cm_store *store, int *result);

/* Releases everything, the lock too, once what was begun has come to its end;
   NULL is allowed. */
void cm_store_close(cm_store *store);

/*
 * The store in the folder |path| (store_posix.c), which is made if it is not
 * there, with mode 0700; its files have 0600.  Holds a lock until it is closed.
 * |*pstore| is set also on an error, so that its message can be read, unless
 * that is CM_ERR_NOMEM; to be closed in any case.
 */
int cm_store_open_posix(cm_store **pstore, const char *path,
                        const cm_random *random);

/*
 * The store in the folder that JavaScript opened before and closes after
 * (store_web.c, libstore_web.js): OPFS in a worker, a folder on Node.  The lock
 * is JavaScript's.  Otherwise like cm_store_open_posix().
 */
int cm_store_open_web(cm_store **pstore, const cm_random *random);

/*
 * Lets |inner|, which is taken over, save in a thread of its own, so that
 * nobody has to wait for a disk (store_thread_posix.c).  Returns 0, or
 * CM_ERR_NOMEM, CM_ERR_STORE; then |inner| is still the caller's.
 */
int cm_store_open_thread_posix(cm_store **pstore, cm_store *inner);

/* A descriptor of such a store that can be read when cm_store_poll() has
   something to tell; it belongs to the store. */
int cm_store_thread_fd(const cm_store *store);

/* --- the format, for backends ------------------------------------------- */

/* Writes a slot of |seq| with |body| to |dest|, which has room for |len| +
   CM_STORE_OVERHEAD octets.  Returns the length of the slot, or CM_ERR_NOBUF,
   CM_ERR_CRYPTO. */
int cm_store_seal(uint8_t *dest, size_t destlen,
                  const uint8_t key[CM_STORE_KEY_LEN], uint64_t seq,
                  const uint8_t *body, size_t len);

/* Checks the slot |src| of |srclen| octets.  Returns 0 and points |*body| into
   |src|, or CM_ERR_STORE_BAD, CM_ERR_CRYPTO. */
int cm_store_unseal(const uint8_t *src, size_t srclen,
                    const uint8_t key[CM_STORE_KEY_LEN], uint64_t *seq,
                    const uint8_t **body, size_t *len);

#endif
