/* signed_note.h - a text with signatures below it, after https://c2sp.org/signed-note:
 *
 *     the text, one line or more
 *
 *     — <key name> <base64 of the key's id and the signature>
 *
 * In UTF-8, each line ended by a line feed; the line before the signatures is empty, and the dash
 * is U+2014. There may be signatures of keys that the reader does not know; they count nothing.
 */
#ifndef LOTTERY_SIGNED_NOTE_H
#define LOTTERY_SIGNED_NOTE_H

#include "buffer.h"
#include "errbuf.h"
#include "note_key.h"
#include "status.h"
#include "text.h"

#include <stdint.h>

#define SIGNED_NOTE_MAX 16384 /* bytes of a note that is read */

/* A note that is well formed. That says nothing about its signatures. */
struct signed_note {
    struct text text;       /* borrowed: what is signed, with its last line feed */
    struct text signatures; /* borrowed: the lines below, one or more */
};

/* Reads a note, which may come from anybody. The result points into it. MALFORMED: too large, no
 * text or no signature line, not UTF-8, control characters, or a last part with a line that is not
 * a signature; *err says which. */
enum status signed_note_parse(struct text note, struct signed_note *out, struct errbuf *err);

/* Has this key signed the note? OK. NOTFOUND: there is no signature of a key with this name and id.
 * MISMATCH: there is one, but it is not the key's, or not of this text; also if
 * there is a right one as well. Both say so in *err. NOMEM. */
enum status signed_note_verify(const struct signed_note *note, const struct note_key *key,
                               struct errbuf *err);

/* Appends a note with this text and one signature, which is the key's of the text. The text ends
 * with a line feed. NOMEM: the buffer is as before. */
enum status signed_note_put(struct text text, const struct note_key *key,
                            const uint8_t signature[ED25519_SIGNATURE_SIZE], struct buffer *out);

#endif
