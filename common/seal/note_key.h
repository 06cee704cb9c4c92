/* note_key.h - the public key of who signs notes, and its text, a verifier key ("vkey"):
 * `lottery+<key id, 8 hex digits>+<base64>`, after https://c2sp.org/signed-note, "Verifier keys".
 * Only Ed25519 (type 1).
 */
#ifndef LOTTERY_NOTE_KEY_H
#define LOTTERY_NOTE_KEY_H

#include "ed25519.h"
#include "errbuf.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

#define NOTE_NAME_MAX 64 /* bytes of a key's name */
#define NOTE_KEY_ID_SIZE 4

/* Bytes that suffice for any vkey, with its NUL: name, two +, 8 digits, 33 bytes in base64. */
#define NOTE_VKEY_SIZE (NOTE_NAME_MAX + 2 + 8 + 44 + 1)

struct note_key {
    char name[NOTE_NAME_MAX + 1]; /* a string; see note_key_is_name() */
    uint8_t id[NOTE_KEY_ID_SIZE]; /* follows from the name and the key */
    uint8_t public_key[ED25519_PUBLIC_SIZE];
};

/* May a key have this name: UTF-8, not empty, without plus signs, spaces and control characters? Of
 * any size. */
bool note_key_is_name(struct text name);

/* Fills in the key; the name is one that a key may have, of at most NOTE_NAME_MAX bytes. NOMEM. */
enum status note_key_init(struct note_key *key, const char *name,
                          const uint8_t public_key[ED25519_PUBLIC_SIZE]);

/* Reads a vkey. INVALID: it is not one, is not for Ed25519, or its id is not that of its key, as
 * after a typing error; *err says which. NOMEM. */
enum status note_key_parse(struct text vkey, struct note_key *out, struct errbuf *err);

/* Writes the vkey with a NUL. */
void note_key_format(const struct note_key *key, char out[NOTE_VKEY_SIZE]);

#endif
