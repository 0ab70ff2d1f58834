/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: commands to a running appliance.
 *
 * A Unix stream socket, mode 0600 in a folder of mode 0700: one JSON object a
 * line in, one a line out.  Nothing here blocks but control_request(), which is
 * the other end.
 */
#ifndef SERVER_CONTROL_POSIX_H
#define SERVER_CONTROL_POSIX_H

#include <poll.h>
#include <stddef.h>

/* Clients served at once; more wait in the kernel's queue. */
#define CONTROL_CLIENTS_MAX 8
#define CONTROL_POLLFDS_MAX (1 + CONTROL_CLIENTS_MAX)
/* The longest command, with its newline. */
#define CONTROL_LINE_MAX 4096

typedef enum control_error {
  CONTROL_ERR_NOMEM = -801,
  /* Another appliance answers there. */
  CONTROL_ERR_IN_USE = -802,
  /* The folder is not ours alone, or the path is too long or not to be had;
     errno tells more. */
  CONTROL_ERR_PATH = -803,
  /* Nobody answers there. */
  CONTROL_ERR_NOBODY = -804,
  /* It answered nothing that makes sense. */
  CONTROL_ERR_REPLY = -805
} control_error;

typedef struct control control;

/* The default path for |port|: PORT.sock in a folder fortnight-UID below
   XDG_RUNTIME_DIR, or below /tmp.  Returns 0, or CONTROL_ERR_PATH. */
int control_default_path(char *dest, size_t destlen, unsigned port);

/*
 * Listens at |path|, making its folder if that is missing; a socket that
 * nobody answers at is replaced, nothing else is.  CONTROL_ERR_NOMEM, _IN_USE,
 * _PATH.
 */
int control_open(control **pcontrol, const char *path);

/* Removes the socket; NULL is allowed. */
void control_close(control *control);

/* Fills |fds| and returns how many. */
size_t control_pollfds(const control *control,
                       struct pollfd fds[CONTROL_POLLFDS_MAX]);

/* Answers one line; the reply is a line without newline, to be freed with
   free(), or NULL for want of memory. */
typedef char *(*control_answer)(void *user, const char *line);

/* Serves whoever is ready in |fds|, as control_pollfds() filled them. */
void control_serve(control *control, const struct pollfd *fds, size_t nfds,
                   control_answer answer, void *user);

/* Sends |line| to |path| and waits for the reply, to be freed with free().
   CONTROL_ERR_NOMEM, _NOBODY, _PATH, _REPLY. */
int control_request(char **preply, const char *path, const char *line);

/*
 * Finds the one appliance of this user that runs, for who did not say which.
 * Returns 0; CONTROL_ERR_NOBODY if there is none, CONTROL_ERR_IN_USE if there
 * are several.
 */
int control_find(char *dest, size_t destlen);

#endif
