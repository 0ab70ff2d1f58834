/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of the certificates, as a pure state machine: no clock, no files,
 * no cryptography, no memory of its own.  The host calls cm_lifecycle_step()
 * with the time and with what became of the last action, and gets the next
 * action and the time until the next call:
 *
 *   for (;;) {
 *     cm_lifecycle_step(lc, &in, &out);
 *     if (out.action == CM_ACTION_NONE) break;     // until out.wait is over
 *     in.result = carry_out(&out);
 *   }
 *
 * One action is outstanding at a time; its result may also come later.
 *
 *   GENERATED   made, in memory only
 *   PERSISTED   key and certificate are durable
 *   PUBLISHED   its hash is in the published document
 *   READY       published for so long that caches have let go of the old one
 *   ACTIVE      served
 *   RETIRED     serves no new handshake
 *   DESTROYED   its key is zeroed; gone once both copies on disk are rewritten
 *   REVOKED     by the operator; never served again
 *   QUARANTINED failed a check or could not be installed; never served
 *
 * Time.  |wall| may jump, |mono| may not, but stops while the machine sleeps.
 * They are compared at each step.  A step forward is what a sleep looks like
 * and is followed at once, for swaps lose nothing by it; nothing is destroyed
 * until the two have run together for an hour.  A certificate that the clock
 * has made useless is *parked*: RETIRED, and kept for two weeks of running
 * time, so that it comes back into service when the clock comes back.  Below
 * the build date the wall clock says nothing: what is there is served by the
 * last time known, and nothing is made.
 *
 * Durability.  The structure holds no pointers.  CM_ACTION_PERSIST asks for
 * cm_lifecycle_encode() and the certificates to be made durable as one;
 * cm_lifecycle_decode() and cm_lifecycle_resume() take it up again.
 */
#ifndef CERTMGR_LIFECYCLE_H
#define CERTMGR_LIFECYCLE_H

#include "certmgr/profile.h"

#include <stddef.h>
#include <stdint.h>

/* Certificates known at a time: two live ones, the others on their way out. */
#define CM_SLOTS 16
/* Serial numbers of certificates gone by that are remembered. */
#define CM_SERIALS 32

#define CM_LC_HASH_LEN 32
#define CM_LC_SERIAL_LEN 20

/* Room for cm_lifecycle_encode(). */
#define CM_LIFECYCLE_ENCODED_MAX 4096

typedef enum cm_cert_state {
  CM_CERT_EMPTY = 0,
  CM_CERT_GENERATED,
  CM_CERT_PERSISTED,
  CM_CERT_PUBLISHED,
  CM_CERT_READY,
  CM_CERT_ACTIVE,
  CM_CERT_RETIRED,
  CM_CERT_DESTROYED,
  CM_CERT_REVOKED,
  CM_CERT_QUARANTINED
} cm_cert_state;

#define CM_CERT_STATE_COUNT 10

/* How the whole is doing; the first that applies, from the top. */
typedef enum cm_manager_state {
  /* The wall clock stands before the build date (or after the year 9999). */
  CM_STATE_WAITING_FOR_TIME = 0,
  /* Nothing has been served yet, in this epoch. */
  CM_STATE_BOOTSTRAP,
  /* There is no certificate that is valid now. */
  CM_STATE_EXPIRED,
  /* What is served is in its guard, for want of a successor. */
  CM_STATE_GUARD,
  CM_STATE_STORE_FAILED,
  /* The clock went back, or forward by more than a month, a short while ago. */
  CM_STATE_CLOCK_SUSPECT,
  /* There is no standby that is READY. */
  CM_STATE_NO_STANDBY,
  CM_STATE_HEALTHY
} cm_manager_state;

#define CM_MANAGER_STATE_COUNT 8

/* One certificate.  Times in seconds since 1970 UTC by the wall clock. */
typedef struct cm_slot {
  /* Never used twice; 0 in an empty slot. */
  uint64_t id;
  cm_cert_state state;
  int64_t not_before;
  int64_t not_after;
  /* When it is to take over, and to give way; the jitter is in the latter. */
  int64_t active_at;
  int64_t retire_at;
  /* The first second that leaves less of the guard than is promised. */
  int64_t guard_at;
  /* The jitter alone. */
  int64_t jitter;
  /* Grows with each activation; 0 if it was never active. */
  int64_t turn;
  uint8_t sha256[CM_LC_HASH_LEN];
  uint8_t serial[CM_LC_SERIAL_LEN];
  /* SHA-256 of the public key. */
  uint8_t key_id[CM_LC_HASH_LEN];
  /* It has been made durable; its hash has been in a published document. */
  int durable;
  int published;
  /* Put aside because of the clock, not of a successor. */
  int parked;
  /* Made while the clock was in doubt. */
  int doubtful;
  /* Of a parked one: there has been a swap since, and no doubt about it. */
  int outlived;
  /* Of a parked one: seconds of running time for which it is still kept. */
  int64_t keep;
  /* Of one in PUBLISHED: seconds of running time until it is READY. */
  int64_t settle;
  /* Of one in REVOKED: its connections have been closed. */
  int closed;
  /* Of one in DESTROYED: the first version of the image without its key. */
  uint64_t gone;
} cm_slot;

typedef enum cm_action {
  CM_ACTION_NONE = 0,
  /* Make a certificate |id| from |not_before| to |not_after|.  Its data come
     with the result. */
  CM_ACTION_GENERATE,
  /* Make the state and the certificates durable.  The image is to be taken
     (cm_lifecycle_encode()) before the next step. */
  CM_ACTION_PERSIST,
  /* Publish cm_lifecycle_document(), which has the number |seq|. */
  CM_ACTION_PUBLISH,
  /* Build a context for |id|, shake hands with it in memory, and serve it to
     all new handshakes.  On failure what was served goes on. */
  CM_ACTION_ACTIVATE,
  /* Close the connections made under |id|, and forget all ticket keys. */
  CM_ACTION_CLOSE,
  /* Zero the key of |id|, and forget the certificate. */
  CM_ACTION_DESTROY
} cm_action;

#define CM_ACTION_COUNT 7

/* What became of the outstanding action. */
typedef struct cm_result {
  /* CM_ACTION_NONE if there is no result yet. */
  cm_action action;
  /* 0, or the error with which it failed. */
  int status;
  /* After GENERATE: what was made; and 32 random bits, for the jitter. */
  uint8_t sha256[CM_LC_HASH_LEN];
  uint8_t serial[CM_LC_SERIAL_LEN];
  uint8_t key_id[CM_LC_HASH_LEN];
  uint32_t random;
} cm_result;

typedef enum cm_command {
  CM_COMMAND_NONE = 0,
  /* The standby takes over now, if it is READY. */
  CM_COMMAND_ROTATE,
  /* The same as soon as it is PUBLISHED. */
  CM_COMMAND_ROTATE_FORCED,
  /* The active certificate is served no more; the standby takes over. */
  CM_COMMAND_REVOKE,
  /* All certificates are revoked, and a new epoch begins. */
  CM_COMMAND_RESET
} cm_command;

/* Why a command was refused. */
typedef enum cm_refused {
  CM_COMMAND_ACCEPTED = 0,
  CM_COMMAND_NO_STANDBY = 1,
  CM_COMMAND_NOT_READY,
  CM_COMMAND_COLD,
  CM_COMMAND_NO_ACTIVE,
  CM_COMMAND_NO_TIME
} cm_refused;

typedef struct cm_input {
  int64_t wall; /* Seconds since 1970 UTC. */
  int64_t mono; /* Seconds; never less than before. */
  cm_result result;
  cm_command command;
  /* The certificates that connections still hold on to. */
  const uint64_t *held;
  size_t nheld;
} cm_input;

typedef enum cm_event_kind {
  CM_EVENT_CERTIFICATE, /* |id|: from state |from| to state |to| */
  CM_EVENT_STATE,       /* the manager: from state |from| to state |to| */
  CM_EVENT_PARKED,      /* |id| was put aside: the clock has left it */
  CM_EVENT_RECALLED,    /* |id| is taken back: the clock has come back */
  CM_EVENT_CLOCK,       /* the wall clock jumped by |value| seconds */
  CM_EVENT_FAILED,      /* action |from| failed with |value| */
  CM_EVENT_WARNING,     /* a day without a standby */
  CM_EVENT_ERROR,       /* three days without a standby */
  CM_EVENT_COMMAND,     /* command |from|: refused for |to|, or accepted */
  CM_EVENT_LOST         /* there were more events than fit */
} cm_event_kind;

typedef struct cm_event {
  cm_event_kind kind;
  uint64_t id;
  int from;
  int to;
  int64_t value;
} cm_event;

#define CM_EVENTS_MAX 48

typedef struct cm_output {
  cm_action action;
  uint64_t id;
  int64_t not_before;
  int64_t not_after;
  uint64_t seq;
  /* Call again after this many seconds at the latest; at least 1 if there is
     no action.  With an action outstanding: when its result is there. */
  int64_t wait;
  cm_refused refused;
  cm_event events[CM_EVENTS_MAX];
  size_t nevents;
} cm_output;

/* The retry ladder of one kind of action. */
typedef struct cm_retry {
  uint32_t failures;
  int64_t at; /* By the monotonic clock. */
} cm_retry;

typedef struct cm_lifecycle {
  /* Durable. */
  cm_profile profile;
  uint64_t epoch;
  uint64_t next_id;
  /* The number of the last document published. */
  uint64_t seq;
  int64_t high_water;
  cm_slot slots[CM_SLOTS];
  uint8_t serials[CM_SERIALS][CM_LC_SERIAL_LEN];
  uint32_t nserials; /* Ever remembered; the next goes to this modulo. */
  /* Seconds of running time without a standby that is READY. */
  int64_t without_standby;
  int served; /* A certificate has been active in this epoch. */
  int64_t turns;

  /* Of this process. */
  int64_t build_date;
  uint64_t prng;
  int started;
  int64_t now; /* The wall clock, or the best guess. */
  int64_t wall;
  int64_t mono;
  int64_t doubt; /* Seconds of running time until the clock is trusted. */
  int suspect;
  int jumped; /* The clock has jumped, and is not trusted yet. */
  int no_time;
  /* No document above this number is published before the next PERSIST. */
  uint64_t seq_limit;
  /* What the last document named. */
  uint64_t doc_active;
  uint64_t doc_standby;
  uint64_t doc_epoch;
  int doc_known;
  /* The certificate for which the host has a context installed. */
  uint64_t installed;
  /* The outstanding action, and what it was asked for with. */
  cm_action pending;
  uint64_t pending_id;
  int64_t pending_active_at;
  int64_t pending_not_before;
  int64_t pending_not_after;
  uint64_t pending_version;
  uint64_t pending_limit;
  uint64_t pending_doc_active;
  uint64_t pending_doc_standby;
  uint64_t pending_doc_epoch;
  int64_t saved_high_water;
  /* Grows with each change of what is durable, and what of it is so. */
  uint64_t version;
  uint64_t saved;
  uint64_t saved_before; /* The image before that, still on the disk. */
  cm_retry retry[CM_ACTION_COUNT];
  int rotate_wanted; /* 1: when READY, 2: when PUBLISHED. */
  int warned;
  cm_manager_state state;
} cm_lifecycle;

/* What is to be published: see hashset.h for its forms. */
typedef struct cm_document {
  uint64_t epoch;
  uint64_t seq;
  /* NULL if there is none.  Without an active one, nothing is published any
     more and what was is to be withdrawn. */
  const cm_slot *active;
  const cm_slot *standby;
  /* Seconds since 1970 UTC: when to fetch the next one, and when this one is
     of no use any more. */
  int64_t issued_at;
  int64_t refresh_after;
  int64_t valid_until;
} cm_document;

/*
 * Begins a life with no certificates.  |profile| must have passed
 * cm_profile_check().  |build_date| (seconds since 1970 UTC) is a time that is
 * certainly past.  |seed| makes the jitter of retries differ among hosts; it
 * is no secret.
 */
void cm_lifecycle_init(cm_lifecycle *lc, const cm_profile *profile,
                       int64_t build_date, uint64_t seed);

/*
 * Takes the next step.  Fills |*out| in every case.  A result that is not of
 * the outstanding action is ignored.
 */
void cm_lifecycle_step(cm_lifecycle *lc, const cm_input *in, cm_output *out);

/*
 * The certificate that a new handshake at |wall| is to be served with, or NULL:
 * it is ACTIVE, installed, and valid then.  To be asked at each new Initial,
 * for timers stop when a machine sleeps; if the answer is not the certificate
 * served, cm_lifecycle_step() is due.  In its guard a certificate is served
 * only if there was no successor to be had (CM_STATE_GUARD).
 */
const cm_slot *cm_lifecycle_serving(const cm_lifecycle *lc, int64_t wall);

/* The ACTIVE certificate, the one on its way to it, the one with |id|, and the
   one with the hash |sha256|, dead or alive; NULL if there is none. */
const cm_slot *cm_lifecycle_active(const cm_lifecycle *lc);
const cm_slot *cm_lifecycle_standby(const cm_lifecycle *lc);
const cm_slot *cm_lifecycle_find(const cm_lifecycle *lc, uint64_t id);
const cm_slot *cm_lifecycle_find_hash(const cm_lifecycle *lc,
                                      const uint8_t sha256[CM_LC_HASH_LEN]);

/* The document that CM_ACTION_PUBLISH speaks of, or else the current one. */
void cm_lifecycle_document(const cm_lifecycle *lc, cm_document *doc);

/* The host has found |id| unfit (cannot be read, key does not match): it goes
   into QUARANTINED.  An unknown |id| is ignored. */
void cm_lifecycle_quarantine(cm_lifecycle *lc, uint64_t id);

/*
 * The invariants, to be called after every step.  Returns 0, or the number of
 * the first that does not hold:
 *
 *   1  nothing is served unless durable and published
 *   2  at most one ACTIVE, exactly one if the state says so; at most two live
 *      hashes
 *   3  what is served is valid now, with the guard kept unless the state is
 *      GUARD
 *   4  no key and no serial is used twice
 *   5  no document has a number that is not reserved on disk
 *   6  no certificate is valid for more than 1,209,599 s
 */
int cm_lifecycle_check(const cm_lifecycle *lc);

/*
 * Writes what is durable into |dest|, as it is once that has succeeded.
 * Returns the length, or CM_ERR_NOBUF; CM_LIFECYCLE_ENCODED_MAX always
 * suffices.  The form is the same on every platform.
 */
int cm_lifecycle_encode(const cm_lifecycle *lc, uint8_t *dest, size_t destlen);

/* Reads it back.  Any octets are allowed.  Returns 0, or CM_ERR_INVALID if it
   is not an encoded state that holds together.  cm_lifecycle_resume() has to
   follow. */
int cm_lifecycle_decode(cm_lifecycle *lc, const uint8_t *src, size_t len);

/* Takes up a decoded life in a new process; arguments as for
   cm_lifecycle_init().  |profile| is for certificates to come. */
void cm_lifecycle_resume(cm_lifecycle *lc, const cm_profile *profile,
                         int64_t build_date, uint64_t seed);

/* English, static, never NULL. */
const char *cm_cert_state_name(cm_cert_state state);
const char *cm_manager_state_name(cm_manager_state state);
const char *cm_action_name(cm_action action);
const char *cm_refused_text(cm_refused refused);
const char *cm_event_name(cm_event_kind kind);

/* What the state that is called |name| (cm_manager_state_name()) means, in a
   sentence for a person; "" for another |name|. */
const char *cm_manager_state_words(const char *name);

#endif
