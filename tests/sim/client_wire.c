/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/client_wire.h"

#include <string.h>

#include "tests/sim/client_internal.h"

/* ngtcp2 does not tell its encrypt callback whose packet it is. */
static _Thread_local sim_client *sending;

void sim_wire_sending(sim_client *client) { sending = client; }

int sim_wire_encrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                     const ngtcp2_crypto_aead_ctx *aead_ctx,
                     const uint8_t *plaintext, size_t plaintextlen,
                     const uint8_t *nonce, size_t noncelen, const uint8_t *aad,
                     size_t aadlen) {
  uint8_t frames[SIM_DATAGRAM_SLOT];

  if (sending != NULL && sending->wire.tamper != NULL && aadlen > 0 &&
      plaintextlen <= sizeof(frames)) {
    memcpy(frames, plaintext, plaintextlen);
    sending->wire.tamper(sending->wire.user, aad[0], frames, plaintextlen);
    plaintext = frames;
  }
  return ngtcp2_crypto_encrypt_cb(dest, aead, aead_ctx, plaintext, plaintextlen,
                                  nonce, noncelen, aad, aadlen);
}

int sim_wire_on_token(ngtcp2_conn *conn, const uint8_t *token, size_t len,
                      void *user) {
  sim_client *client = user;

  (void)conn;
  if (len <= sizeof(client->wire.token)) {
    memcpy(client->wire.token, token, len);
    client->wire.token_len = len;
  }
  return 0;
}

const uint8_t *sim_client_token(const sim_client *client, size_t *len) {
  *len = client->wire.token_len;
  return client->wire.token;
}

int sim_client_migrate(sim_client *client, const udp_address *local,
                       uint64_t now) {
  ngtcp2_path_storage path;

  ngtcp2_path_storage_init(&path, &local->sa, udp_address_len(local),
                           client->path.path.remote.addr,
                           client->path.path.remote.addrlen, NULL);
  if (client->is_closed || ngtcp2_conn_initiate_immediate_migration(
                               client->conn, &path.path, now) != 0) {
    return SIM_ERR_INVALID;
  }
  ngtcp2_path_copy(&client->path.path, &path.path);
  return 0;
}

void sim_client_set_tamper(sim_client *client, sim_tamper tamper, void *user) {
  client->wire.tamper = tamper;
  client->wire.user = user;
}
