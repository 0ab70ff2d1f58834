/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts, paths and mirrors: an address is the one that the system reads, and
   what can be a host can be in a link. */
#include "certmgr/hashset.h"
#include "certmgr/host.h"
#include "server/udp.h"
#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define LINK_MAX 8192

static void check_address(const char *text) {
  char printed[UDP_ADDRESS_TEXT_MAX];
  udp_address address, again;

  if (udp_address_parse(&address, text, 4433) == 0) {
    FUZZ_CHECK(udp_address_text(printed, &address) == printed);
    FUZZ_CHECK(memchr(printed, '\0', sizeof(printed)) != NULL);
    FUZZ_CHECK(udp_address_len(&address) <= sizeof(address));
    FUZZ_CHECK(udp_address_parse(&again, text, 4433) == 0 &&
               udp_address_eq(&address, &again));
  }
}

static void check_host(const char *text) {
  uint8_t address[16];
  cm_host host;
  int rv = cm_host_parse(&host, text);

  FUZZ_CHECK(rv == 0 || rv == CM_ERR_HOST);
  FUZZ_CHECK(cm_x509_check_host(text) == rv);
  if (rv != 0) {
    return;
  }
  FUZZ_CHECK(*text && strlen(text) <= CM_HOST_MAX);
  switch (host.kind) {
  case CM_HOST_IPV4:
    FUZZ_CHECK(host.address_len == 4 && inet_pton(AF_INET, text, address) == 1);
    FUZZ_CHECK(memcmp(address, host.address, 4) == 0);
    break;
  case CM_HOST_IPV6:
    FUZZ_CHECK(host.address_len == 16 &&
               inet_pton(AF_INET6, text, address) == 1);
    FUZZ_CHECK(memcmp(address, host.address, 16) == 0);
    break;
  default:
    FUZZ_CHECK(strspn(text, "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*") ==
               strlen(text));
    FUZZ_CHECK(inet_pton(AF_INET, text, address) != 1);
  }
}

/* One form, whole or not at all. */
static void check_form(int (*form)(char *, size_t, const cm_hashset *),
                       const cm_hashset *set, int addressable) {
  static char dest[LINK_MAX];
  int rv = form(dest, sizeof(dest), set);
  char *exact;

  if (rv < 0) {
    FUZZ_CHECK(rv == CM_ERR_HOST || rv == CM_ERR_INVALID || rv == CM_ERR_NOBUF);
    FUZZ_CHECK(rv != CM_ERR_HOST || !addressable);
    FUZZ_CHECK(*dest == '\0');
    return;
  }
  FUZZ_CHECK(strlen(dest) == (size_t)rv);
  exact = malloc((size_t)rv + 1);
  FUZZ_CHECK(exact != NULL);
  FUZZ_CHECK(form(exact, (size_t)rv + 1, set) == rv);
  FUZZ_CHECK(strcmp(exact, dest) == 0);
  FUZZ_CHECK(form(exact, (size_t)rv, set) == CM_ERR_NOBUF);
  free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t hashes[2][CM_HASH_LEN] = {{1}, {0xff, 0xfe}};
  fuzz_input in = {data, size};
  uint8_t flags = fuzz_u8(&in);
  size_t n = fuzz_u8(&in), m = fuzz_u8(&in);
  char *text = fuzz_text(&in, n), *path = fuzz_text(&in, m);
  char *mirror = fuzz_text(&in, in.len);
  cm_hashset set = {.host = text,
                    .port = flags & 1 ? 0 : 4433,
                    .path = path,
                    .active = hashes[0],
                    .standby = flags & 2 ? hashes[1] : NULL,
                    .mirror = flags & 4 ? mirror : NULL};
  cm_host host;
  int addressable =
      cm_host_parse(&host, text) == 0 && host.kind != CM_HOST_WILDCARD;

  check_address(text);
  check_host(text);
  (void)cm_mirror_check(mirror);
  check_form(cm_hashset_url, &set, addressable);
  check_form(cm_hashset_link, &set, addressable);
  check_form(cm_hashset_multiaddr, &set, addressable);
  check_form(cm_hashset_snippet, &set, addressable);
  free(mirror);
  free(path);
  free(text);
  return 0;
}
