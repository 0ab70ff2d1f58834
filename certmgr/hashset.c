/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/hashset.h"

#include "certmgr/host.h"

#include <cjson/cJSON.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* The multihash of a SHA-256: its code and its length come first. */
#define MULTIHASH_LEN (2 + CM_HASH_LEN)

/* The longest text of an IPv6 address, with its NUL. */
#define ADDRESS_TEXT_MAX 46

/* A string in the making.  |len| goes on counting when the room is used up. */
typedef struct text {
  char *dest;
  size_t destlen;
  size_t len;
} text;

static text begin(char *dest, size_t destlen) {
  return (text){dest, destlen, 0};
}

static void put_char(text *t, char c) {
  if (t->len < t->destlen) {
    t->dest[t->len] = c;
  }
  t->len++;
}

static void put(text *t, const char *s) {
  while (*s != '\0') {
    put_char(t, *s++);
  }
}

/* Closes the string; its length, or CM_ERR_NOBUF. */
static int end(text *t) {
  if (t->len >= t->destlen || t->len > INT32_MAX) {
    if (t->destlen > 0) {
      t->dest[0] = '\0';
    }
    return CM_ERR_NOBUF;
  }
  t->dest[t->len] = '\0';
  return (int)t->len;
}

static int fail(char *dest, size_t destlen, int error) {
  if (destlen > 0) {
    dest[0] = '\0';
  }
  return error;
}

static void put_hex(text *t, const uint8_t hash[CM_HASH_LEN]) {
  static const char digits[] = "0123456789abcdef";

  for (size_t i = 0; i < CM_HASH_LEN; i++) {
    put_char(t, digits[hash[i] >> 4]);
    put_char(t, digits[hash[i] & 0xf]);
  }
}

/* RFC 4648; |last| are the characters for 62 and 63. */
static void put_base64(text *t, const uint8_t *src, size_t len,
                       const char last[2], int pad) {
  static const char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

  for (size_t i = 0; i < len; i += 3) {
    size_t n = len - i < 3 ? len - i : 3;
    uint32_t bits = (uint32_t)src[i] << 16;

    if (n > 1) {
      bits |= (uint32_t)src[i + 1] << 8;
    }
    if (n > 2) {
      bits |= src[i + 2];
    }
    for (size_t j = 0; j < 4; j++) {
      uint32_t digit = (bits >> (18 - 6 * j)) & 0x3f;
      if (j > n) {
        if (pad) {
          put_char(t, '=');
        }
      } else {
        put_char(t, digit < 62 ? alphabet[digit] : last[digit - 62]);
      }
    }
  }
}

static void put_base64url(text *t, const uint8_t *src, size_t len) {
  put_base64(t, src, len, "-_", 0);
}

static void make_multihash(uint8_t dest[MULTIHASH_LEN],
                           const uint8_t hash[CM_HASH_LEN]) {
  dest[0] = 0x12; /* sha2-256 */
  dest[1] = CM_HASH_LEN;
  memcpy(dest + 2, hash, CM_HASH_LEN);
}

/* libp2p's certhash in the form that go-libp2p gives out. */
static void put_certhash(text *t, const uint8_t hash[CM_HASH_LEN]) {
  uint8_t multihash[MULTIHASH_LEN];

  make_multihash(multihash, hash);
  put_char(t, 'u');
  put_base64url(t, multihash, sizeof(multihash));
}

int cm_hash_hex(char *dest, size_t destlen, const uint8_t hash[CM_HASH_LEN]) {
  text t = begin(dest, destlen);

  put_hex(&t, hash);
  return end(&t);
}

int cm_hash_openssl(char *dest, size_t destlen,
                    const uint8_t hash[CM_HASH_LEN]) {
  static const char digits[] = "0123456789ABCDEF";
  text t = begin(dest, destlen);

  for (size_t i = 0; i < CM_HASH_LEN; i++) {
    if (i > 0) {
      put_char(&t, ':');
    }
    put_char(&t, digits[hash[i] >> 4]);
    put_char(&t, digits[hash[i] & 0xf]);
  }
  return end(&t);
}

int cm_hash_base64(char *dest, size_t destlen,
                   const uint8_t hash[CM_HASH_LEN]) {
  text t = begin(dest, destlen);

  put_base64(&t, hash, CM_HASH_LEN, "+/", 1);
  return end(&t);
}

int cm_hash_base64url(char *dest, size_t destlen,
                      const uint8_t hash[CM_HASH_LEN]) {
  text t = begin(dest, destlen);

  put_base64url(&t, hash, CM_HASH_LEN);
  return end(&t);
}

int cm_hash_certhash(char *dest, size_t destlen,
                     const uint8_t hash[CM_HASH_LEN]) {
  text t = begin(dest, destlen);

  put_certhash(&t, hash);
  return end(&t);
}

int cm_hash_certhash_base58(char *dest, size_t destlen,
                            const uint8_t hash[CM_HASH_LEN]) {
  static const char alphabet[] =
      "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  uint8_t multihash[MULTIHASH_LEN];
  /* Least significant digit first. */
  uint8_t digits[CM_CERTHASH_BASE58_MAX] = {0};
  size_t ndigits = 0;
  text t = begin(dest, destlen);

  /* Repeatedly: number = number * 256 + octet.  The first octet is never 0, so
     there are no leading zeros to care for. */
  make_multihash(multihash, hash);
  for (size_t i = 0; i < MULTIHASH_LEN; i++) {
    unsigned carry = multihash[i];
    for (size_t j = 0; j < ndigits; j++) {
      carry += (unsigned)digits[j] << 8;
      digits[j] = (uint8_t)(carry % 58);
      carry /= 58;
    }
    while (carry > 0) {
      digits[ndigits++] = (uint8_t)(carry % 58);
      carry /= 58;
    }
  }
  put_char(&t, 'z');
  while (ndigits > 0) {
    put_char(&t, alphabet[digits[--ndigits]]);
  }
  return end(&t);
}

/* The unreserved characters of a URL (RFC 3986 section 2.3). */
static const char unreserved[] = "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789-._~";

int cm_mirror_check(const char *mirror) {
  static const char scheme[] = "https://";
  static const char reserved[] = ":/?[]@!$&'()*+,;=%";
  const char *host;
  size_t host_len;

  if (strncmp(mirror, scheme, strlen(scheme)) != 0) {
    return CM_ERR_INVALID;
  }
  host = mirror + strlen(scheme);
  host_len = strcspn(host, "/?");
  /* No browser fetches a URL with a password in it. */
  if (host_len == 0 || host[0] == ':' || memchr(host, '@', host_len) != NULL) {
    return CM_ERR_INVALID;
  }
  for (const char *p = host; *p != '\0'; p++) {
    if (strchr(unreserved, *p) == NULL && strchr(reserved, *p) == NULL) {
      return CM_ERR_INVALID;
    }
  }
  return 0;
}

static int is_thumbprint(const char *s) {
  /* base64url: the unreserved characters but "." and "~". */
  return strlen(s) == CM_BASE64URL_LEN &&
         strspn(s, unreserved) == CM_BASE64URL_LEN && strpbrk(s, ".~") == NULL;
}

/* Checks |set| and takes its host apart: 0, CM_ERR_INVALID or CM_ERR_HOST. */
static int check(cm_host *host, const cm_hashset *set) {
  if (set->host == NULL || set->path == NULL || set->active == NULL ||
      set->port == 0 || set->path[0] != '/' || strchr(set->path, '#') != NULL) {
    return CM_ERR_INVALID;
  }
  if ((set->identity != NULL && !is_thumbprint(set->identity)) ||
      (set->mirror != NULL && cm_mirror_check(set->mirror) != 0)) {
    return CM_ERR_INVALID;
  }
  if (cm_host_parse(host, set->host) != 0 || host->kind == CM_HOST_WILDCARD) {
    return CM_ERR_HOST;
  }
  return 0;
}

static void put_port(text *t, uint16_t port) {
  char digits[sizeof("65535")];

  snprintf(digits, sizeof(digits), "%u", (unsigned)port);
  put(t, digits);
}

/* Percent-encodes what is neither unreserved nor in |allowed|. */
static void put_encoded(text *t, const char *s, const char *allowed) {
  static const char digits[] = "0123456789ABCDEF";

  for (; *s != '\0'; s++) {
    if (strchr(unreserved, *s) != NULL || strchr(allowed, *s) != NULL) {
      put_char(t, *s);
    } else {
      put_char(t, '%');
      put_char(t, digits[(unsigned char)*s >> 4]);
      put_char(t, digits[(unsigned char)*s & 0xf]);
    }
  }
}

/* Encodes what may stand neither in a path nor in a query (RFC 3986 section 3.3
   and 3.4), and what would end a string in JavaScript. */
static void put_path(text *t, const char *path) {
  put_encoded(t, path, "!$&()*+,;=:@/?%");
}

static void put_url(text *t, const cm_hashset *set, const cm_host *host) {
  put(t, "https://");
  if (host->kind == CM_HOST_IPV6) {
    put_char(t, '[');
  }
  put(t, set->host);
  if (host->kind == CM_HOST_IPV6) {
    put_char(t, ']');
  }
  put_char(t, ':');
  put_port(t, set->port);
  put_path(t, set->path);
}

int cm_hashset_url(char *dest, size_t destlen, const cm_hashset *set) {
  text t = begin(dest, destlen);
  cm_host host;
  int rv = check(&host, set);

  if (rv != 0) {
    return fail(dest, destlen, rv);
  }
  put_url(&t, set, &host);
  return end(&t);
}

int cm_hashset_link(char *dest, size_t destlen, const cm_hashset *set) {
  text t = begin(dest, destlen);
  cm_host host;
  int rv = check(&host, set);

  if (rv != 0) {
    return fail(dest, destlen, rv);
  }
  put_url(&t, set, &host);
  put(&t, "#wt=");
  put_base64url(&t, set->active, CM_HASH_LEN);
  if (set->standby != NULL) {
    put_char(&t, '.');
    put_base64url(&t, set->standby, CM_HASH_LEN);
  }
  if (set->identity != NULL) {
    put(&t, "&id=");
    put(&t, set->identity);
  }
  if (set->mirror != NULL) {
    put(&t, "&mirror=");
    put_encoded(&t, set->mirror, "");
  }
  return end(&t);
}

int cm_hashset_multiaddr(char *dest, size_t destlen, const cm_hashset *set) {
  text t = begin(dest, destlen);
  char address[ADDRESS_TEXT_MAX];
  cm_host host;
  int rv = check(&host, set);

  if (rv != 0) {
    return fail(dest, destlen, rv);
  }
  if (host.kind == CM_HOST_DNS) {
    put(&t, "/dns/");
    put(&t, set->host);
  } else {
    int family = host.kind == CM_HOST_IPV6 ? AF_INET6 : AF_INET;
    if (inet_ntop(family, host.address, address, sizeof(address)) == NULL) {
      return fail(dest, destlen, CM_ERR_HOST);
    }
    put(&t, family == AF_INET6 ? "/ip6/" : "/ip4/");
    put(&t, address);
  }
  put(&t, "/udp/");
  put_port(&t, set->port);
  put(&t, "/quic-v1/webtransport/certhash/");
  put_certhash(&t, set->active);
  if (set->standby != NULL) {
    put(&t, "/certhash/");
    put_certhash(&t, set->standby);
  }
  return end(&t);
}

static void put_snippet_hash(text *t, const uint8_t hash[CM_HASH_LEN]) {
  put(t, "    {algorithm: 'sha-256', value: Uint8Array.from(atob('");
  put_base64(t, hash, CM_HASH_LEN, "+/", 1);
  put(t, "'), (c) => c.charCodeAt(0))},\n");
}

int cm_hashset_snippet(char *dest, size_t destlen, const cm_hashset *set) {
  text t = begin(dest, destlen);
  cm_host host;
  int rv = check(&host, set);

  if (rv != 0) {
    return fail(dest, destlen, rv);
  }
  /* Host and path hold neither quotes, backslashes, "<" nor line ends by now,
     so the string needs no further escaping, in a script element neither. */
  put(&t, "const transport = new WebTransport('");
  put_url(&t, set, &host);
  put(&t, "', {\n  serverCertificateHashes: [\n");
  put_snippet_hash(&t, set->active);
  if (set->standby != NULL) {
    put_snippet_hash(&t, set->standby);
  }
  put(&t, "  ],\n});\n");
  return end(&t);
}

int cm_hashset_text(char *dest, size_t destlen, const cm_hashset *set) {
  text t = begin(dest, destlen);

  if (set->active == NULL) {
    return fail(dest, destlen, CM_ERR_INVALID);
  }
  put_hex(&t, set->active);
  put_char(&t, '\n');
  if (set->standby != NULL) {
    put_hex(&t, set->standby);
    put_char(&t, '\n');
  }
  return end(&t);
}

/* Appends {"use", "hex", "b64url"} to |array|.  0 or CM_ERR_NOMEM. */
static int add_json(cJSON *array, const char *use,
                    const uint8_t hash[CM_HASH_LEN]) {
  char hex[CM_HEX_LEN + 1], b64url[CM_BASE64URL_LEN + 1];
  cJSON *object = cJSON_CreateObject();

  if (object == NULL) {
    return CM_ERR_NOMEM;
  }
  if (!cJSON_AddItemToArray(array, object)) {
    cJSON_Delete(object);
    return CM_ERR_NOMEM;
  }
  (void)cm_hash_hex(hex, sizeof(hex), hash);
  (void)cm_hash_base64url(b64url, sizeof(b64url), hash);
  if (cJSON_AddStringToObject(object, "use", use) == NULL ||
      cJSON_AddStringToObject(object, "hex", hex) == NULL ||
      cJSON_AddStringToObject(object, "b64url", b64url) == NULL) {
    return CM_ERR_NOMEM;
  }
  return 0;
}

int cm_hashset_json(char *dest, size_t destlen, const cm_hashset *set) {
  text t = begin(dest, destlen);
  cJSON *array;
  char *printed = NULL;
  int rv;

  if (set->active == NULL) {
    return fail(dest, destlen, CM_ERR_INVALID);
  }
  array = cJSON_CreateArray();
  if (array == NULL) {
    return fail(dest, destlen, CM_ERR_NOMEM);
  }
  rv = add_json(array, "active", set->active);
  if (rv == 0 && set->standby != NULL) {
    rv = add_json(array, "standby", set->standby);
  }
  if (rv == 0) {
    printed = cJSON_PrintUnformatted(array);
    rv = printed == NULL ? CM_ERR_NOMEM : 0;
  }
  cJSON_Delete(array);
  if (rv != 0) {
    return fail(dest, destlen, rv);
  }
  put(&t, printed);
  cJSON_free(printed);
  return end(&t);
}
